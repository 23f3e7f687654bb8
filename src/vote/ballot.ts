/**
 * Ballots and stamps.
 * Always true: ballots are totally ordered by (round, peer, boot) and no ballot is used twice: a peer raises the
 * round for each attempt at one scope, and `boot` is new at each start, before the peer speaks. A stamp
 * (ballot, version) orders the accepted states of one register and has one content, for ever.
 */
import type { LeaseId } from '../lock/state.ts';

export interface Ballot {
  readonly round: number;
  /** Identity of the proposing peer. */
  readonly peer: string;
  /** A durable counter plus random bits, new at each start of that peer. */
  readonly boot: number;
}

export interface Stamp {
  readonly ballot: Ballot;
  readonly version: number;
}

/** Below every ballot that is ever used. */
export const NO_BALLOT: Ballot = { round: 0, peer: '', boot: 0 };

/** Greater than every identity: those are made of hexadecimal digits. */
const INFINITE_PEER = '~';

/** The ballot above all those of this round: what a restarted acceptor has promised at least (V8). */
export function endOfRound(round: number): Ballot {
  return { round, peer: INFINITE_PEER, boot: Number.MAX_SAFE_INTEGER };
}

/** Whether a promise comes from a restart's horizon, not from a rival proposer. */
export function isEndOfRound(ballot: Ballot): boolean {
  return ballot.peer === INFINITE_PEER;
}

/** Negative if a < b, 0 if equal, positive if a > b. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.round !== b.round) return a.round - b.round;
  if (a.peer !== b.peer) return a.peer < b.peer ? -1 : 1;
  return a.boot - b.boot;
}

export function sameBallot(a: Ballot, b: Ballot): boolean {
  return a.round === b.round && a.boot === b.boot && a.peer === b.peer;
}

export function maxBallot(a: Ballot, b: Ballot): Ballot {
  return compareBallots(a, b) >= 0 ? a : b;
}

/** Negative if the stamp (a, va) is older than (b, vb), 0 if they are the same. */
export function compareStamps(a: Ballot, va: number, b: Ballot, vb: number): number {
  return compareBallots(a, b) || va - vb;
}

/** The lease id of a lease that the change with this stamp sets. */
export function leaseIdOf(ballot: Ballot, version: number): LeaseId {
  return `${ballot.round}.${ballot.peer}.${ballot.boot.toString(36)}.${version}` as LeaseId;
}
