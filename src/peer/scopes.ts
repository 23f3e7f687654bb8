/**
 * The scopes that a voter has in memory, their timers, and which of them may leave.
 * Always true: a scope that is not in memory is on disk whole, promised no less than a reload gives it (G2); an
 * entry's timer fires no later than the entry is due, and one that fires early is put off.
 */
import type { LockEvent } from '../lock/event.ts';
import { isFree, type LockId } from '../lock/state.ts';
import { firstOverAt, loadRegister, type Register, type StoredRegister } from '../vote/acceptor.ts';
import { Proposer } from '../vote/proposer.ts';
import { NEVER } from '../vote/task.ts';
import { Heap, type Timed } from './heap.ts';
import { FREE_SCOPES_MAX, REAP_EVERY_MS } from './limits.ts';

export interface Entry extends Timed {
  readonly scope: string;
  readonly register: Register;
  proposer: Proposer | undefined;
  /** When the leases of this register are looked at next. */
  watchAt: number;
  /** When the kept places of this register are looked at next, and since when each was seen. */
  reapAt: number;
  kept: Map<LockId, number>;
  /** What changed since the register was last written, which was at version `written`; null: write it whole. */
  news: LockEvent[] | null;
  written: number;
  free: boolean;
  touched: boolean;
  /** How the scope was fought for, as far as this voter saw since the entry was loaded. */
  acquires: number;
  conflicts: number;
  holds: number;
  heldMs: number;
}

export interface ScopesPort {
  readonly now: number;
  read(scope: string): StoredRegister | undefined;
  promisedAfterRestart(stored: StoredRegister | undefined): Register['promised'];
  /** Whether the register alone stands in the way of being forgotten. */
  mayForget(register: Register): boolean;
}

const NOBODY_KEPT: Map<LockId, number> = new Map();

function dueAt(entry: Entry): number {
  return Math.min(entry.watchAt, entry.reapAt, entry.proposer?.wakeAt ?? NEVER);
}

export class Scopes {
  private readonly port: ScopesPort;
  private readonly entries = new Map<string, Entry>();
  private readonly free = new Map<string, Entry>();
  private readonly timers = new Heap<Entry>();

  constructor(port: ScopesPort) {
    this.port = port;
  }

  get size(): number {
    return this.entries.size;
  }

  /** When the first entry is due, or Infinity. */
  get nextWake(): number {
    return this.timers.firstAt;
  }

  /** The entry, if it is in memory. */
  peek(scope: string): Entry | undefined {
    return this.entries.get(scope);
  }

  /** The entry, from memory or from disk. */
  get(scope: string): Entry {
    const known = this.entries.get(scope);
    if (known === undefined) return this.load(scope, this.port.read(scope));
    known.touched = true;
    return known;
  }

  load(scope: string, stored: StoredRegister | undefined): Entry {
    const entry: Entry = {
      scope,
      register: loadRegister(stored, this.port.promisedAfterRestart(stored), this.port.now),
      proposer: undefined,
      watchAt: NEVER,
      reapAt: NEVER,
      kept: NOBODY_KEPT,
      news: stored === undefined ? null : [],
      written: stored?.version ?? 0,
      free: false,
      touched: true,
      acquires: 0,
      conflicts: 0,
      holds: 0,
      heldMs: 0,
      at: 0,
      slot: -1,
    };
    this.entries.set(scope, entry);
    this.watch(entry);
    return entry;
  }

  proposerOf(entry: Entry): Proposer {
    entry.proposer ??= new Proposer(entry.scope);
    return entry.proposer;
  }

  *all(): Iterable<Entry> {
    yield* this.entries.values();
  }

  /** To be called when the holders, their leases or the kept places have changed. */
  watch(entry: Entry): void {
    entry.watchAt = firstOverAt(entry.register);
    const { state } = entry.register;
    if (state.parked === undefined) entry.reapAt = NEVER;
    else if (entry.reapAt === NEVER) entry.reapAt = this.port.now + REAP_EVERY_MS;
    const free = isFree(state);
    if (free !== entry.free) {
      entry.free = free;
      if (free) this.free.set(entry.scope, entry);
      else this.free.delete(entry.scope);
    }
    this.arm(entry);
    if (free && this.free.size > FREE_SCOPES_MAX) this.forgetSome();
  }

  /** To be called when the entry is due at another time. Moves its timer only to an earlier one. */
  arm(entry: Entry): void {
    const at = dueAt(entry);
    if (at !== NEVER && (entry.slot < 0 || at < entry.at)) this.timers.set(entry, at);
  }

  /** Hands over what is due, one after the other. */
  wake(due: (entry: Entry) => void): void {
    for (;;) {
      const entry = this.timers.pop(this.port.now);
      if (entry === undefined) return;
      due(entry);
      if (this.entries.get(entry.scope) === entry) this.timers.set(entry, dueAt(entry));
    }
  }

  private forgetSome(): void {
    for (let looks = 0; looks < 4 && this.free.size > FREE_SCOPES_MAX; looks++) {
      const next = this.free.values().next();
      if (next.done === true) return;
      const entry = next.value;
      this.free.delete(entry.scope);
      if (entry.touched || !this.mayForget(entry)) {
        entry.touched = false;
        this.free.set(entry.scope, entry);
      } else this.forget(entry);
    }
  }

  private mayForget(entry: Entry): boolean {
    return (entry.proposer?.idle ?? true) && this.port.mayForget(entry.register);
  }

  private forget(entry: Entry): void {
    this.free.delete(entry.scope);
    this.entries.delete(entry.scope);
    this.timers.delete(entry);
  }

  /** Forgets all free scopes that it may. @returns how many. */
  forgetFree(): number {
    const before = this.entries.size;
    for (const entry of [...this.free.values()]) if (this.mayForget(entry)) this.forget(entry);
    return before - this.entries.size;
  }
}
