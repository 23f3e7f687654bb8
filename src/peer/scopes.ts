/**
 * The scopes that a voter has in memory, their timers, and which of them may leave or be frozen.
 * Always true: a scope that is not in memory is on disk whole, promised no less than a reload gives it (G2); an
 * entry's timer fires no later than the entry is due, and one that fires early is put off; a scope is in one form,
 * warm or cold. Beyond WARM_SCOPES, what is held and was not used lately is frozen, and thaws when it is asked for or
 * its lease is due.
 */
import type { LockEvent } from '../lock/event.ts';
import { flat } from '../lock/plain.ts';
import { isFree, type LockId, type LockState } from '../lock/state.ts';
import { firstOverAt, loadRegister, type Register, type StoredRegister } from '../vote/acceptor.ts';
import { Proposer } from '../vote/proposer.ts';
import { NEVER } from '../vote/task.ts';
import { freeze, thaw } from './cold.ts';
import { Heap, type Timed } from './heap.ts';
import {
  FREE_SCOPES_MAX,
  FREEZE_EVERY_MS,
  FREEZE_HOLDERS_MAX,
  FREEZE_IDLE_MS,
  FREEZE_SCOPES,
  REAP_EVERY_MS,
  WARM_SCOPES,
} from './limits.ts';
import { Oldest } from './oldest.ts';
import type { ScopeWatch } from './scope-watch.ts';

export interface Entry extends Timed {
  readonly scope: string;
  readonly register: Register;
  proposer: Proposer | undefined;
  /** Set while somebody watches the scope through this voter; it stays in memory then. */
  watch: ScopeWatch | undefined;
  /** When the leases of this register are looked at next. */
  watchAt: number;
  /** When the kept places of this register are looked at next, and since when each was seen. */
  reapAt: number;
  kept: Map<LockId, number>;
  /** What changed since the register was last written, which was at version `written`; null: write it whole. */
  news: readonly LockEvent[] | null;
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
  /** Whether the register alone does not stand in the way of being forgotten. */
  mayForget(register: Register): boolean;
  /** Whether it is on disk, and no message about it waits here. */
  isSettled(register: Register): boolean;
}

/** Frozen scopes that are due within one second. */
interface Due extends Timed {
  readonly scopes: Set<string>;
}

/** Of an entry that has not changed since it was written. */
export const NO_NEWS: readonly LockEvent[] = [];
const NOBODY_KEPT: Map<LockId, number> = new Map();

function dueAt(entry: Entry): number {
  return Math.min(entry.watchAt, entry.reapAt, entry.proposer?.wakeAt ?? NEVER);
}

export class Scopes {
  /** How many times a scope was frozen. */
  frozen = 0;
  private readonly port: ScopesPort;
  private readonly entries = new Map<string, Entry>();
  private readonly free = new Map<string, Entry>();
  private readonly oldestFree = new Oldest(this.free);
  private readonly timers = new Heap<Entry>();
  private readonly cold = new Map<string, string>();
  private readonly due = new Map<number, Due>();
  private readonly dueTimers = new Heap<Due>();
  /** Walks over the warm ones, again and again. */
  private hand: IterableIterator<Entry> | undefined;
  private walkBegan = 0;
  private freezeAt = NEVER;

  constructor(port: ScopesPort) {
    this.port = port;
  }

  get size(): number {
    return this.entries.size + this.cold.size;
  }

  /** When the first entry is due, or Infinity. */
  get nextWake(): number {
    return Math.min(this.timers.firstAt, this.dueTimers.firstAt, this.freezeAt);
  }

  /** The entry, if it is in memory and warm: with a proposer, a watch or news. */
  warm(scope: string): Entry | undefined {
    return this.entries.get(scope);
  }

  /** The entry, if it is in memory. */
  peek(scope: string): Entry | undefined {
    return this.entries.get(scope) ?? this.thaw(scope);
  }

  /** The state, if the scope is in memory; it stays as cold as it is. */
  state(scope: string): LockState | undefined {
    return this.look(scope)?.state;
  }

  private look(scope: string): Register | undefined {
    const text = this.cold.get(scope);
    return text === undefined ? this.entries.get(scope)?.register : thaw(text).register;
  }

  /** The entry, from memory or from disk. */
  get(scope: string): Entry {
    const known = this.peek(scope);
    if (known === undefined) return this.load(scope, this.port.read(scope));
    known.touched = true;
    return known;
  }

  load(scope: string, stored: StoredRegister | undefined): Entry {
    const register = loadRegister(stored, this.port.promisedAfterRestart(stored), this.port.now);
    return this.add(scope, register, stored !== undefined);
  }

  /** What is held on disk at the start. All of it as objects, were it but for a moment, may not fit into memory. */
  begin(scope: string, stored: StoredRegister): void {
    const entry = this.load(scope, stored);
    if (this.entries.size - this.free.size > WARM_SCOPES && this.mayFreeze(entry)) this.freeze(entry);
  }

  /** @param written whether the disk has it. */
  private add(scope: string, register: Register, written: boolean): Entry {
    const entry: Entry = {
      scope: flat(scope),
      register,
      proposer: undefined,
      watch: undefined,
      watchAt: NEVER,
      reapAt: NEVER,
      kept: NOBODY_KEPT,
      news: written ? NO_NEWS : null,
      written: register.version,
      free: false,
      touched: true,
      acquires: 0,
      conflicts: 0,
      holds: 0,
      heldMs: 0,
      at: 0,
      slot: -1,
    };
    this.entries.set(entry.scope, entry);
    this.watch(entry);
    return entry;
  }

  proposerOf(entry: Entry): Proposer {
    entry.proposer ??= new Proposer(entry.scope);
    return entry.proposer;
  }

  /**
   * All that is in memory as the walk begins, if it still is when the walk comes to it; what is cold stays so. By name,
   * for a walk may take many turns, in which scopes freeze and thaw.
   */
  *all(): Iterable<readonly [scope: string, register: Register]> {
    for (const scope of [...this.entries.keys(), ...this.cold.keys()]) {
      const register = this.look(scope);
      if (register !== undefined) yield [scope, register];
    }
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
    if (this.freezeAt === NEVER && this.entries.size - this.free.size > WARM_SCOPES) {
      this.freezeAt = this.port.now + FREEZE_EVERY_MS;
    }
  }

  /** To be called when the entry is due at another time. Moves its timer only to an earlier one. */
  arm(entry: Entry): void {
    const at = dueAt(entry);
    if (at !== NEVER && (entry.slot < 0 || at < entry.at)) this.timers.set(entry, at);
  }

  /** Hands over what is due, one after the other. */
  wake(due: (entry: Entry) => void): void {
    if (this.freezeAt <= this.port.now) this.freezeSome();
    this.thawDue();
    for (;;) {
      const entry = this.timers.pop(this.port.now);
      if (entry === undefined) return;
      due(entry);
      if (this.entries.get(entry.scope) === entry) this.timers.set(entry, dueAt(entry));
    }
  }

  private forgetSome(): void {
    for (let looks = 0; looks < 4 && this.free.size > FREE_SCOPES_MAX; looks++) {
      const scope = this.oldestFree.take();
      if (scope === undefined) return;
      const entry = this.entries.get(scope)!;
      if (entry.touched || !this.mayForget(entry)) {
        entry.touched = false;
        this.free.set(entry.scope, entry);
      } else this.forget(entry);
    }
  }

  private mayForget(entry: Entry): boolean {
    if (entry.watch !== undefined) return false;
    return (entry.proposer?.idle ?? true) && this.port.mayForget(entry.register);
  }

  private forget(entry: Entry): void {
    this.free.delete(entry.scope);
    this.entries.delete(entry.scope);
    this.timers.delete(entry);
  }

  /** Forgets all free scopes that it may, and freezes what else it may. @returns how many it forgot. */
  forgetFree(): number {
    const before = this.entries.size;
    for (const entry of [...this.free.values()]) if (this.mayForget(entry)) this.forget(entry);
    const forgotten = before - this.entries.size;
    for (const entry of [...this.entries.values()]) if (this.mayFreeze(entry)) this.freeze(entry);
    return forgotten;
  }

  // --- what is held, and was not used lately ---

  /** A few thousand at a time, so that the event loop is not held up. */
  private freezeSome(): void {
    this.freezeAt = NEVER;
    for (let looks = 0; looks < FREEZE_SCOPES; looks++) {
      if (this.entries.size - this.free.size <= WARM_SCOPES) return;
      if (this.hand === undefined) {
        this.hand = this.entries.values();
        this.walkBegan = this.port.now;
      }
      const next = this.hand.next();
      if (next.done === true) {
        // Whoever was not touched between two walks has rested long enough: a thaw costs a ballot and whole states.
        this.hand = undefined;
        this.freezeAt = Math.max(this.walkBegan + FREEZE_IDLE_MS, this.port.now + FREEZE_EVERY_MS);
        return;
      }
      const entry = next.value;
      if (entry.touched) entry.touched = false;
      else if (this.mayFreeze(entry)) this.freeze(entry);
    }
    this.freezeAt = this.port.now + FREEZE_EVERY_MS;
  }

  /**
   * What is not written as it is, or not at all (a beat), is not frozen: it would seem to be on disk. Nor is what is
   * due within this second: it would thaw at once.
   */
  private mayFreeze({ free, watch, proposer, register, news, written, watchAt }: Entry): boolean {
    if (news === null || written !== register.version) return false;
    if (free || watch !== undefined || proposer?.idle === false) return false;
    const { holders, queue, parked, upgrade } = register.state;
    if (queue.byId !== undefined || parked !== undefined || upgrade !== null) return false;
    if (holders.length > FREEZE_HOLDERS_MAX || beginOf(secondOf(watchAt)) <= this.port.now) return false;
    return this.port.isSettled(register);
  }

  private freeze(entry: Entry): void {
    const { scope, register, watchAt, acquires, conflicts, holds, heldMs } = entry;
    const second = watchAt === NEVER ? -1 : secondOf(watchAt);
    this.forget(entry);
    this.frozen++;
    this.cold.set(scope, freeze(register, [acquires, conflicts, holds, heldMs], second));
    if (second < 0) return;
    let due = this.due.get(second);
    if (due === undefined) {
      due = { scopes: new Set(), at: 0, slot: -1 };
      this.due.set(second, due);
      this.dueTimers.set(due, beginOf(second));
    }
    due.scopes.add(scope);
  }

  private thaw(scope: string): Entry | undefined {
    const text = this.cold.get(scope);
    if (text === undefined) return undefined;
    const { register, figures, due: second } = thaw(text);
    this.cold.delete(scope);
    const due = this.due.get(second);
    if (due?.scopes.delete(scope) === true && due.scopes.size === 0) {
      this.due.delete(second);
      this.dueTimers.delete(due);
    }
    const entry = this.add(scope, register, true);
    [entry.acquires, entry.conflicts, entry.holds, entry.heldMs] = figures;
    return entry;
  }

  /** So many at a time as well: thousands of leases may be over within one second. */
  private thawDue(): void {
    for (let left = FREEZE_SCOPES; ; ) {
      const at = this.dueTimers.firstAt;
      const due = this.dueTimers.pop(this.port.now);
      if (due === undefined) return;
      for (const scope of due.scopes) {
        if (left-- === 0) {
          this.dueTimers.set(due, at);
          return;
        }
        this.thaw(scope);
      }
    }
  }
}

function secondOf(at: number): number {
  return Math.floor(at / 1_000);
}

function beginOf(second: number): number {
  return second * 1_000;
}
