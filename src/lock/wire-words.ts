/**
 * Ids, names and enumerations as plain values, and back; what wire.ts promises holds here too.
 */
import {
  HOLDER_CHARS_MAX,
  LEASE_ID_CHARS_MAX,
  LOCK_ID_CHARS_MAX,
  NOTE_CHARS_MAX,
  natural,
  REASON_CHARS_MAX,
  sessionText,
  text,
  UnknownKindError,
  upTo,
  WireError,
} from './plain.ts';
import { PRIORITIES } from './queue.ts';
import {
  type Ending,
  type FencingToken,
  type LeaseId,
  type LockId,
  type LockMode,
  type Mode,
  PERMITS_MAX,
  type Priority,
  type SessionId,
  type Wish,
} from './state.ts';

/** Modes and endings by their number on the wire. Only ever appended. (Priorities: by their class.) */
const MODES: readonly Mode[] = ['write', 'read', 'permit'];
const ENDINGS: readonly Ending[] = ['released', 'expired', 'cancelled', 'crashed', 'forced'];

/** Stands between the lock ids of the ring, so that no lock id may have it. */
export const COMMA = ',';

export function lockIdFromWire(u: unknown, field: string): LockId {
  const id = text(u, 1, LOCK_ID_CHARS_MAX, field);
  if (id.includes(COMMA)) throw new WireError(field, 'has a comma');
  return id as LockId;
}

export function leaseIdFromWire(u: unknown, field: string): LeaseId {
  return text(u, 1, LEASE_ID_CHARS_MAX, field) as LeaseId;
}

export function tokenFromWire(u: unknown, field: string): FencingToken {
  return natural(u, field) as FencingToken;
}

export function sessionIdFromWire(u: unknown, field: string): SessionId {
  return sessionText(u, field) as SessionId;
}

export function sessionFromWire(u: unknown, field: string): SessionId | null {
  return u === null ? null : sessionIdFromWire(u, field);
}

export function holderFromWire(u: unknown, field: string): string {
  return text(u, 0, HOLDER_CHARS_MAX, field);
}

export function reasonFromWire(u: unknown, field: string): string | null {
  return u === null ? null : text(u, 0, REASON_CHARS_MAX, field);
}

export function noteFromWire(u: unknown, field: string): string | null {
  return u === null ? null : text(u, 0, NOTE_CHARS_MAX, field);
}

export function modeToWire(mode: Mode): number {
  return MODES.indexOf(mode);
}

export function modeFromWire(u: unknown, field: string): Mode {
  return numbered(MODES, u, field);
}

/** A mode in which a lock is held. */
export function lockModeFromWire(u: unknown, field: string): LockMode {
  const mode = modeFromWire(u, field);
  if (mode === 'permit') throw new WireError(field, 'is a permit');
  return mode;
}

/** A mode and its permits, which are left out where they are 0. */
export function wishFromWire(mode: unknown, permits: unknown, modeField: string, field: string): Wish {
  const its = modeFromWire(mode, modeField);
  if (its !== 'permit') return { mode: its, permits: 0 };
  const count = upTo(permits, PERMITS_MAX, field);
  if (count === 0) throw new WireError(field, 'are none');
  return { mode: its, permits: count };
}

export function priorityToWire(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}

export function priorityFromWire(u: unknown, field: string): Priority {
  return numbered(PRIORITIES, u, field);
}

export function endingToWire(ending: Ending): number {
  return ENDINGS.indexOf(ending);
}

export function endingFromWire(u: unknown, field: string): Ending {
  return numbered(ENDINGS, u, field);
}

function numbered<T>(all: readonly T[], u: unknown, field: string): T {
  const number = natural(u, field);
  const one = all[number];
  if (one === undefined) throw new UnknownKindError(field, number);
  return one;
}
