/**
 * One timer that looks at everything that is held.
 * Always true: while there is anything, all of it is looked at every TICK_MS, and each when it asked for. The timer
 * keeps the process running only while something is held or waited for.
 */
import type { Clock } from './clock.ts';
import type { Instant } from './count.ts';

/** How often what is held is looked at, so that a suspend is noticed. */
export const TICK_MS = 500;

export interface Ticking {
  /** Whether the process is to be kept running for it. */
  readonly holds: boolean;
  /** @returns when it wants to be looked at again, monotonic milliseconds. */
  tick(now: Instant): number;
}

export class Ticker {
  private readonly clock: Clock;
  private readonly items = new Set<Ticking>();
  private at = Number.POSITIVE_INFINITY;
  private holds = false;
  private stopTimer: (() => void) | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** @param at when it wants to be looked at first. */
  add(item: Ticking, at: number): void {
    this.items.add(item);
    this.wake(at, item.holds);
  }

  delete(item: Ticking): void {
    this.items.delete(item);
    if (this.items.size === 0) this.stop();
  }

  /** Looks at all by then, or sooner. @param holds whether the process is to run until then. */
  wake(at: number, holds: boolean): void {
    if (at >= this.at && (this.holds || !holds)) return;
    const now = this.clock.now();
    this.set(now, Math.min(at, this.at, now + TICK_MS), holds || this.holds);
  }

  private set(now: number, at: number, holds: boolean): void {
    this.stopTimer?.();
    this.at = at;
    this.holds = holds;
    this.stopTimer = this.clock.after(Math.max(0, Math.ceil(at - now)), this.run, !holds);
  }

  private readonly run = (): void => {
    const now = { mono: this.clock.now(), wall: this.clock.wall() };
    let next = now.mono + TICK_MS;
    let holds = false;
    for (const item of this.items) {
      next = Math.min(next, item.tick(now));
      holds ||= item.holds;
    }
    if (this.items.size === 0) this.stop();
    else this.set(now.mono, next, holds);
  };

  private stop(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.at = Number.POSITIVE_INFINITY;
    this.holds = false;
  }
}
