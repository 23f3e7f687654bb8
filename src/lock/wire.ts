/**
 * States, grants, events, commands and outcomes as positional arrays of plain values, and back.
 * Always true: decoding what was encoded gives the same value; whatever else is decoded is a valid value or a
 * WireError. Kinds and positions are only ever appended, and decoders take longer arrays than they know, so that
 * peers of two versions share a mesh, and a disk outlives a version.
 */
import type { Command, Outcome } from './command.ts';
import type { LockEvent } from './event.ts';
import {
  flag,
  HOLDER_CHARS_MAX,
  LEASE_ID_CHARS_MAX,
  LOCK_ID_CHARS_MAX,
  list,
  natural,
  text,
  UnknownKindError,
  WireError,
} from './plain.ts';
import {
  EMPTY,
  type Ending,
  type FencingToken,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  type Mode,
  RETIRED_RING,
  type Retired,
} from './state.ts';

/** Modes and endings by their number on the wire. Only ever appended. */
const MODES: readonly Mode[] = ['write'];
const ENDINGS: readonly Ending[] = ['released', 'expired', 'cancelled'];

const GRANTED = 0;
const EXTENDED = 1;
const ENDED = 2;

const ACQUIRE = 0;
const RELEASE = 1;
const EXTEND = 2;
const CANCEL = 3;
const EXPIRE = 4;
const READ = 5;

/** Outcomes by their number on the wire. Only ever appended. */
const OUTCOMES: readonly Outcome['kind'][] = [
  'granted',
  'already_held',
  'mismatch',
  'busy',
  'stale',
  'ended',
  'released',
  'extended',
  'cancelled',
  'expired',
  'not_found',
  'state',
];

/** Stands between the lock ids of the ring, so that no lock id may have it. */
const COMMA = ',';

export function lockIdFromWire(u: unknown, field: string): LockId {
  const id = text(u, 1, LOCK_ID_CHARS_MAX, field);
  if (id.includes(COMMA)) throw new WireError(field, 'has a comma');
  return id as LockId;
}

export function leaseIdFromWire(u: unknown, field: string): LeaseId {
  return text(u, 1, LEASE_ID_CHARS_MAX, field) as LeaseId;
}

function modeFromWire(u: unknown): Mode {
  const number = natural(u, 'mode');
  const mode = MODES[number];
  if (mode === undefined) throw new UnknownKindError('mode', number);
  return mode;
}

function endingFromWire(u: unknown): Ending {
  const number = natural(u, 'ending');
  const ending = ENDINGS[number];
  if (ending === undefined) throw new UnknownKindError('ending', number);
  return ending;
}

// --- grants and states ---

export function grantToWire(grant: Grant): unknown[] {
  return [
    grant.lockId,
    grant.holder,
    grant.named,
    MODES.indexOf(grant.mode),
    grant.token,
    grant.leaseMs,
    grant.leaseId,
    grant.at,
  ];
}

export function grantFromWire(u: unknown): Grant {
  const a = list(u, 8, 'grant');
  return {
    lockId: lockIdFromWire(a[0], 'grant.lockId'),
    holder: text(a[1], 0, HOLDER_CHARS_MAX, 'grant.holder'),
    named: flag(a[2], 'grant.named'),
    mode: modeFromWire(a[3]),
    token: natural(a[4], 'grant.token') as FencingToken,
    leaseMs: natural(a[5], 'grant.leaseMs'),
    leaseId: leaseIdFromWire(a[6], 'grant.leaseId'),
    at: natural(a[7], 'grant.at'),
  };
}

export function grantsFromWire(u: unknown, field: string): Grant[] {
  const a = list(u, 0, field);
  const grants: Grant[] = [];
  for (let i = 0; i < a.length; i++) grants.push(grantFromWire(a[i]));
  return grants;
}

/** Null is the scope that nobody ever touched. The ring goes in columns: one long text is cheaper than 64 short. */
export function stateToWire(state: LockState): unknown[] | null {
  if (state === EMPTY) return null;
  const { retired } = state;
  let ids = '';
  const endings: number[] = [];
  const tokens: number[] = [];
  for (let i = 0; i < retired.length; i++) {
    const entry = retired[i]!;
    ids = i === 0 ? entry.lockId : ids + COMMA + entry.lockId;
    endings.push(ENDINGS.indexOf(entry.ending));
    tokens.push(entry.token);
  }
  return [state.token, state.retirements, state.holders.map(grantToWire), ids, endings, tokens];
}

export function stateFromWire(u: unknown): LockState {
  if (u === null) return EMPTY;
  const a = list(u, 6, 'state');
  const token = natural(a[0], 'state.token') as FencingToken;
  const retirements = natural(a[1], 'state.retirements');
  const holders = grantsFromWire(a[2], 'state.holders');
  for (let i = 0; i < holders.length; i++) {
    if (holders[i]!.token > token) throw new WireError('state.token', "is less than a holder's");
  }
  const endings = list(a[4], 0, 'state.endings');
  const tokens = list(a[5], 0, 'state.tokens');
  const size = endings.length;
  if (size > RETIRED_RING || size > retirements || tokens.length !== size) {
    throw new WireError('state.endings', `are ${size} of ${retirements}, with ${tokens.length} tokens`);
  }
  const joined = text(a[3], 0, RETIRED_RING * (LOCK_ID_CHARS_MAX + 1), 'state.ids');
  const ids = joined === '' ? [] : joined.split(COMMA);
  if (ids.length !== size) throw new WireError('state.ids', `are ${ids.length} for ${size} endings`);
  const retired: Retired[] = [];
  for (let i = 0; i < size; i++) {
    const lockId = text(ids[i], 1, LOCK_ID_CHARS_MAX, 'state.ids') as LockId;
    const ending = endingFromWire(endings[i]);
    retired.push({ lockId, ending, token: natural(tokens[i], 'state.tokens') as FencingToken });
  }
  return { token, holders, retired, retirements };
}

// --- events ---

export function eventToWire(event: LockEvent): unknown[] {
  switch (event.kind) {
    case 'granted':
      return [GRANTED, grantToWire(event.grant)];
    case 'extended':
      return [EXTENDED, event.lockId, event.leaseMs, event.leaseId];
    case 'ended':
      return [ENDED, event.lockId, ENDINGS.indexOf(event.ending)];
  }
}

export function eventFromWire(u: unknown): LockEvent {
  const a = list(u, 1, 'event');
  const kind = natural(a[0], 'event.kind');
  switch (kind) {
    case GRANTED:
      return { kind: 'granted', grant: grantFromWire(a[1]) };
    case EXTENDED:
      return {
        kind: 'extended',
        lockId: lockIdFromWire(a[1], 'extended.lockId'),
        leaseMs: natural(a[2], 'extended.leaseMs'),
        leaseId: leaseIdFromWire(a[3], 'extended.leaseId'),
      };
    case ENDED:
      return {
        kind: 'ended',
        lockId: lockIdFromWire(a[1], 'ended.lockId'),
        ending: endingFromWire(a[2]),
      };
    default:
      throw new UnknownKindError('event.kind', kind);
  }
}

// --- commands ---

export function commandToWire(command: Command): unknown[] {
  switch (command.kind) {
    case 'acquire': {
      const { lockId, holder, named, mode, leaseMs, seen, at } = command;
      return [ACQUIRE, lockId, holder, named, MODES.indexOf(mode), leaseMs, seen, at];
    }
    case 'release':
      return [RELEASE, command.lockId];
    case 'extend':
      return [EXTEND, command.lockId, command.leaseMs, command.replaces];
    case 'cancel':
      return [CANCEL, command.lockId];
    case 'expire':
      return [EXPIRE, command.lockId, command.leaseId];
    case 'read':
      return [READ];
  }
}

export function commandFromWire(u: unknown): Command {
  const a = list(u, 1, 'command');
  const kind = natural(a[0], 'command.kind');
  switch (kind) {
    case ACQUIRE:
      return {
        kind: 'acquire',
        lockId: lockIdFromWire(a[1], 'acquire.lockId'),
        holder: text(a[2], 0, HOLDER_CHARS_MAX, 'acquire.holder'),
        named: flag(a[3], 'acquire.named'),
        mode: modeFromWire(a[4]),
        leaseMs: natural(a[5], 'acquire.leaseMs'),
        seen: natural(a[6], 'acquire.seen'),
        at: natural(a[7], 'acquire.at'),
      };
    case RELEASE:
      return { kind: 'release', lockId: lockIdFromWire(a[1], 'release.lockId') };
    case EXTEND:
      return {
        kind: 'extend',
        lockId: lockIdFromWire(a[1], 'extend.lockId'),
        leaseMs: natural(a[2], 'extend.leaseMs'),
        replaces: a[3] === null ? null : leaseIdFromWire(a[3], 'extend.replaces'),
      };
    case CANCEL:
      return { kind: 'cancel', lockId: lockIdFromWire(a[1], 'cancel.lockId') };
    case EXPIRE:
      return {
        kind: 'expire',
        lockId: lockIdFromWire(a[1], 'expire.lockId'),
        leaseId: leaseIdFromWire(a[2], 'expire.leaseId'),
      };
    case READ:
      return { kind: 'read' };
    default:
      throw new UnknownKindError('command.kind', kind);
  }
}

// --- outcomes ---

export function outcomeToWire(outcome: Outcome): unknown[] {
  const number = OUTCOMES.indexOf(outcome.kind);
  switch (outcome.kind) {
    case 'granted':
      return [number, grantToWire(outcome.grant), outcome.repeat];
    case 'already_held':
    case 'extended':
      return [number, grantToWire(outcome.grant)];
    case 'ended':
      return [number, ENDINGS.indexOf(outcome.ending), outcome.token];
    case 'released':
      return [number, outcome.token, outcome.repeat];
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
      return { kind, grant: grantFromWire(a[1]), repeat: flag(a[2], 'granted.repeat') };
    case 'already_held':
    case 'extended':
      return { kind, grant: grantFromWire(a[1]) };
    case 'ended':
      return {
        kind,
        ending: endingFromWire(a[1]),
        token: natural(a[2], 'ended.token') as FencingToken,
      };
    case 'released':
      return {
        kind,
        token: natural(a[1], 'released.token') as FencingToken,
        repeat: flag(a[2], 'released.repeat'),
      };
    default:
      return { kind };
  }
}
