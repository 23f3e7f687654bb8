/**
 * What a voter gives to its disk, in batches, and the answers that wait for it.
 * Always true: an answer leaves once the batch that covers it is on disk, in the order in which it came; what comes
 * while one batch is being flushed goes into the next.
 */
import type { Register, RegisterWrite } from '../vote/acceptor.ts';
import type { VoteMessage } from '../vote/messages.ts';
import { type Entry, NO_NEWS } from './scopes.ts';

/** What goes to disk in one flush. */
export interface Batch {
  readonly number: number;
  readonly registers: ReadonlyMap<string, RegisterWrite>;
  /** A new promise horizon, or 0. */
  readonly horizon: number;
}

interface Unsent {
  readonly batch: number;
  readonly to: number;
  readonly message: VoteMessage;
}

export class Writes {
  /** The number of the batch that is being filled. */
  open = 1;
  private flushed = 0;
  private dirty = new Map<string, Entry>();
  /** What waits for the flush under way, and what waits for the next one. */
  private unsent: Unsent[] = [];

  get isEmpty(): boolean {
    return this.dirty.size === 0;
  }

  /** Whether the newest state of this register is on disk. */
  has(register: Register): boolean {
    return register.write <= this.flushed;
  }

  /** The register has changed. */
  add(entry: Entry): void {
    entry.register.write = this.open;
    this.dirty.set(entry.scope, entry);
  }

  /** The answer leaves once this register is on disk. */
  hold(register: Register, to: number, message: VoteMessage): void {
    this.unsent.push({ batch: register.write, to, message });
  }

  /** All that came since the last call. */
  take(horizon: number): Batch {
    const registers = new Map<string, RegisterWrite>();
    for (const [scope, entry] of this.dirty) {
      const { ballot, version, state } = entry.register;
      registers.set(scope, {
        register: { ballot, version, state },
        events: entry.news,
        from: entry.written,
      });
      entry.news = NO_NEWS;
      entry.written = version;
    }
    this.dirty = new Map();
    return { number: this.open++, registers, horizon };
  }

  /** Batch `number`, and all before, are on disk: sends what waited for them. */
  landed(number: number, send: (to: number, message: VoteMessage) => void): void {
    this.flushed = number;
    const waiting = this.unsent;
    this.unsent = [];
    for (const unsent of waiting) {
      if (unsent.batch <= number) send(unsent.to, unsent.message);
      else this.unsent.push(unsent);
    }
  }
}
