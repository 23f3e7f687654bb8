/**
 * The clocks by which a client counts what it holds.
 * Always true: `now` never goes back, and may stand still while the machine is suspended; `wall` goes on then, which
 * is how a suspend is noticed.
 */

export interface Clock {
  /** Monotonic milliseconds, from any origin. */
  now(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  /**
   * Calls `fn` once, `ms` milliseconds from now.
   * @param background whether nothing is held or waited for, so that this alone need not keep the process running.
   * @returns stops it; harmless once it was called.
   */
  after(ms: number, fn: () => void, background?: boolean): () => void;
}

/** Node fires timers at once that are set for longer than this. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, fn, background = false) => {
    const timer = setTimeout(fn, Math.min(ms, TIMER_MAX_MS));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
