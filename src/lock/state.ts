/**
 * State of one scope: who holds it, who waits, the last fencing token, and the lock ids that ended lately.
 * Always true: `token` is at least every token in `holders`; a lock id is in at most one of holders, queue, parked
 * and retired; holders are readers, or one writer, or have distinct slots of one semaphore; all who hold, wait or are
 * parked have the same `permits`; whoever is next in the queue could not be granted now;
 * `retired` holds the newest `min(retirements, RETIRED_RING)` retirements, oldest first.
 * Values are immutable and shared between states. Knows nothing of votes, clocks or machines.
 */
import { NOBODY, type Queue } from './queue.ts';
import { Ring } from './ring.ts';
import { first, get, type Tree } from './tree.ts';

/** A number, per scope, larger at every grant, for ever. Guarded resources compare it. */
export type FencingToken = number & { readonly brand: 'FencingToken' };

/** No grant ever had this token. */
export const NO_TOKEN = 0 as FencingToken;

/** Names the change that set a lease (the stamp of that change), never a counter: counters recur. */
export type LeaseId = string & { readonly brand: 'LeaseId' };

/** UUID of one acquisition, also its idempotency key. */
export type LockId = string & { readonly brand: 'LockId' };

/** A client's session, or that of a gateway under which it keeps the places of its clients. */
export type SessionId = string & { readonly brand: 'SessionId' };

/** How a scope is held; a permit is one of a semaphore's (L10). */
export type Mode = 'write' | 'read' | 'permit';

/** How a lock is held. */
export type LockMode = Exclude<Mode, 'permit'>;

export type Priority = 'high' | 'normal' | 'low';

/** A lease of this many milliseconds never expires (`timeout: "none"`). */
export const NO_EXPIRY = 0;

/** Waiters, parked places and unclaimed promotions that one scope admits. */
export const WAITERS_MAX = 20_000;

/** Readers of one scope at a time. */
export const HOLDERS_MAX = 20_000;

/** Permits of one semaphore. */
export const PERMITS_MAX = 1_024;

/** How a scope is to be held. */
export type Wish = Pick<Claimant, 'permits'> & { readonly mode: Mode };

/** What one acquisition wants, and for whom: carried by who waits and by who holds. */
export interface Claimant {
  readonly lockId: LockId;
  readonly holder: string;
  /** Whether the client chose the holder name; if not, the scope alone may release the lock (L6). */
  readonly named: boolean;
  readonly priority: Priority;
  /** Why, for people. */
  readonly reason: string | null;
  /** The session of the client's that this lives and dies with. */
  readonly session: SessionId | null;
  /** That session's time to live in milliseconds, for people; 0 without a session. */
  readonly ttlMs: number;
  /** How many may hold the scope, if it is a semaphore (mode `permit`); 0 if it is a lock (L10). */
  readonly permits: number;
}

/** One who waits. */
export interface Waiter extends Claimant {
  readonly mode: Mode;
  /** The lease that is wanted: milliseconds, or NO_EXPIRY. */
  readonly leaseMs: number;
  /** How long the claim of a promotion may take (T4), in milliseconds. */
  readonly claimMs: number;
  /** The session of the gateway where the client waits (T6). */
  readonly gateway: SessionId;
  /** Which of the client's repeats put it there; a lower one moves nothing. */
  readonly repeat: number;
  /** Wall clock of the gateway when it asked, milliseconds since 1970: for people (L8). */
  readonly at: number;
  /** Its place in the order of arrival. */
  readonly arrival: number;
}

/** One holder of the scope. */
export interface Grant extends Claimant {
  readonly mode: Mode;
  readonly token: FencingToken;
  /** Which permit of a semaphore it is, from 0: guards compare tokens per slot. 0 for locks. */
  readonly slot: number;
  /** The token before the last conversion, 0 if there was none (L9). */
  readonly former: FencingToken;
  /** Milliseconds, or NO_EXPIRY. */
  readonly leaseMs: number;
  readonly leaseId: LeaseId;
  /** Wall clock of a gateway, milliseconds since 1970: shown to people, read by no rule (L8). */
  readonly at: number;
  /** Who it was as a waiter, until the promotion is claimed; nobody believes in the lock before (T4). */
  readonly unclaimed: Waiter | null;
}

/** A grant as it begins. Written out, for objects that are made by spreading are slow to make and larger. */
export function newGrant(
  { lockId, holder, named, priority, reason, session, ttlMs, permits }: Claimant,
  mode: Mode,
  token: FencingToken,
  slot: number,
  leaseMs: number,
  leaseId: LeaseId,
  at: number,
  unclaimed: Waiter | null,
): Grant {
  return {
    lockId,
    holder,
    named,
    priority,
    reason,
    session,
    ttlMs,
    permits,
    mode,
    token,
    slot,
    former: NO_TOKEN,
    leaseMs,
    leaseId,
    at,
    unclaimed,
  };
}

/** A reader among several that waits to be the only one, and will then write (L9). */
export interface Upgrade {
  readonly lockId: LockId;
  /** The session of the gateway where its client waits. */
  readonly gateway: SessionId;
}

/** Why a lock id can never be granted again. */
export type Ending = 'released' | 'expired' | 'cancelled' | 'crashed' | 'forced';

/** A lock id that ended, and the token that it had (0 if it never held). */
export interface Retired {
  readonly lockId: LockId;
  readonly ending: Ending;
  readonly token: FencingToken;
  /** Who forced it and why, for people; null for all other endings. */
  readonly note: string | null;
}

/** Everything that is replicated about one scope. */
export interface LockState {
  readonly token: FencingToken;
  readonly holders: readonly Grant[];
  readonly queue: Queue;
  /** Places kept for clients that are away: not granted, until they ask again. */
  readonly parked: Tree<string, Waiter>;
  readonly upgrade: Upgrade | null;
  /** How many ever came to wait, or were granted ahead of somebody who waits. */
  readonly arrivals: number;
  readonly retired: Ring;
  /** How many lock ids were ever retired; tells how far back `retired` reaches. */
  readonly retirements: number;
}

/** A scope that nobody ever touched. */
export const EMPTY: LockState = {
  token: NO_TOKEN,
  holders: [],
  queue: NOBODY,
  parked: undefined,
  upgrade: null,
  arrivals: 0,
  retired: Ring.EMPTY,
  retirements: 0,
};

/** The grant under this lock id, or undefined. */
export function findGrant(state: LockState, lockId: LockId): Grant | undefined {
  for (const grant of state.holders) if (grant.lockId === lockId) return grant;
  return undefined;
}

/** The place that is kept under this lock id, or undefined. */
export function findParked(state: LockState, lockId: LockId): Waiter | undefined {
  return get(state.parked, lockId);
}

/** Whether nobody holds, waits or is kept a place. */
export function isFree(state: LockState): boolean {
  return state.holders.length === 0 && state.queue === NOBODY && state.parked === undefined;
}

/** Whether there is room for one more beside so many holders of that mode (L1, L10); undefined: of none. */
export function hasRoom(wish: Wish, mode: Mode | undefined, holders: number): boolean {
  if (mode === undefined) return true;
  if (mode !== wish.mode || mode === 'write') return false;
  return holders < (mode === 'read' ? HOLDERS_MAX : wish.permits);
}

/** The permits that all who hold, wait or are parked have; undefined if nobody does: whoever comes sets them (L10). */
export function permitsOf(state: LockState): number | undefined {
  return (state.holders[0] ?? first(state.queue.byId) ?? first(state.parked))?.permits;
}

/** The slots that are taken. */
export function slotsOf(holders: readonly Grant[]): Set<number> {
  return new Set(holders.map(({ slot }) => slot));
}

/** Takes the lowest slot that is free. */
export function takeSlot(taken: Set<number>): number {
  let slot = 0;
  while (taken.has(slot)) slot++;
  taken.add(slot);
  return slot;
}
