/**
 * The messages of the vote. Each is about one scope; mesh id and epoch stand on the frame that carries them, and
 * a frame of another mesh or epoch is refused whole.
 * `seq` counts the sends of one ballot: an answer to `seq` proves that the voter held that ballot after that
 * send left, which an answer that names only the version could not tell from a late duplicate.
 */
import type { LockEvent } from '../lock/event.ts';
import type { LeaseId, LockId, LockState } from '../lock/state.ts';
import type { Ballot, Stamp } from './ballot.ts';

export interface Prepare {
  readonly kind: 'prepare';
  readonly scope: string;
  readonly ballot: Ballot;
}

/** The voter joins the ballot; `accepted` (version 0: nothing yet) is its newest state, flushed or not. */
export interface Promised {
  readonly kind: 'promised';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly accepted: Ballot;
  readonly version: number;
  readonly state: LockState;
}

/** The voter has promised more than `ballot`. */
export interface Nack {
  readonly kind: 'nack';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly promised: Ballot;
}

/**
 * Asks to accept (ballot, version). Carries the state, or the events that lead to it from (ballot, version-1),
 * or neither when the voter should hold it already (a probe: is this ballot still yours?).
 */
export interface Accept {
  readonly kind: 'accept';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly version: number;
  readonly seq: number;
  readonly events: readonly LockEvent[] | null;
  readonly state: LockState | null;
  /** What the events lead to: only in what a peer sends itself. */
  readonly after?: LockState;
}

/** Flushed, and the ballot was still the voter's when it took `seq`. */
export interface Accepted {
  readonly kind: 'accepted';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly seq: number;
  /** Somebody watches the scope at this voter: it wants to be told what is chosen. Absent if nobody does. */
  readonly watching?: true;
}

/** A majority has accepted (ballot, version): what the voter has accepted of that ballot so far may be told. */
export interface Chosen {
  readonly kind: 'chosen';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly version: number;
}

/** The voter lacks the state that the events or the probe build on. */
export interface Gap {
  readonly kind: 'gap';
  readonly scope: string;
  readonly ballot: Ballot;
  readonly seq: number;
}

/** Asks for what a voter has, without a promise: to read (V7) or to learn ages (T3). */
export interface Ask {
  readonly kind: 'ask';
  readonly scope: string;
  readonly ask: number;
}

export interface Report {
  readonly kind: 'report';
  readonly scope: string;
  readonly ask: number;
  readonly promised: Ballot;
  readonly accepted: Stamp;
  readonly flushed: boolean;
  /** Leases that have run out by this voter's own clock. */
  readonly overdue: readonly (readonly [LockId, LeaseId])[];
  /** Milliseconds until the next lease runs out by this voter's clock; -1 if none will. */
  readonly dueMs: number;
}

export type VoteMessage = Prepare | Promised | Nack | Accept | Accepted | Gap | Ask | Report | Chosen;
