/**
 * State of one scope: who holds it, the last fencing token, and the lock ids that ended lately.
 * Always true: `token` is at least every token in `holders`; no lock id is both held and retired; `retired`
 * holds the newest `min(retirements, RETIRED_RING)` retirements, oldest first.
 * Values are immutable and shared between states. Knows nothing of votes, clocks or machines.
 */

/** A number, per scope, larger at every grant, for ever. Guarded resources compare it. */
export type FencingToken = number & { readonly brand: 'FencingToken' };

/** Names the change that set a lease (the stamp of that change), never a counter: counters recur. */
export type LeaseId = string & { readonly brand: 'LeaseId' };

/** UUID of one acquisition, also its idempotency key. */
export type LockId = string & { readonly brand: 'LockId' };

/** How a scope is held. Readers and permits arrive with the queue. */
export type Mode = 'write';

/** A lease of this many milliseconds never expires (`timeout: "none"`). */
export const NO_EXPIRY = 0;

/** How many ended lock ids a scope remembers (L4). */
export const RETIRED_RING = 64;

/** One holder of the scope. */
export interface Grant {
  readonly lockId: LockId;
  readonly holder: string;
  /** Whether the client chose the holder name; if not, the scope alone may release the lock (L6). */
  readonly named: boolean;
  readonly mode: Mode;
  readonly token: FencingToken;
  /** Milliseconds, or NO_EXPIRY. */
  readonly leaseMs: number;
  readonly leaseId: LeaseId;
  /** Wall clock of the gateway, milliseconds since 1970: shown to people, read by no rule (L8). */
  readonly at: number;
}

/** Why a lock id can never be granted again. */
export type Ending = 'released' | 'expired' | 'cancelled';

/** A lock id that ended, and the token that it had (0 if it never held). */
export interface Retired {
  readonly lockId: LockId;
  readonly ending: Ending;
  readonly token: FencingToken;
}

/** Everything that is replicated about one scope. */
export interface LockState {
  readonly token: FencingToken;
  readonly holders: readonly Grant[];
  readonly retired: readonly Retired[];
  /** How many lock ids were ever retired; tells how far back `retired` reaches. */
  readonly retirements: number;
}

/** A scope that nobody ever touched. */
export const EMPTY: LockState = {
  token: 0 as FencingToken,
  holders: [],
  retired: [],
  retirements: 0,
};

/** The grant under this lock id, or undefined. */
export function findGrant(state: LockState, lockId: LockId): Grant | undefined {
  for (const grant of state.holders) if (grant.lockId === lockId) return grant;
  return undefined;
}

/** The retirement of this lock id, if the ring still remembers it. Newest first: repeats come soon. */
export function findRetired(state: LockState, lockId: LockId): Retired | undefined {
  for (let i = state.retired.length - 1; i >= 0; i--) {
    const entry = state.retired[i]!;
    if (entry.lockId === lockId) return entry;
  }
  return undefined;
}
