/**
 * Vote messages and stored registers as positional arrays of plain values, and back.
 * Always true: decoding what was encoded gives the same value; whatever else is decoded is a valid value or a
 * WireError. A ballot is three values in place (round, peer, boot), not an array of its own: it is in everything.
 */
import type { LockEvent } from '../lock/event.ts';
import { flag, list, millis, natural, scopeText, text, UnknownKindError, WireError } from '../lock/plain.ts';
import type { LeaseId, LockId } from '../lock/state.ts';
import { stateFromWire, stateToWire } from '../lock/wire.ts';
import { eventFromWire, eventToWire } from '../lock/wire-events.ts';
import { leaseIdFromWire, lockIdFromWire } from '../lock/wire-words.ts';
import type { StoredRegister } from './acceptor.ts';
import type { Ballot } from './ballot.ts';
import type { VoteMessage } from './messages.ts';

/** Kinds of vote messages. Only ever appended, up to 63; those of the room above start at 64. */
const PREPARE = 0;
const PROMISED = 1;
const NACK = 2;
const ACCEPT = 3;
const ACCEPTED = 4;
const GAP = 5;
const ASK = 6;
const REPORT = 7;
const CHOSEN = 8;

export const IDENTITY_CHARS_MAX = 64;

/** Reads the three values of a ballot, from position `i` on. */
export function ballotFromWire(a: readonly unknown[], i: number, field: string): Ballot {
  return {
    round: natural(a[i], field),
    peer: text(a[i + 1], 0, IDENTITY_CHARS_MAX, field),
    boot: natural(a[i + 2], field),
  };
}

export function registerToWire(register: StoredRegister): unknown[] {
  const { ballot, version, state } = register;
  return [ballot.round, ballot.peer, ballot.boot, version, stateToWire(state)];
}

export function registerFromWire(u: unknown): StoredRegister {
  const a = list(u, 5, 'register');
  return {
    ballot: ballotFromWire(a, 0, 'register.ballot'),
    version: natural(a[3], 'register.version'),
    state: stateFromWire(a[4]),
  };
}

export function voteToWire(message: VoteMessage): unknown[] {
  const { scope } = message;
  switch (message.kind) {
    case 'prepare': {
      const { round, peer, boot } = message.ballot;
      return [PREPARE, scope, round, peer, boot];
    }
    case 'promised': {
      const { ballot: b, accepted: c, version, state } = message;
      return [PROMISED, scope, b.round, b.peer, b.boot, c.round, c.peer, c.boot, version, stateToWire(state)];
    }
    case 'nack': {
      const { ballot: b, promised: c } = message;
      return [NACK, scope, b.round, b.peer, b.boot, c.round, c.peer, c.boot];
    }
    case 'accept': {
      const { ballot: b, version, seq, events, state } = message;
      const changes = events === null ? null : events.map(eventToWire);
      // A whole state that is empty is no probe: it goes as an array of one, not as null.
      const whole = state === null ? null : [stateToWire(state)];
      return [ACCEPT, scope, b.round, b.peer, b.boot, version, seq, changes, whole];
    }
    case 'accepted': {
      const { round, peer, boot } = message.ballot;
      if (message.watching) return [ACCEPTED, scope, round, peer, boot, message.seq, true];
      return [ACCEPTED, scope, round, peer, boot, message.seq];
    }
    case 'gap': {
      const { round, peer, boot } = message.ballot;
      return [GAP, scope, round, peer, boot, message.seq];
    }
    case 'ask':
      return [ASK, scope, message.ask];
    case 'report': {
      const { ask, promised: b, accepted, flushed, overdue, dueMs } = message;
      const { ballot: c, version } = accepted;
      const over: string[] = [];
      for (const [lockId, leaseId] of overdue) over.push(lockId, leaseId);
      return [
        REPORT,
        scope,
        ask,
        b.round,
        b.peer,
        b.boot,
        c.round,
        c.peer,
        c.boot,
        version,
        flushed,
        over,
        dueMs,
      ];
    }
    case 'chosen': {
      const { round, peer, boot } = message.ballot;
      return [CHOSEN, scope, round, peer, boot, message.version];
    }
  }
}

/** @param a an array whose first value is a number below 64. */
export function voteFromWire(a: readonly unknown[]): VoteMessage {
  const kind = natural(a[0], 'kind');
  if (kind > CHOSEN) throw new UnknownKindError('kind', kind);
  const scope = scopeText(a[1], 'scope');
  switch (kind) {
    case PREPARE:
      return { kind: 'prepare', scope, ballot: ballotFromWire(a, 2, 'prepare.ballot') };
    case PROMISED:
      return {
        kind: 'promised',
        scope,
        ballot: ballotFromWire(a, 2, 'promised.ballot'),
        accepted: ballotFromWire(a, 5, 'promised.accepted'),
        version: natural(a[8], 'promised.version'),
        state: stateFromWire(a[9]),
      };
    case NACK:
      return {
        kind: 'nack',
        scope,
        ballot: ballotFromWire(a, 2, 'nack.ballot'),
        promised: ballotFromWire(a, 5, 'nack.promised'),
      };
    case ACCEPT:
      return {
        kind: 'accept',
        scope,
        ballot: ballotFromWire(a, 2, 'accept.ballot'),
        version: natural(a[5], 'accept.version'),
        seq: natural(a[6], 'accept.seq'),
        events: a[7] === null ? null : eventsFromWire(a[7]),
        state: a[8] === null ? null : stateFromWire(list(a[8], 1, 'accept.state')[0]),
      };
    case ACCEPTED: {
      const ballot = ballotFromWire(a, 2, 'accepted.ballot');
      const seq = natural(a[5], 'accepted.seq');
      if (a[6] === true) return { kind: 'accepted', scope, ballot, seq, watching: true };
      return { kind: 'accepted', scope, ballot, seq };
    }
    case GAP:
      return {
        kind: 'gap',
        scope,
        ballot: ballotFromWire(a, 2, 'gap.ballot'),
        seq: natural(a[5], 'gap.seq'),
      };
    case ASK:
      return { kind: 'ask', scope, ask: natural(a[2], 'ask.ask') };
    case CHOSEN:
      return {
        kind: 'chosen',
        scope,
        ballot: ballotFromWire(a, 2, 'chosen.ballot'),
        version: natural(a[5], 'chosen.version'),
      };
    default:
      return {
        kind: 'report',
        scope,
        ask: natural(a[2], 'report.ask'),
        promised: ballotFromWire(a, 3, 'report.promised'),
        accepted: {
          ballot: ballotFromWire(a, 6, 'report.accepted'),
          version: natural(a[9], 'report.version'),
        },
        flushed: flag(a[10], 'report.flushed'),
        overdue: overdueFromWire(a[11]),
        dueMs: millis(a[12], true, 'report.dueMs'),
      };
  }
}

function eventsFromWire(u: unknown): LockEvent[] {
  const a = list(u, 0, 'accept.events');
  const events: LockEvent[] = [];
  for (let i = 0; i < a.length; i++) events.push(eventFromWire(a[i]));
  return events;
}

function overdueFromWire(u: unknown): (readonly [LockId, LeaseId])[] {
  const a = list(u, 0, 'report.overdue');
  if (a.length % 2 !== 0) throw new WireError('report.overdue', 'is no list of pairs');
  const overdue: (readonly [LockId, LeaseId])[] = [];
  for (let i = 0; i < a.length; i += 2) {
    overdue.push([
      lockIdFromWire(a[i], 'report.overdue.lockId'),
      leaseIdFromWire(a[i + 1], 'report.overdue.leaseId'),
    ]);
  }
  return overdue;
}
