/**
 * What a peer may ask of one scope, and what it is told.
 * Always true: a command that acts on a lock names its lock id (L6): the gateway has turned scope or holder
 * name into one before, so that a command delayed on its way can never hit a later holder.
 */
import type { Ending, FencingToken, Grant, LeaseId, LockId, Mode } from './state.ts';

export interface Acquire {
  readonly kind: 'acquire';
  readonly lockId: LockId;
  readonly holder: string;
  readonly named: boolean;
  readonly mode: Mode;
  /** Milliseconds, or NO_EXPIRY. */
  readonly leaseMs: number;
  /** The count of retirements that the gateway last saw for this scope (L4). */
  readonly seen: number;
  /** Wall clock of the gateway, for people only (L8). */
  readonly at: number;
}

export interface Release {
  readonly kind: 'release';
  readonly lockId: LockId;
}

export interface Extend {
  readonly kind: 'extend';
  readonly lockId: LockId;
  /** Milliseconds, or NO_EXPIRY. Never shortens a lease, except the one that `replaces` names. */
  readonly leaseMs: number;
  /** The lease that the holder has already stopped counting on; only that one may be shortened. */
  readonly replaces: LeaseId | null;
}

/** Makes sure that a lock id is not granted later; leaves a lock that was granted already. */
export interface Cancel {
  readonly kind: 'cancel';
  readonly lockId: LockId;
}

/** Ends a lease that a majority has seen run out (T3); an older lease id changes nothing. */
export interface Expire {
  readonly kind: 'expire';
  readonly lockId: LockId;
  readonly leaseId: LeaseId;
}

/** Changes nothing and is told the state. */
export interface Read {
  readonly kind: 'read';
}

export type Command = Acquire | Release | Extend | Cancel | Expire | Read;

/** What a command came to. */
export type Outcome =
  /** The lock id holds the scope; `repeat` if it did before this command. */
  | { readonly kind: 'granted'; readonly grant: Grant; readonly repeat: boolean }
  /** The holder name holds the scope under another lock id (L5). */
  | { readonly kind: 'already_held'; readonly grant: Grant }
  /** The lock id belongs to somebody else's acquisition. */
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'busy' }
  /** The command is older than what the scope remembers (L4): send it anew if it is still wanted. */
  | { readonly kind: 'stale' }
  /** The lock id was retired, for this reason, and never grants again. */
  | { readonly kind: 'ended'; readonly ending: Ending; readonly token: FencingToken }
  | { readonly kind: 'released'; readonly token: FencingToken; readonly repeat: boolean }
  | { readonly kind: 'extended'; readonly grant: Grant }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'state' };
