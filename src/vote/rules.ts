/**
 * The rules of the vote that safety was seen to hang on, each one a function of its own: the mesh is given
 * these, and the simulator shows for each that a mesh which is given a wrong one is caught.
 * Nothing else may be passed here: no option, flag or file reaches these functions.
 */

import type { Command } from '../lock/command.ts';
import { type Decision, decide } from '../lock/decide.ts';
import type { LockEvent } from '../lock/event.ts';
import { SESSION_SCOPE_PREFIX } from '../lock/plain.ts';
import type { LeaseId, LockState } from '../lock/state.ts';
import { promisedAfterRestart, promisedOf, type Register, type StoredRegister } from './acceptor.ts';
import { type Ballot, compareBallots, leaseIdOf, maxBallot } from './ballot.ts';
import type { Promised } from './messages.ts';

export interface VoteRules {
  /** The rules of one scope (L1 to L8). */
  decide(state: LockState, command: Command, leaseId: LeaseId): Decision;
  /** A lease is named by the stamp of the change that set it: a counter would recur. */
  leaseId(ballot: Ballot, version: number): LeaseId;
  /** V1: a promise tells the newest accepted state, flushed or not. */
  promised(
    scope: string,
    register: Register,
    ballot: Ballot,
    flushed: () => StoredRegister | undefined,
  ): Promised;
  /** V2: accepted is said once the state that it covers is flushed. */
  mayAnswer(scope: string, register: Register, flushed: boolean): boolean;
  /** T5: a session's sign of life, in the ballot that is on disk, may be accepted unflushed. */
  mayStayUnflushed(scope: string, events: readonly LockEvent[]): boolean;
  /** T5: whether a session that seems dead by this voter's own copy is taken for dead without asking a majority. */
  trustsOwnCopy(): boolean;
  /** V4: what a stamp contains is fixed when it is first sent, to itself included: the next change is a new one. */
  nextVersion(sent: number, heldByOthers: boolean): number;
  /** V4: a command that changes nothing waits for votes of its own. */
  confirmsUnchanged(): boolean;
  /** Watchers are told what a majority has accepted, not what was merely sent. */
  toldAsChosen(chosen: number, sent: number): number;
  /** A state that came whole is compared with what watchers were told: what was accepted before may not be in it. */
  skipsUnchosen(): boolean;
  /** Whether a watching voter asks the others when it may have missed something: a message can be lost. */
  makesSure(): boolean;
  /** V8: after a restart every register has promised all rounds up to the horizon. */
  promisedAfterRestart(stored: StoredRegister | undefined, floor: Ballot): Ballot;
  /** G2: a free scope leaves memory once it is flushed and its promise is no more than a reload would give it. */
  mayForget(register: Register, flushed: boolean, floor: Ballot): boolean;
}

export const VOTE_RULES: VoteRules = {
  decide,
  leaseId: leaseIdOf,
  promised: (scope, register, ballot) => promisedOf(scope, register, ballot),
  mayAnswer: (_scope, _register, flushed) => flushed,
  mayStayUnflushed: (scope, events) =>
    scope.startsWith(SESSION_SCOPE_PREFIX) && events.every(({ kind }) => kind === 'extended'),
  trustsOwnCopy: () => false,
  nextVersion: (sent) => sent + 1,
  confirmsUnchanged: () => true,
  toldAsChosen: (chosen) => chosen,
  skipsUnchosen: () => true,
  makesSure: () => true,
  promisedAfterRestart,
  mayForget: (register, flushed, floor) =>
    flushed && compareBallots(register.promised, maxBallot(floor, register.ballot)) <= 0,
};
