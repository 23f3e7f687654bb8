/**
 * Elections: who holds the write lock of a scope leads.
 * Always true: whoever is told that it leads holds the lock at that moment; what an observer is told was so, by a vote.
 */
import { acquire } from './acquiring.ts';
import type { Core } from './core.ts';
import { BusyError, NoQuorumError, OutcomeUnknownError, OverloadedError } from './errors.ts';
import { Watch } from './events.ts';
import { checkKeys, scopeOf, signalOf, WAIT_MAX_MS } from './options.ts';
import { statusOf } from './queries.ts';
import type { AcquireOptions, Election, ElectOptions, Leader, Lock, WaitOptions } from './types.ts';
import { lockWish } from './wishes.ts';

/** How often an observer asks where there are no events, and where there are: one may get lost. */
const POLL_MS = 1_000;
const POLL_BESIDE_EVENTS_MS = 10_000;

export class LeaderElection implements Election {
  readonly name: string;
  private readonly core: Core;
  private readonly options: ElectOptions;
  private readonly led = new Set<Lock>();
  private resigned = new AbortController();

  constructor(core: Core, name: string, options: ElectOptions = {}) {
    checkKeys(options, ['signal', 'holder', 'timeout']);
    this.core = core;
    this.name = scopeOf(name, 'name');
    this.options = options;
    const signal = signalOf(options.signal);
    if (signal?.aborted === true) this.resigned.abort(signal.reason);
    else signal?.addEventListener('abort', () => void this.giveUp(signal.reason), { once: true });
  }

  async campaign(options: WaitOptions = {}): Promise<Lock> {
    const { holder, timeout } = this.options;
    const signals = [this.options.signal, options.signal, this.resigned.signal].filter(
      (one) => one !== undefined,
    );
    const asked: AcquireOptions = {
      ...options,
      wait: options.wait ?? WAIT_MAX_MS / 1_000,
      signal: AbortSignal.any(signals),
      ...(holder === undefined ? {} : { holder }),
      ...(timeout === undefined ? {} : { timeout }),
    };
    const wish = lockWish(this.name, asked);
    for (;;) {
      try {
        const lock = await acquire(this.core, wish);
        this.led.add(lock);
        lock.onEnd = lock.onLost = () => this.led.delete(lock);
        return lock;
      } catch (error) {
        if (!(error instanceof BusyError && options.wait === undefined)) throw error;
      }
    }
  }

  async leader(): Promise<Leader | null> {
    const { holders } = await statusOf(this.core, this.name);
    const one = holders.find(({ lock_type }) => lock_type === 'write');
    return one === undefined ? null : { holder: one.holder, fencingToken: one.fencing_token };
  }

  async *observe(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Leader | null, void, void> {
    const signals = [this.options.signal, options.signal].filter((one) => one !== undefined);
    const bell = new Bell(this.core, signals);
    try {
      let last: Leader | null | undefined;
      while (!bell.over) {
        const leader = await this.leader().catch(passing);
        if (bell.over) return;
        if (leader !== undefined && !isSame(leader, last)) {
          last = leader;
          yield leader;
        }
        await bell.rung(this.name);
      }
    } finally {
      bell.stop();
    }
  }

  async resign(): Promise<void> {
    const before = this.resigned;
    this.resigned = new AbortController();
    before.abort(new DOMException('It resigned.', 'AbortError'));
    await this.releaseAll();
  }

  private async giveUp(reason: unknown): Promise<void> {
    this.resigned.abort(reason);
    await this.releaseAll().catch(() => undefined);
  }

  private async releaseAll(): Promise<void> {
    await Promise.all([...this.led].map((lock) => lock.release()));
  }
}

/** No answer for now; undefined: nothing is known. */
function passing(error: unknown): undefined {
  const passes = [NoQuorumError, OutcomeUnknownError, OverloadedError].some(
    (Class) => error instanceof Class,
  );
  if (!passes) throw error;
}

function isSame(a: Leader | null, b: Leader | null | undefined): boolean {
  if (a === null || b === null || b === undefined) return a === b;
  return a.holder === b.holder && a.fencingToken === b.fencingToken;
}

/** Rings when something may have changed, or time has passed, or it is over. */
class Bell {
  over = false;
  private readonly core: Core;
  private readonly signals: readonly AbortSignal[];
  private watch: Watch | undefined;
  private eventless = false;
  private pulled = true;
  private wake: (() => void) | undefined;

  constructor(core: Core, signals: readonly AbortSignal[]) {
    this.core = core;
    this.signals = signals;
    this.over = core.closed || signals.some(({ aborted }) => aborted);
    core.enders.add(this.stop);
    for (const signal of signals) signal.addEventListener('abort', this.stop);
  }

  /** Resolves at once if it was pulled since the last time. */
  rung(scope: string): Promise<void> {
    if (this.watch === undefined && !this.eventless) {
      this.watch = new Watch(this.core, scope, {
        event: this.pull,
        failed: () => {
          this.eventless = true;
        },
      });
    }
    return new Promise((resolve) => {
      const stopTimer = this.core.clock.after(this.eventless ? POLL_MS : POLL_BESIDE_EVENTS_MS, () =>
        this.pull(),
      );
      this.wake = () => {
        stopTimer();
        this.wake = undefined;
        this.pulled = false;
        resolve();
      };
      if (this.pulled || this.over) this.wake();
    });
  }

  private readonly pull = (): void => {
    this.pulled = true;
    this.wake?.();
  };

  readonly stop = (): void => {
    this.over = true;
    this.watch?.stop();
    this.core.enders.delete(this.stop);
    for (const signal of this.signals) signal.removeEventListener('abort', this.stop);
    this.wake?.();
  };
}
