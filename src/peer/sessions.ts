/**
 * The sessions that this voter's registers name, and what is to be done when one dies (T5, T6).
 * Each session is a register of its own, whose scope is the session's id behind a control character, held by the
 * session itself for its time to live. A session is alive as long as it holds; whoever is unknown is dead.
 * Always true: a sweep is proposed only once the session's death is known to be chosen, which it then is for ever;
 * a session that a register names is looked at until no register names it. What the index holds may be more than
 * what registers still name, never less.
 */

import { isNamedAt, isSessionHere } from '../lock/decide.ts';
import type { LockEvent } from '../lock/event.ts';
import { flat, SESSION_SCOPE_PREFIX } from '../lock/plain.ts';
import { everybody } from '../lock/queue.ts';
import { findGrant, type LockId, type LockState, NO_TOKEN, type SessionId } from '../lock/state.ts';
import { values } from '../lock/tree.ts';
import { LINE_STEP_MS } from '../vote/limits.ts';
import { NEVER } from '../vote/task.ts';
import { Heap, type Timed } from './heap.ts';
import { SESSION_SLACK_MS } from './limits.ts';
import type { SessionEntry } from './messages.ts';
import { hashText } from './placement.ts';

/** An index of a few names is not worth looking through. */
const NAMES_SPARE = 64;

export function scopeOfSession(session: SessionId): string {
  return SESSION_SCOPE_PREFIX + session;
}

/** The session that a gateway opens for one lock alone: the same for every repeat, another for every scope. */
export function implicitSession(lockId: LockId, scope: string): SessionId {
  return `${lockId}-${hashText(scope).toString(36)}` as SessionId;
}

/** The session whose register has this scope, or undefined. */
export function sessionOfScope(scope: string): SessionId | undefined {
  return scope.startsWith(SESSION_SCOPE_PREFIX)
    ? (scope.slice(SESSION_SCOPE_PREFIX.length) as SessionId)
    : undefined;
}

interface Watched extends Timed {
  readonly session: SessionId;
  /** Lock ids that live with the session, by scope: nearly always one; and scopes where it is the gateway's. */
  readonly locks: Map<string, LockId | Set<LockId>>;
  readonly waits: Set<string>;
  /** Since when it has seemed dead by this voter's own copy, and since when it is known to be. */
  suspectAt: number;
  deadAt: number;
  /** How many names it has, and had when those that are no more were last left out. */
  names: number;
  namesBefore: number;
}

export interface SessionsPort {
  readonly now: number;
  /** This voter's copy of a register, if it is in memory. */
  state(scope: string): LockState | undefined;
  /** When this voter's copy of the session's register runs out, by its clock; undefined if it does not hold. */
  ownCopyUntil(session: SessionId): number | undefined;
  /** This voter's place in the line of the scope, among those that look alive. */
  rank(scope: string): number;
  /** Asks a majority; the answer comes to `lookedUp`. */
  lookUp(session: SessionId): void;
  sweep(scope: string, session: SessionId): void;
}

export class Sessions {
  private readonly port: SessionsPort;
  private readonly watched = new Map<SessionId, Watched>();
  private readonly timers = new Heap<Watched>();

  constructor(port: SessionsPort) {
    this.port = port;
  }

  get nextWake(): number {
    return this.timers.firstAt;
  }

  /** The register was taken whole. */
  noteState(scope: string, state: LockState): void {
    for (const { session, lockId, unclaimed } of state.holders) {
      if (session !== null) this.noteLock(session, scope, lockId);
      if (unclaimed !== null) this.noteWait(unclaimed.gateway, scope);
    }
    for (const waiter of everybody(state.queue)) {
      if (waiter.session !== null) this.noteLock(waiter.session, scope, waiter.lockId);
      this.noteWait(waiter.gateway, scope);
    }
    for (const { session, lockId } of values(state.parked)) {
      if (session !== null) this.noteLock(session, scope, lockId);
    }
    if (state.upgrade !== null) this.noteWait(state.upgrade.gateway, scope);
  }

  noteEvents(scope: string, events: readonly LockEvent[]): void {
    for (const event of events) {
      switch (event.kind) {
        case 'granted':
          if (event.grant.session !== null) this.noteLock(event.grant.session, scope, event.grant.lockId);
          break;
        case 'queued': {
          const { session, lockId, gateway } = event.waiter;
          if (session !== null) this.noteLock(session, scope, lockId);
          this.noteWait(gateway, scope);
          break;
        }
        case 'moved':
          this.noteWait(event.gateway, scope);
          break;
        case 'upgrading':
          if (event.upgrade !== null) this.noteWait(event.upgrade.gateway, scope);
      }
    }
  }

  private noteLock(session: SessionId, scope: string, lockId: LockId): void {
    const watched = this.watch(session);
    const ids = watched.locks.get(scope);
    if (ids === undefined) watched.locks.set(scope, flat(lockId));
    else if (ids === lockId || (typeof ids !== 'string' && ids.has(lockId))) return;
    else if (typeof ids !== 'string') ids.add(flat(lockId));
    else watched.locks.set(scope, new Set([ids, flat(lockId)]));
    watched.names++;
  }

  /** The lock holds no more in this scope. */
  noteGone(session: SessionId, scope: string, lockId: LockId): void {
    const watched = this.watched.get(session);
    const ids = watched?.locks.get(scope);
    if (watched === undefined || ids === undefined) return;
    if (typeof ids === 'string') {
      if (ids !== lockId) return;
      watched.locks.delete(scope);
    } else if (!ids.delete(lockId)) return;
    else if (ids.size === 0) watched.locks.delete(scope);
    watched.names--;
  }

  private noteWait(session: SessionId, scope: string): void {
    const watched = this.watch(session);
    if (watched.waits.has(scope)) return;
    watched.waits.add(scope);
    watched.names++;
  }

  private watch(session: SessionId): Watched {
    let watched = this.watched.get(session);
    if (watched === undefined) {
      watched = {
        session: flat(session),
        locks: new Map(),
        waits: new Set(),
        suspectAt: NEVER,
        deadAt: NEVER,
        names: 0,
        namesBefore: 0,
        at: 0,
        slot: -1,
      };
      this.watched.set(watched.session, watched);
      this.timers.set(watched, this.port.now);
    } else if (watched.deadAt !== NEVER) this.timers.set(watched, this.port.now);
    return watched;
  }

  /** Its locks and places, as far as this voter's memory goes. */
  entriesOf(session: SessionId): SessionEntry[] {
    const entries: SessionEntry[] = [];
    const watched = this.watched.get(session);
    if (watched === undefined) return entries;
    this.prune(watched, (scope, lockId, state) =>
      entries.push({ scope, lockId, token: findGrant(state, lockId)?.token ?? NO_TOKEN }),
    );
    return entries;
  }

  /** Whether registers name it, and it is not known to be dead. */
  isAlive(session: SessionId): boolean {
    return this.watched.get(session)?.deadAt === NEVER;
  }

  /** The session's death is known to be chosen. */
  died(session: SessionId): void {
    const watched = this.watched.get(session);
    if (watched === undefined || watched.deadAt !== NEVER) return;
    watched.deadAt = this.port.now;
    this.timers.set(watched, this.port.now);
  }

  /** What a majority says of a session. */
  lookedUp(session: SessionId, ttlMs: number | undefined): void {
    const watched = this.watched.get(session);
    if (watched === undefined) return;
    if (ttlMs === undefined) this.died(session);
    else {
      watched.suspectAt = NEVER;
      this.timers.set(watched, this.port.now + ttlMs);
    }
  }

  wake(): void {
    for (;;) {
      const watched = this.timers.pop(this.port.now);
      if (watched === undefined) return;
      this.look(watched);
    }
  }

  private look(watched: Watched): void {
    const { session } = watched;
    const { now } = this.port;
    if (watched.deadAt !== NEVER) {
      this.sweep(watched);
      return;
    }
    const until = this.port.ownCopyUntil(session);
    if (until !== undefined && until > now) {
      watched.suspectAt = NEVER;
      if (watched.names > 2 * watched.namesBefore + NAMES_SPARE) this.prune(watched);
      this.timers.set(watched, until + SESSION_SLACK_MS);
      return;
    }
    if (!this.prune(watched)) {
      this.watched.delete(session);
      return;
    }
    if (watched.suspectAt === NEVER) watched.suspectAt = now;
    const askAt = watched.suspectAt + this.port.rank(scopeOfSession(session)) * LINE_STEP_MS;
    if (askAt <= now) this.port.lookUp(session);
    this.timers.set(watched, askAt <= now ? now + LINE_STEP_MS : askAt);
  }

  /** Each scope's home sweeps at once, the i-th in line i steps later. */
  private sweep(watched: Watched): void {
    const { session, deadAt } = watched;
    const { now } = this.port;
    if (!this.prune(watched)) {
      this.watched.delete(session);
      return;
    }
    for (const scope of new Set([...watched.locks.keys(), ...watched.waits])) {
      if (deadAt + this.port.rank(scope) * LINE_STEP_MS <= now) this.port.sweep(scope, session);
    }
    this.timers.set(watched, now + LINE_STEP_MS);
  }

  /**
   * Leaves out what registers name no more; what is not in memory is free, and names nobody.
   * @param left told of each lock or place that is left. @returns whether anything is.
   */
  private prune(watched: Watched, left?: (scope: string, lockId: LockId, state: LockState) => void): boolean {
    const { session, locks, waits } = watched;
    let names = 0;
    for (const [scope, ids] of locks) {
      const state = this.port.state(scope);
      let here = 0;
      for (const lockId of idsOf(ids)) {
        if (state !== undefined && isSessionHere(state, lockId, session)) {
          here++;
          left?.(scope, lockId, state);
        } else if (typeof ids !== 'string') ids.delete(lockId);
      }
      if (here === 0) locks.delete(scope);
      names += here;
    }
    for (const scope of waits) {
      const state = this.port.state(scope);
      if (state === undefined || !isNamedAt(state, session)) waits.delete(scope);
    }
    watched.names = names + waits.size;
    watched.namesBefore = watched.names;
    return watched.names > 0;
  }
}

function idsOf(ids: LockId | Set<LockId>): Iterable<LockId> {
  return typeof ids === 'string' ? [ids] : ids;
}
