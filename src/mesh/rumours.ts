/**
 * Rumours that wait for a message to ride on.
 * Always true: at most one about each member, the newest; each is told a bounded number of times, then forgotten.
 */
import type { Rumour } from './gossip.ts';

interface Waiting {
  readonly rumour: Rumour;
  /** Order of arrival: the newer of two that were told equally often goes first. */
  readonly number: number;
  told: number;
}

export class Rumours {
  private readonly waiting = new Map<string, Waiting>();
  private number = 0;

  get size(): number {
    return this.waiting.size;
  }

  /** In place of an older one about the same member. */
  add(rumour: Rumour): void {
    this.waiting.set(rumour.name, { rumour, number: ++this.number, told: 0 });
  }

  delete(name: string): void {
    this.waiting.delete(name);
  }

  /** @param most how many fit. @param repeats how often each is told in all. */
  take(most: number, repeats: number): Rumour[] {
    if (this.waiting.size === 0) return [];
    const next = [...this.waiting.values()].sort((a, b) => a.told - b.told || b.number - a.number);
    next.length = Math.min(next.length, most);
    for (const waiting of next) {
      waiting.told++;
      if (waiting.told >= repeats) this.waiting.delete(waiting.rumour.name);
    }
    return next.map(({ rumour }) => rumour);
  }
}
