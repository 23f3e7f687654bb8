/**
 * Notices that the event loop stood still (V9): the process was stopped, swapped out, or its machine slept.
 * Always true: check() says so at most once for each time that it stood still, and before anything that had waited
 * in buffers is handled, if it is asked before each. Either clock will do: a sleeping machine's monotonic clock stops too.
 */
import { STALL_FLUSHES, STALL_MS, WATCH_MS } from './limits.ts';

export class Watch {
  private slowestFlush = 0;
  private monotonicAt: number;
  private wallAt: number;
  private readonly monotonic: () => number;
  private readonly wall: () => number;
  private readonly onStall: (ms: number) => void;
  private timer: NodeJS.Timeout | undefined;
  /** How often it stood still. */
  stalls = 0;

  constructor(monotonic: () => number, wall: () => number, onStall: (ms: number) => void) {
    this.monotonic = monotonic;
    this.wall = wall;
    this.onStall = onStall;
    this.monotonicAt = monotonic();
    this.wallAt = wall();
  }

  start(): void {
    this.timer = setInterval(() => this.check(), WATCH_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** A slow disk makes a slow peer, not a stopped one. @param stalls how often it had stood still at the start. */
  flushTook(ms: number, stalls: number): void {
    if (stalls === this.stalls && ms > this.slowestFlush) this.slowestFlush = ms;
  }

  /** Whether the event loop stood still since the last call. */
  check(): boolean {
    const monotonic = this.monotonic();
    const wall = this.wall();
    const stood = Math.max(monotonic - this.monotonicAt, wall - this.wallAt);
    this.monotonicAt = monotonic;
    this.wallAt = wall;
    if (stood - WATCH_MS <= Math.max(STALL_MS, STALL_FLUSHES * this.slowestFlush)) return false;
    this.stalls++;
    this.onStall(stood);
    return true;
  }
}
