/**
 * Commands and outcomes as positional arrays of plain values, and back; what wire.ts promises holds here too.
 */
import type { Acquire, Command, Force, Outcome } from './command.ts';
import {
  flag,
  HOLDER_CHARS_MAX,
  list,
  natural,
  REASON_CHARS_MAX,
  text,
  UnknownKindError,
  upTo,
} from './plain.ts';
import { PERMITS_MAX } from './state.ts';
import { grantFromWire, grantToWire } from './wire.ts';
import {
  endingFromWire,
  endingToWire,
  holderFromWire,
  leaseIdFromWire,
  lockIdFromWire,
  modeFromWire,
  modeToWire,
  noteFromWire,
  priorityFromWire,
  priorityToWire,
  reasonFromWire,
  sessionFromWire,
  sessionIdFromWire,
  tokenFromWire,
  wishFromWire,
} from './wire-words.ts';

/** Commands by their number on the wire. Only ever appended. */
const ACQUIRE = 0;
const CLAIM = 1;
const RELEASE = 2;
const EXTEND = 3;
const CONVERT = 4;
const CANCEL = 5;
const PARK = 6;
const REAP = 7;
const EXPIRE = 8;
const SWEEP = 9;
const READ = 10;
const LOOK = 11;

/** Outcomes by their number on the wire. Only ever appended. */
const OUTCOMES: readonly Outcome['kind'][] = [
  'granted',
  'already_held',
  'queued',
  'elsewhere',
  'upgrading',
  'deadlock',
  'mismatch',
  'busy',
  'full',
  'stale',
  'ended',
  'released',
  'extended',
  'converted',
  'outdated',
  'cancelled',
  'parked',
  'expired',
  'swept',
  'not_found',
  'state',
  'misfit',
];

export function commandToWire(command: Command): unknown[] {
  switch (command.kind) {
    case 'acquire':
      return acquireToWire(command);
    case 'claim':
      return [CLAIM, command.lockId, command.gateway, command.at];
    case 'release': {
      const { lockId, gateway, force, at } = command;
      return [RELEASE, lockId, gateway, force === null ? null : [force.by, force.reason], at];
    }
    case 'extend':
      return [EXTEND, command.lockId, command.leaseMs, command.replaces, command.list === true];
    case 'convert': {
      const { lockId, mode, token, wait, gateway, at } = command;
      return [CONVERT, lockId, modeToWire(mode), token, wait, gateway, at];
    }
    case 'cancel':
      return [CANCEL, command.lockId, command.gateway, command.token, command.at];
    case 'park':
      return [PARK, command.lockId, command.gateway, command.at];
    case 'reap':
      return [REAP, command.lockId, command.at];
    case 'expire':
      return [EXPIRE, command.lockId, command.leaseId, command.at];
    case 'sweep':
      return [SWEEP, command.session, command.at];
    case 'read':
      return [READ];
    case 'look':
      return [LOOK, command.gateway];
  }
}

function acquireToWire(a: Acquire): unknown[] {
  return [
    ACQUIRE,
    a.lockId,
    a.holder,
    a.named,
    modeToWire(a.mode),
    priorityToWire(a.priority),
    a.leaseMs,
    a.wait,
    a.claimMs,
    a.gateway,
    a.repeat,
    a.seen,
    a.at,
    a.reason,
    a.session,
    a.ttlMs,
    a.again,
    ...(a.permits === 0 ? [] : [a.permits]),
  ];
}

export function commandFromWire(u: unknown): Command {
  const a = list(u, 1, 'command');
  const kind = natural(a[0], 'command.kind');
  switch (kind) {
    case ACQUIRE:
      return acquireFromWire(a);
    case CLAIM:
      return {
        kind: 'claim',
        lockId: lockIdFromWire(a[1], 'claim.lockId'),
        gateway: sessionIdFromWire(a[2], 'claim.gateway'),
        at: natural(a[3], 'claim.at'),
      };
    case RELEASE:
      return {
        kind: 'release',
        lockId: lockIdFromWire(a[1], 'release.lockId'),
        gateway: sessionFromWire(a[2], 'release.gateway'),
        force: a[3] === null ? null : forceFromWire(a[3]),
        at: natural(a[4], 'release.at'),
      };
    case EXTEND:
      return {
        kind: 'extend',
        lockId: lockIdFromWire(a[1], 'extend.lockId'),
        leaseMs: natural(a[2], 'extend.leaseMs'),
        replaces: a[3] === null ? null : leaseIdFromWire(a[3], 'extend.replaces'),
        ...(a[4] !== undefined && flag(a[4], 'extend.list') ? { list: true } : undefined),
      };
    case CONVERT:
      return {
        kind: 'convert',
        lockId: lockIdFromWire(a[1], 'convert.lockId'),
        mode: modeFromWire(a[2], 'convert.mode'),
        token: tokenFromWire(a[3], 'convert.token'),
        wait: flag(a[4], 'convert.wait'),
        gateway: sessionIdFromWire(a[5], 'convert.gateway'),
        at: natural(a[6], 'convert.at'),
      };
    case CANCEL:
      return {
        kind: 'cancel',
        lockId: lockIdFromWire(a[1], 'cancel.lockId'),
        gateway: sessionFromWire(a[2], 'cancel.gateway'),
        token: tokenFromWire(a[3], 'cancel.token'),
        at: natural(a[4], 'cancel.at'),
      };
    case PARK:
      return {
        kind: 'park',
        lockId: lockIdFromWire(a[1], 'park.lockId'),
        gateway: sessionIdFromWire(a[2], 'park.gateway'),
        at: natural(a[3], 'park.at'),
      };
    case REAP:
      return { kind: 'reap', lockId: lockIdFromWire(a[1], 'reap.lockId'), at: natural(a[2], 'reap.at') };
    case EXPIRE:
      return {
        kind: 'expire',
        lockId: lockIdFromWire(a[1], 'expire.lockId'),
        leaseId: leaseIdFromWire(a[2], 'expire.leaseId'),
        at: natural(a[3], 'expire.at'),
      };
    case SWEEP:
      return {
        kind: 'sweep',
        session: sessionIdFromWire(a[1], 'sweep.session'),
        at: natural(a[2], 'sweep.at'),
      };
    case READ:
      return { kind: 'read' };
    case LOOK:
      return { kind: 'look', gateway: sessionIdFromWire(a[1], 'look.gateway') };
    default:
      throw new UnknownKindError('command.kind', kind);
  }
}

function acquireFromWire(a: readonly unknown[]): Acquire {
  return {
    kind: 'acquire',
    lockId: lockIdFromWire(a[1], 'acquire.lockId'),
    holder: holderFromWire(a[2], 'acquire.holder'),
    named: flag(a[3], 'acquire.named'),
    ...wishFromWire(a[4], a[17], 'acquire.mode', 'acquire.permits'),
    priority: priorityFromWire(a[5], 'acquire.priority'),
    leaseMs: natural(a[6], 'acquire.leaseMs'),
    wait: flag(a[7], 'acquire.wait'),
    claimMs: natural(a[8], 'acquire.claimMs'),
    gateway: sessionIdFromWire(a[9], 'acquire.gateway'),
    repeat: natural(a[10], 'acquire.repeat'),
    seen: natural(a[11], 'acquire.seen'),
    at: natural(a[12], 'acquire.at'),
    reason: reasonFromWire(a[13], 'acquire.reason'),
    session: sessionFromWire(a[14], 'acquire.session'),
    ttlMs: natural(a[15], 'acquire.ttlMs'),
    again: flag(a[16], 'acquire.again'),
  };
}

function forceFromWire(u: unknown): Force {
  const a = list(u, 2, 'force');
  return {
    by: text(a[0], 0, HOLDER_CHARS_MAX, 'force.by'),
    reason: text(a[1], 0, REASON_CHARS_MAX, 'force.reason'),
  };
}

// --- outcomes ---

export function outcomeToWire(outcome: Outcome): unknown[] {
  const number = OUTCOMES.indexOf(outcome.kind);
  switch (outcome.kind) {
    case 'granted':
    case 'converted':
      return [number, grantToWire(outcome.grant), outcome.repeat];
    case 'already_held':
    case 'upgrading':
    case 'deadlock':
    case 'extended':
    case 'outdated':
      return [number, grantToWire(outcome.grant)];
    case 'queued':
    case 'elsewhere':
    case 'busy':
      return [number, outcome.position];
    case 'ended':
      return [number, endingToWire(outcome.ending), outcome.token, outcome.note];
    case 'released':
      return [number, outcome.token, outcome.repeat];
    case 'misfit':
      return [number, outcome.permits];
    default:
      return [number];
  }
}

export function outcomeFromWire(u: unknown): Outcome {
  const a = list(u, 1, 'outcome');
  const number = natural(a[0], 'outcome.kind');
  const kind = OUTCOMES[number];
  switch (kind) {
    case undefined:
      throw new UnknownKindError('outcome.kind', number);
    case 'granted':
    case 'converted':
      return { kind, grant: grantFromWire(a[1]), repeat: flag(a[2], 'outcome.repeat') };
    case 'already_held':
    case 'upgrading':
    case 'deadlock':
    case 'extended':
    case 'outdated':
      return { kind, grant: grantFromWire(a[1]) };
    case 'queued':
    case 'elsewhere':
    case 'busy':
      return { kind, position: natural(a[1], 'outcome.position') };
    case 'ended':
      return {
        kind,
        ending: endingFromWire(a[1], 'ended.ending'),
        token: tokenFromWire(a[2], 'ended.token'),
        note: noteFromWire(a[3], 'ended.note'),
      };
    case 'released':
      return {
        kind,
        token: tokenFromWire(a[1], 'released.token'),
        repeat: flag(a[2], 'released.repeat'),
      };
    case 'misfit':
      return { kind, permits: upTo(a[1], PERMITS_MAX, 'misfit.permits') };
    default:
      return { kind };
  }
}
