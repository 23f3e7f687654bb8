/**
 * Events as positional arrays of plain values, and back; what wire.ts promises holds here too.
 */
import type { LockEvent } from './event.ts';
import { list, natural, UnknownKindError, upTo } from './plain.ts';
import { PERMITS_MAX } from './state.ts';
import { grantFromWire, grantToWire, upgradeFromWire, waiterFromWire, waiterToWire } from './wire.ts';
import {
  endingFromWire,
  endingToWire,
  leaseIdFromWire,
  lockIdFromWire,
  lockModeFromWire,
  modeToWire,
  noteFromWire,
  sessionFromWire,
  sessionIdFromWire,
  tokenFromWire,
} from './wire-words.ts';

/** Events by their number on the wire. Only ever appended. */
const GRANTED = 0;
const QUEUED = 1;
const PROMOTED = 2;
const CLAIMED = 3;
const EXTENDED = 4;
const CONVERTED = 5;
const UPGRADING = 6;
const MOVED = 7;
const PARKED = 8;
const DESERTED = 9;
const ENDED = 10;

export function eventToWire(event: LockEvent): unknown[] {
  switch (event.kind) {
    case 'granted':
      return [GRANTED, grantToWire(event.grant)];
    case 'queued':
      return [QUEUED, waiterToWire(event.waiter)];
    case 'promoted':
      return [PROMOTED, event.lockId, event.token, event.leaseId, event.gateway, event.at, event.slot];
    case 'claimed':
      return [CLAIMED, event.lockId, event.leaseId, event.at];
    case 'extended':
      return [EXTENDED, event.lockId, event.leaseMs, event.leaseId];
    case 'converted':
      return [CONVERTED, event.lockId, modeToWire(event.mode), event.token, event.gateway];
    case 'upgrading': {
      const { upgrade } = event;
      return [UPGRADING, upgrade === null ? null : [upgrade.lockId, upgrade.gateway]];
    }
    case 'moved':
      return [MOVED, event.lockId, event.gateway, event.repeat];
    case 'parked':
      return [PARKED, event.lockId];
    case 'deserted':
      return [DESERTED, event.gateway];
    case 'ended':
      return [ENDED, event.lockId, endingToWire(event.ending), event.note];
  }
}

export function eventFromWire(u: unknown): LockEvent {
  const a = list(u, 1, 'event');
  const kind = natural(a[0], 'event.kind');
  switch (kind) {
    case GRANTED:
      return { kind: 'granted', grant: grantFromWire(a[1]) };
    case QUEUED:
      return { kind: 'queued', waiter: waiterFromWire(a[1]) };
    case PROMOTED:
      return {
        kind: 'promoted',
        lockId: lockIdFromWire(a[1], 'promoted.lockId'),
        token: tokenFromWire(a[2], 'promoted.token'),
        leaseId: leaseIdFromWire(a[3], 'promoted.leaseId'),
        gateway: sessionIdFromWire(a[4], 'promoted.gateway'),
        at: natural(a[5], 'promoted.at'),
        slot: a[6] === undefined ? 0 : upTo(a[6], PERMITS_MAX - 1, 'promoted.slot'),
      };
    case CLAIMED:
      return {
        kind: 'claimed',
        lockId: lockIdFromWire(a[1], 'claimed.lockId'),
        leaseId: leaseIdFromWire(a[2], 'claimed.leaseId'),
        at: natural(a[3], 'claimed.at'),
      };
    case EXTENDED:
      return {
        kind: 'extended',
        lockId: lockIdFromWire(a[1], 'extended.lockId'),
        leaseMs: natural(a[2], 'extended.leaseMs'),
        leaseId: leaseIdFromWire(a[3], 'extended.leaseId'),
      };
    case CONVERTED:
      return {
        kind: 'converted',
        lockId: lockIdFromWire(a[1], 'converted.lockId'),
        mode: lockModeFromWire(a[2], 'converted.mode'),
        token: tokenFromWire(a[3], 'converted.token'),
        gateway: sessionFromWire(a[4], 'converted.gateway'),
      };
    case UPGRADING:
      return { kind: 'upgrading', upgrade: a[1] === null ? null : upgradeFromWire(a[1]) };
    case MOVED:
      return {
        kind: 'moved',
        lockId: lockIdFromWire(a[1], 'moved.lockId'),
        gateway: sessionIdFromWire(a[2], 'moved.gateway'),
        repeat: natural(a[3], 'moved.repeat'),
      };
    case PARKED:
      return { kind: 'parked', lockId: lockIdFromWire(a[1], 'parked.lockId') };
    case DESERTED:
      return { kind: 'deserted', gateway: sessionIdFromWire(a[1], 'deserted.gateway') };
    case ENDED:
      return {
        kind: 'ended',
        lockId: lockIdFromWire(a[1], 'ended.lockId'),
        ending: endingFromWire(a[2], 'ended.ending'),
        note: noteFromWire(a[3], 'ended.note'),
      };
    default:
      throw new UnknownKindError('event.kind', kind);
  }
}
