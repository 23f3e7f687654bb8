/**
 * What a peer may ask of one scope, and what it is told.
 * Always true: a command that acts on a lock names its lock id (L6): the gateway has turned scope or holder
 * name into one before, so that a command delayed on its way can never hit a later holder. `at` is a wall clock,
 * for people only (L8).
 */
import type { Claimant, Ending, FencingToken, Grant, LeaseId, LockId, Mode, SessionId } from './state.ts';

export interface Acquire extends Claimant {
  readonly kind: 'acquire';
  readonly mode: Mode;
  /** Milliseconds, or NO_EXPIRY. */
  readonly leaseMs: number;
  /** Whether to wait in the queue; else the answer is granted or busy. */
  readonly wait: boolean;
  readonly claimMs: number;
  readonly gateway: SessionId;
  /** How many times the client had sent this before. */
  readonly repeat: number;
  /** The gateway asks again of itself: it takes up a kept place, but moves nobody who waits elsewhere by now (T6). */
  readonly again: boolean;
  /** The count of retirements that the gateway last saw for this scope (L4). */
  readonly seen: number;
  readonly at: number;
}

/** The gateway has a client for what was promoted: its lease begins (T4). */
export interface Claim {
  readonly kind: 'claim';
  readonly lockId: LockId;
  readonly gateway: SessionId;
  readonly at: number;
}

export interface Release {
  readonly kind: 'release';
  readonly lockId: LockId;
  /** Only while it is unclaimed at this gateway, which cannot deliver it (T4). */
  readonly gateway: SessionId | null;
  readonly force: Force | null;
  readonly at: number;
}

/** Who takes a lock from its holder, and why. */
export interface Force {
  readonly by: string;
  readonly reason: string;
}

export interface Extend {
  readonly kind: 'extend';
  readonly lockId: LockId;
  /** Milliseconds, or NO_EXPIRY. Never shortens a lease, except the one that `replaces` names. */
  readonly leaseMs: number;
  /** The lease that the holder has already stopped counting on; only that one may be shortened. */
  readonly replaces: LeaseId | null;
  /** Of a session: whether the answer shall list its locks and places. There may be very many. */
  readonly list?: boolean;
}

/** Changes how a lock is held (L9). */
export interface Convert {
  readonly kind: 'convert';
  readonly lockId: LockId;
  readonly mode: Mode;
  /** The token held; under another one the command is late and changes nothing. */
  readonly token: FencingToken;
  /** Whether to wait until it holds alone. */
  readonly wait: boolean;
  readonly gateway: SessionId;
  readonly at: number;
}

/** Makes sure that a lock id is not granted later; leaves a lock that was granted already. */
export interface Cancel {
  readonly kind: 'cancel';
  readonly lockId: LockId;
  /** Only while it waits at this gateway; null: wherever it waits. */
  readonly gateway: SessionId | null;
  /** Gives up the wait for an upgrade from this token, and keeps the lock; 0: it is no upgrade. */
  readonly token: FencingToken;
  readonly at: number;
}

/** The client of a waiter is away; its place is kept, and nothing granted to it (T4). */
export interface Park {
  readonly kind: 'park';
  readonly lockId: LockId;
  readonly gateway: SessionId;
  readonly at: number;
}

/** Gives up a place that was kept for long enough. */
export interface Reap {
  readonly kind: 'reap';
  readonly lockId: LockId;
  readonly at: number;
}

/** Ends a lease that a majority has seen run out (T3); an older lease id changes nothing. */
export interface Expire {
  readonly kind: 'expire';
  readonly lockId: LockId;
  readonly leaseId: LeaseId;
  readonly at: number;
}

/** The session is dead: ends what lived with it, parks what waited at it (T5, T6). */
export interface Sweep {
  readonly kind: 'sweep';
  readonly session: SessionId;
  readonly at: number;
}

/** Changes nothing and is told the state. */
export interface Read {
  readonly kind: 'read';
}

/** Changes nothing and is told who waits at this gateway, and what is unclaimed there. */
export interface Look {
  readonly kind: 'look';
  readonly gateway: SessionId;
}

export type Command =
  | Acquire
  | Claim
  | Release
  | Extend
  | Convert
  | Cancel
  | Park
  | Reap
  | Expire
  | Sweep
  | Read
  | Look;

/** What a command came to. */
export type Outcome =
  /** The lock id holds the scope; `repeat` if it did before this command (a claim is none). */
  | { readonly kind: 'granted'; readonly grant: Grant; readonly repeat: boolean }
  /** The holder name holds the scope under another lock id (L5). */
  | { readonly kind: 'already_held'; readonly grant: Grant }
  /** It waits: so many are ahead, and one more than that is its position. */
  | { readonly kind: 'queued'; readonly position: number }
  /** It waits, but at another gateway, where its client asked later or this gateway did not ask on its behalf. */
  | { readonly kind: 'elsewhere'; readonly position: number }
  /** A reader that waits to be the only one (L9). */
  | { readonly kind: 'upgrading'; readonly grant: Grant }
  /** Two would wait for each other: the holder name reads and wants to write, or two readers do (L5, L9). */
  | { readonly kind: 'deadlock'; readonly grant: Grant }
  /** The lock id belongs to somebody else's acquisition, or to another session's. */
  | { readonly kind: 'mismatch' }
  /** The scope is a semaphore of so many permits at present; 0: it is a lock. Or it can't be converted (L10). */
  | { readonly kind: 'misfit'; readonly permits: number }
  /** Not granted, and not waiting; `position` is where it would have waited. */
  | { readonly kind: 'busy'; readonly position: number }
  /** The scope admits no more waiters. */
  | { readonly kind: 'full' }
  /** The command is older than what the scope remembers (L4): send it anew if it is still wanted. */
  | { readonly kind: 'stale' }
  /** The lock id was retired, for this reason, and never grants again. */
  | {
      readonly kind: 'ended';
      readonly ending: Ending;
      readonly token: FencingToken;
      readonly note: string | null;
    }
  | { readonly kind: 'released'; readonly token: FencingToken; readonly repeat: boolean }
  | { readonly kind: 'extended'; readonly grant: Grant }
  /** Held in the wanted mode; `repeat` if it was before this command. */
  | { readonly kind: 'converted'; readonly grant: Grant; readonly repeat: boolean }
  /** The lock has another token than the command names. */
  | { readonly kind: 'outdated'; readonly grant: Grant }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'parked' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'swept' }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'state' };
