/**
 * When the next turn of a peer begins: at the end of this turn of the event loop, or a little later if nobody is in a
 * hurry.
 * Always true: however often it is asked for, one turn comes of it; after `stop` none.
 */
import { BEAT_GATHER_MS } from './limits.ts';

export class Turns {
  private readonly turn: () => void;
  private scheduled = false;
  private later: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(turn: () => void) {
    this.turn = turn;
  }

  /** Whether something waits that is in no hurry. */
  get gathering(): boolean {
    return this.later !== undefined;
  }

  schedule(): void {
    if (this.scheduled || this.stopped) return;
    this.scheduled = true;
    setImmediate(this.run);
  }

  /** For what is calm: it goes with the next turn, or begins one after a while. */
  scheduleSoon(): void {
    if (this.scheduled || this.stopped) return;
    this.later ??= setTimeout(() => this.schedule(), BEAT_GATHER_MS);
  }

  private readonly run = (): void => {
    this.scheduled = false;
    this.forget();
    if (!this.stopped) this.turn();
  };

  private forget(): void {
    clearTimeout(this.later);
    this.later = undefined;
  }

  stop(): void {
    this.stopped = true;
    this.forget();
  }
}
