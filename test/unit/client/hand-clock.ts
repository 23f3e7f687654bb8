/** A clock that a test moves by hand. Always true: timers fire in their order, at their time, and only from `pass`. */
import type { Clock } from '../../../src/client/clock.ts';

interface Timer {
  readonly at: number;
  readonly fn: () => void;
  readonly background: boolean;
}

export class HandClock implements Clock {
  private mono = 1_000;
  private epoch = 1_700_000_000_000;
  private timers: Timer[] = [];

  now(): number {
    return this.mono;
  }

  wall(): number {
    return this.epoch;
  }

  after(ms: number, fn: () => void, background = false): () => void {
    const timer = { at: this.mono + ms, fn, background };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((one) => one !== timer);
    };
  }

  /** Timers that keep the process running. */
  get holding(): number {
    return this.timers.filter(({ background }) => !background).length;
  }

  /** Lets time pass; what timers begin goes on as far as it can without time. */
  async pass(ms: number): Promise<void> {
    await settled();
    const end = this.mono + ms;
    for (;;) {
      const due = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((one) => one !== due);
      this.move(Math.max(0, due.at - this.mono));
      due.fn();
      await settled();
    }
    this.move(end - this.mono);
    await settled();
  }

  /** Time passes at once, as when the process stands still: no timer fires before the next `pass`. */
  stall(ms: number): void {
    this.move(ms);
  }

  /** The machine is suspended: only the wall clock goes on. */
  suspend(ms: number): void {
    this.epoch += ms;
  }

  private move(ms: number): void {
    this.mono += ms;
    this.epoch += ms;
  }
}

/** Resolves once everything that needs no time has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
