/**
 * Who waits, as the clerk of model.ts keeps it: a list with a tally beside each name.
 * Always true: a tally counts the grants to others who came later, while one waits or is away.
 */
import type { Priority, Waiter } from '../../../src/lock/state.ts';

const TALLY = 16;
const ORDER: readonly Priority[] = ['high', 'normal', 'low'];

export interface Place {
  waiter: Waiter;
  /** How many were granted that came later. */
  overtaken: number;
}

export class Line {
  places: Place[] = [];
  /** Arrivals that were granted, as long as somebody waits who came before: for those who come back to their place. */
  private seen: number[] = [];

  add(waiter: Waiter): void {
    this.places.push({ waiter, overtaken: this.tallyFor(waiter.arrival) });
  }

  strike(which: (lockId: string) => boolean): void {
    this.places = this.places.filter(({ waiter }) => !which(waiter.lockId));
    this.forget();
  }

  find(id: string): Place | undefined {
    return this.places.find(({ waiter }) => waiter.lockId === id);
  }

  /** Somebody was granted who came then. */
  passedBy(arrival: number): void {
    for (const place of this.places) if (place.waiter.arrival < arrival) place.overtaken += 1;
    this.seen.push(arrival);
    this.forget();
  }

  tallyFor(arrival: number): number {
    return this.seen.filter((later) => later > arrival).length;
  }

  inOrder(): Place[] {
    return [...this.places].sort((a, b) => {
      const by =
        this.strengthOf(a.waiter.priority, a.overtaken) - this.strengthOf(b.waiter.priority, b.overtaken);
      return by === 0 ? a.waiter.arrival - b.waiter.arrival : by;
    });
  }

  aheadOf(priority: Priority, arrival: number, overtaken: number): number {
    const strength = this.strengthOf(priority, overtaken);
    return this.places.filter(({ waiter, overtaken }) => {
      const its = this.strengthOf(waiter.priority, overtaken);
      return its < strength || (its === strength && waiter.arrival < arrival);
    }).length;
  }

  private strengthOf(priority: Priority, overtaken: number): number {
    let strength = ORDER.indexOf(priority);
    for (let tally = overtaken; tally >= TALLY && strength > 0; tally -= TALLY) strength -= 1;
    return strength;
  }

  private forget(): void {
    this.seen = this.seen.filter((later) => this.places.some(({ waiter }) => waiter.arrival < later));
  }
}
