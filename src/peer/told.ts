/**
 * What a watcher is told of a scope.
 * Always true: a fact is part of what is chosen, and nothing in it is made up: what is not known is null.
 */
import type { Ending, FencingToken, Grant, LockId, LockState, Waiter } from '../lock/state.ts';
import type { Ballot } from '../vote/ballot.ts';

export type FactKind =
  /** Granted as it asked. */
  | 'granted'
  | 'queued'
  /** A waiter was granted. Where its grant is `unclaimed`, its client has yet to take it. */
  | 'promoted'
  /** A promotion was claimed. */
  | 'claimed'
  | 'extended'
  | 'converted'
  /** A reader waits to be the only one, and then writes; or it does no longer, and still reads. */
  | 'upgrading'
  | 'stays'
  /** It left the queue, or was not claimed: its place is kept for a while. */
  | 'kept'
  /** It holds and waits no more. */
  | 'ended';

/** One thing that happened to one lock id. */
export interface Fact {
  readonly kind: FactKind;
  readonly lockId: LockId;
  /** 0: it never held. */
  readonly token: FencingToken;
  /** The lock or the place after it, for an ending before it; null: both came and went unseen, or there was none. */
  readonly of: Grant | Waiter | null;
  /** Of an ending; null: the scope has forgotten. */
  readonly ending: Ending | null;
  /** Who forced it and why. */
  readonly note: string | null;
}

/** What one chosen change did, or several that this peer did not see one by one. */
export interface News {
  readonly scope: string;
  /** The stamp of the (last) change. */
  readonly ballot: Ballot;
  readonly version: number;
  /** In the order in which it happened, or may have happened. */
  readonly facts: readonly Fact[];
  /** Found by comparing two states: what came and went between them may be missing, or known by its end only. */
  readonly compared: boolean;
  /** Not null: a watch begins, with this state; it is told all that is chosen from here on. */
  readonly begins: LockState | null;
}

export function isGrant(of: Grant | Waiter): of is Grant {
  return 'leaseId' in of;
}

/** @param token 0: it does not hold. */
export function factOf(kind: FactKind, of: Grant | Waiter): Fact {
  const token = isGrant(of) ? of.token : (0 as FencingToken);
  return { kind, lockId: of.lockId, token, of, ending: null, note: null };
}
