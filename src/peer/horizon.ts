/**
 * The promise horizon (V8): rounds up to it may be promised without a flush; it is raised in long strides ahead of need.
 * Always true: `durable` only grows, and is on disk; what asks for a round beyond it waits until it has been raised.
 */
import { HORIZON_STRIDE_ROUNDS } from '../vote/limits.ts';
import type { Accept, Prepare } from '../vote/messages.ts';

interface Beyond {
  readonly from: number;
  readonly message: Prepare | Accept;
}

export class Horizon {
  durable: number;
  private wanted = 0;
  /** The batch that carries what is wanted to disk. */
  private batch = 0;
  private beyond: Beyond[] = [];

  constructor(durable: number) {
    this.durable = durable;
  }

  /** Whether messages wait for it. */
  get isAwaited(): boolean {
    return this.beyond.length > 0;
  }

  /** The message waits. @param openBatch what is wanted from now on goes to disk with that one. */
  hold(from: number, message: Prepare | Accept, openBatch: number): void {
    this.beyond.push({ from, message });
    this.want(message.ballot.round, openBatch);
  }

  aheadOfNeed(round: number, openBatch: number): void {
    if (round + HORIZON_STRIDE_ROUNDS / 2 > this.durable) this.want(round, openBatch);
  }

  private want(round: number, openBatch: number): void {
    if (round + HORIZON_STRIDE_ROUNDS / 2 <= this.wanted) return;
    this.wanted = round + HORIZON_STRIDE_ROUNDS;
    this.batch = openBatch;
  }

  /** What this batch is to carry, 0 for nothing. */
  in(batch: number): number {
    return this.batch === batch ? this.wanted : 0;
  }

  /** All batches up to this one are on disk. @returns the messages that need wait no longer. */
  flushed(batch: number): readonly Beyond[] {
    if (this.wanted <= this.durable || this.batch > batch) return NONE;
    this.durable = this.wanted;
    const { beyond } = this;
    this.beyond = [];
    return beyond;
  }
}

const NONE: readonly Beyond[] = [];
