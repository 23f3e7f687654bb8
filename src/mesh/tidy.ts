/**
 * Gives memory back after many scopes were frozen: their objects are old by then, and the engine has no reason to look
 * at old objects while little new is made. A burst of 100,000 locks would else keep 300 MB for as long as nothing happens.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Frozen scopes that are worth a pause of some 50 ms. */
const WORTH = 10_000;
/** Not before so long nothing was frozen; once more after that, for the first time only empties the pages. */
const QUIET_MS = 5_000;
/** The pause grows with what is alive. If it was longer than this, memory is left to the engine from then on. */
const PAUSE_MAX_MS = 300;

export class Tidy {
  private readonly collect: () => void;
  private readonly now: () => number;
  private seen = 0;
  private collected = 0;
  private tooSlow = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param collect frees all that nobody refers to. */
  constructor(collect = collectGarbage, now = () => performance.now()) {
    this.collect = collect;
    this.now = now;
  }

  /** @param frozen how many times a scope was frozen since the start. */
  look(frozen: number): void {
    if (frozen === this.seen) return;
    if (frozen < this.seen) this.collected = 0; // it counts anew
    this.seen = frozen;
    clearTimeout(this.timer);
    if (frozen - this.collected < WORTH) return;
    this.after(QUIET_MS, () => {
      this.collected = this.seen;
      if (this.run()) this.after(QUIET_MS, () => this.run());
    });
  }

  /** @returns whether it was quick enough to be done again. */
  private run(): boolean {
    if (this.tooSlow) return false;
    const began = this.now();
    this.collect();
    this.tooSlow = this.now() - began > PAUSE_MAX_MS;
    return !this.tooSlow;
  }

  private after(ms: number, then: () => void): void {
    this.timer = setTimeout(then, ms);
    this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
  }
}

/** Node gives no other way to ask for it than the engine's own function. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
