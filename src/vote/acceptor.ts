/**
 * Acceptor: the memory of one register; there is one register per scope and voter.
 * Always true: `promised` never falls while the peer runs; `accepted <= promised`; a stamp has one content;
 * nothing says `accepted` for a state that is not flushed. Knows nothing of sockets and disks: `now` comes in,
 * and who calls sees to the flush (writes) and sends the replies.
 *
 *   row  on               guard                                     next                        reply
 *   A    prepare b        b <= promised                             -                           nack
 *   B    prepare b        round of b beyond the horizon             -                           wait for the horizon
 *   C    prepare b        otherwise                                 promised = b                promised
 *   D    accept b v s     b < promised                              -                           nack
 *   E    accept b v s     round of b beyond the horizon             -                           wait for the horizon
 *   F    accept b v s     b = accepted ballot, v <= its version     promised = b                accepted, once flushed
 *   G    accept b v s     state given                               promised, accepted = b v    accepted, once flushed
 *   H    accept b v s     events, and accepted is (b, v-1)          promised, accepted = b v    accepted, once flushed
 *   I    accept b v s     otherwise                                 promised = b                gap
 *   J    ask              always                                    -                           report
 *
 * Source: D. Rystsov, "CASPaxos: Replicated State Machines without logs" (2018); kept ballots and versions after
 * J. Skrzypczak et al., "RMWPaxos" (2020).
 */
import { evolveAll, type LockEvent } from '../lock/event.ts';
import { EMPTY, type LeaseId, type LockId, type LockState, NO_EXPIRY } from '../lock/state.ts';
import { type Ballot, compareBallots, maxBallot, NO_BALLOT, sameBallot } from './ballot.ts';
import { LEASE_MARGIN } from './limits.ts';
import type { Accept, Ask, Nack, Prepare, Promised, Report } from './messages.ts';

/** What is kept on disk of a register: its newest accepted state. */
export interface StoredRegister {
  readonly ballot: Ballot;
  readonly version: number;
  readonly state: LockState;
}

/** What goes to disk of a register in one flush. */
export interface RegisterWrite {
  readonly register: StoredRegister;
  /**
   * The events that lead from what was written last, which had the same ballot and the version `from`, to this
   * register; null if there is no such past: then it must be written whole.
   */
  readonly events: readonly LockEvent[] | null;
  readonly from: number;
}

/** A voter's memory of one scope. */
export interface Register {
  promised: Ballot;
  /** Newest accepted stamp and state; version 0 and NO_BALLOT until something was accepted. */
  ballot: Ballot;
  version: number;
  state: LockState;
  /** When this voter first accepted each holder's (lock id, lease id), by its own clock; beside `state.holders`. */
  noted: readonly number[];
  /** The write that carries the newest state to disk; flushed once the peer's flushed position reaches it. */
  write: number;
}

export type Row = 'A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J';

/** A register as it is after a start: what is on disk, promised at least what the rule V8 demands. */
export function loadRegister(stored: StoredRegister | undefined, promised: Ballot, now: number): Register {
  const state = stored?.state ?? EMPTY;
  return {
    promised,
    ballot: stored?.ballot ?? NO_BALLOT,
    version: stored?.version ?? 0,
    state,
    noted: state.holders.map(() => now),
    write: 0,
  };
}

/** V8: what a register has promised after a restart, given the durable horizon of that start. */
export function promisedAfterRestart(stored: StoredRegister | undefined, floor: Ballot): Ballot {
  return stored === undefined ? floor : maxBallot(floor, stored.ballot);
}

/** Which row applies to a prepare. */
export function rowOfPrepare(register: Register, message: Prepare, horizon: number): Row {
  if (compareBallots(message.ballot, register.promised) <= 0) return 'A';
  return message.ballot.round > horizon ? 'B' : 'C';
}

/** Which row applies to an accept. */
export function rowOfAccept(register: Register, message: Accept, horizon: number): Row {
  if (compareBallots(message.ballot, register.promised) < 0) return 'D';
  if (message.ballot.round > horizon) return 'E';
  const sameAccepted = sameBallot(message.ballot, register.ballot);
  if (sameAccepted && message.version <= register.version) return 'F';
  if (message.state !== null) return 'G';
  if (message.events !== null && sameAccepted && message.version === register.version + 1) return 'H';
  return 'I';
}

/** Carries out rows C, F, G, H and I: the register's own change. The reply is the caller's. */
export function applyAccept(register: Register, message: Accept, row: Row, now: number): void {
  register.promised = message.ballot;
  if (row !== 'G' && row !== 'H') return;
  const state = row === 'G' ? message.state! : (message.after ?? evolveAll(register.state, message.events!));
  register.noted = noteAges(register.state, register.noted, state, now);
  register.ballot = message.ballot;
  register.version = message.version;
  register.state = state;
}

const NOBODY_NOTED: readonly number[] = [];

/** T2: a lease that was known keeps the moment of its first acceptance, a new one is noted now. */
function noteAges(
  before: LockState,
  noted: readonly number[],
  after: LockState,
  now: number,
): readonly number[] {
  if (before.holders === after.holders) return noted;
  if (after.holders.length === 0) return NOBODY_NOTED;
  if (before.holders.length === 0) return after.holders.map(() => now);
  const known = new Map<LockId, number>();
  for (let i = 0; i < before.holders.length; i++) known.set(before.holders[i]!.lockId, i);
  return after.holders.map((grant) => {
    const i = known.get(grant.lockId);
    return i !== undefined && before.holders[i]!.leaseId === grant.leaseId ? noted[i]! : now;
  });
}

export function nackOf(register: Register, ballot: Ballot): Omit<Nack, 'scope'> {
  return { kind: 'nack', ballot, promised: register.promised };
}

/** V1: the newest accepted state, flushed or not: an accept on its way to the disk may yet be counted. */
export function promisedOf(scope: string, register: Register, ballot: Ballot): Promised {
  return {
    kind: 'promised',
    scope,
    ballot,
    accepted: register.ballot,
    version: register.version,
    state: register.state,
  };
}

/** When the lease of holder `i` is over by this voter's clock, or Infinity. */
export function overAt(register: Register, i: number): number {
  const leaseMs = register.state.holders[i]!.leaseMs;
  return leaseMs === NO_EXPIRY ? Number.POSITIVE_INFINITY : register.noted[i]! + leaseMs * LEASE_MARGIN;
}

/** When the first lease of this register is over by this voter's clock, or Infinity. */
export function firstOverAt(register: Register): number {
  let first = Number.POSITIVE_INFINITY;
  for (let i = 0; i < register.state.holders.length; i++) first = Math.min(first, overAt(register, i));
  return first;
}

/** Row J: what this voter holds, and which leases it has seen run out. */
export function reportOf(message: Ask, register: Register, flushed: boolean, now: number): Report {
  const overdue: (readonly [LockId, LeaseId])[] = [];
  let due = Number.POSITIVE_INFINITY;
  for (let i = 0; i < register.state.holders.length; i++) {
    const at = overAt(register, i);
    if (at > now) due = Math.min(due, at);
    else {
      const grant = register.state.holders[i]!;
      overdue.push([grant.lockId, grant.leaseId]);
    }
  }
  return {
    kind: 'report',
    scope: message.scope,
    ask: message.ask,
    promised: register.promised,
    accepted: { ballot: register.ballot, version: register.version },
    flushed,
    overdue,
    dueMs: due === Number.POSITIVE_INFINITY ? -1 : due - now,
  };
}
