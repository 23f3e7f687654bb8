/**
 * From a message of a client to what is asked of the core.
 * Always true: what is asked keeps to the bounds that HTTP keeps to; a refusal names the field, what is wrong with it
 * and what would be right. Checked by hand, as this runs for every message of every client.
 */
import type { WireError } from '../lock/plain.ts';
import type { LockId, SessionId } from '../lock/state.ts';
import { NO_EXPIRY, PERMITS_MAX } from '../lock/state.ts';
import type { AcquireRequest, ClientRequest, ExtendRequest, ReleaseRequest } from '../peer/request.ts';
import type { AcquireMessage, ExtendMessage, ReleaseMessage, RequestMessage } from '../protocol/messages.ts';
import type { Door } from './door.ts';
import { DURATION_MAX_MS, prettyDuration } from './durations.ts';
import { faultOfName, isSessionId, isUuid } from './fields.ts';
import type { Action, Identity } from './guard.ts';
import { makeSessionId } from './ids.ts';
import { invalid, type Problem } from './problems.ts';
import {
  autoLease,
  beatRequest,
  cancelsNothing,
  closeRequest,
  forcedRelease,
  openRequest,
} from './requests.ts';
import {
  HOLDER_BYTES_MAX,
  REASON_BYTES_MAX,
  SCOPE_BYTES_MAX,
  TTL_MAX_MS,
  TTL_MIN_MS,
  WAIT_MAX_MS,
} from './schemas.ts';

/** What would be right, field by field. */
const RIGHT = {
  scope: nameOf('the name to lock', SCOPE_BYTES_MAX),
  holder: nameOf('who holds, or who forces', HOLDER_BYTES_MAX),
  reason: nameOf('why', REASON_BYTES_MAX),
  lock_id: 'a UUID such as "01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11"',
  session: 'a UUID, the session that an `open` was answered',
  lock_type: '0 (write), 1 (read) or 2 (permit); a lock converts to 0 or 1',
  permits: `a whole number from 1 to ${PERMITS_MAX} with lock_type 2 (permit), 0 with the others`,
  priority: '0 (high), 1 (normal) or 2 (low)',
  timeout: `${millisOf(1, DURATION_MAX_MS)}, 0 for a lock without an end; an acquire may say -1 for auto`,
  wait: millisOf(0, WAIT_MAX_MS),
  ttl: millisOf(TTL_MIN_MS, TTL_MAX_MS),
  fencing_token:
    'the token that is held, a whole number above 0, and only where lock_type is given; else null',
  repeat: 'how many times this lock_id was sent before: a whole number, 0 or more',
  id: 'each request a number of its own in its connection: a whole number, 0 or more',
  kind: 'a kind that this version of the protocol has',
} as const;

export type Field = keyof typeof RIGHT;

function nameOf(what: string, bytesMax: number): string {
  return `${what}: 1 to ${bytesMax} bytes of UTF-8, no control characters`;
}

function millisOf(least: number, most: number): string {
  return `milliseconds, ${least} to ${most} (${prettyDuration(most)})`;
}

/** @param fault what is wrong. */
export function badField(field: Field, fault: string): Problem {
  return invalid([{ field, detail: `${fault}: give ${RIGHT[field]}` }]);
}

/** What a decoder refused. */
export function unreadable({ field, message }: WireError): Problem {
  const fault = message.slice(field.length + 2);
  const right = (RIGHT as Record<string, string>)[field];
  return invalid([{ field, detail: right === undefined ? fault : `${fault}: give ${right}` }]);
}

/** What a message does, for the guard. */
export function actionOf(message: RequestMessage): Action {
  switch (message.kind) {
    case 'acquire':
      return 'lock';
    case 'release':
      return message.force === null ? 'unlock' : 'force';
    case 'open':
    case 'beat':
    case 'close':
      return 'session';
    case 'watch':
      return 'status';
    default:
      return message.kind;
  }
}

/** By what name a message is counted: the same as over HTTP. */
export const COUNTED: Readonly<Record<RequestMessage['kind'], string>> = {
  acquire: 'lock',
  release: 'unlock',
  extend: 'extend',
  cancel: 'cancel',
  status: 'status',
  watch: 'watch',
  open: 'open_session',
  beat: 'beat_session',
  close: 'close_session',
};

/** What is asked of the core. @param at wall clock, for people. Throws a Problem. */
export function requestOf(
  door: Door,
  identity: Identity,
  message: RequestMessage,
  at: number,
): ClientRequest {
  switch (message.kind) {
    case 'acquire':
      return acquireOf(door, message, at);
    case 'release':
      return releaseOf(identity, message, at);
    case 'extend':
      return extendOf(message, at);
    case 'cancel': {
      const meant = whichOf(message);
      if (meant.lockId === null && meant.holder === null) throw cancelsNothing();
      return { op: 'cancel', ...meant, at };
    }
    // A watch is about a scope as a status is; what tells it is no answer of the core.
    case 'watch':
    case 'status':
      return { op: 'status', scope: scopeOf(message.scope) };
    case 'open': {
      const holder = holderOf(message.holder);
      const ttlMs = bounded('ttl', message.ttlMs, TTL_MIN_MS, TTL_MAX_MS);
      return openRequest(makeSessionId(), holder, ttlMs, at);
    }
    case 'beat':
      return beatRequest(sessionOf(message.session), message.list, at);
    case 'close':
      return closeRequest(sessionOf(message.session), at);
  }
}

function acquireOf(door: Door, message: AcquireMessage, at: number): AcquireRequest {
  const { mode, permits, priority, reason, session, leaseMs, repeat } = message;
  const named = message.holder !== null;
  if (mode === 'permit' ? permits < 1 : permits !== 0) throw badField('permits', `is ${permits}`);
  if (reason !== null) checkName('reason', reason, REASON_BYTES_MAX);
  return {
    op: 'acquire',
    scope: scopeOf(message.scope),
    lockId: lockIdOf(message.lockId),
    made: false,
    holder: message.holder === null ? door.makeHolder() : holderOf(message.holder),
    named,
    mode,
    permits,
    priority,
    reason,
    session: session === null ? null : { id: sessionOf(session), ttlMs: 0, implicit: false },
    leaseMs: leaseMs === null ? autoLease() : leaseOf(leaseMs),
    waitMs: bounded('wait', message.waitMs, 0, WAIT_MAX_MS),
    pollMs: null,
    repeat,
    at,
  };
}

function releaseOf(identity: Identity, message: ReleaseMessage, at: number): ReleaseRequest {
  const { scope, lockId, holder } = whichOf(message);
  const { force } = message;
  if (force === null) return { op: 'release', scope, lockId, holder, force: null, at };
  checkName('reason', force, REASON_BYTES_MAX);
  return forcedRelease(scope, lockId, holder ?? identity.kind, force, at);
}

function extendOf(message: ExtendMessage, at: number): ExtendRequest {
  const { mode, leaseMs, token } = message;
  if (leaseMs === null && mode === null) throw badField('timeout', 'is missing');
  if (token !== null && (mode === null || token < 1)) throw badField('fencing_token', `is ${token}`);
  const { scope, lockId, holder } = whichOf(message);
  return {
    op: 'extend',
    scope,
    lockId,
    holder,
    leaseMs: leaseMs === null ? null : leaseOf(leaseMs),
    replaces: null,
    mode,
    token,
    waitMs: mode === null ? 0 : bounded('wait', message.waitMs, 0, WAIT_MAX_MS),
    at,
  };
}

function whichOf({ scope, lockId, holder }: Pick<ReleaseMessage, 'scope' | 'lockId' | 'holder'>) {
  return {
    scope: scopeOf(scope),
    lockId: lockId === null ? null : lockIdOf(lockId),
    holder: holder === null ? null : holderOf(holder),
  };
}

// --- fields ---

function checkName(field: Field, text: string, bytesMax: number): void {
  const fault = faultOfName(text, bytesMax);
  if (fault !== undefined) throw badField(field, fault);
}

function scopeOf(text: string): string {
  checkName('scope', text, SCOPE_BYTES_MAX);
  return text;
}

function holderOf(text: string): string {
  checkName('holder', text, HOLDER_BYTES_MAX);
  return text;
}

/** In small letters, as over HTTP: one id is not to be two. */
function lockIdOf(text: string): LockId {
  if (!isUuid(text)) throw badField('lock_id', 'is no UUID');
  return text.toLowerCase() as LockId;
}

function sessionOf(text: string): SessionId {
  if (!isSessionId(text)) throw badField('session', 'is no session');
  return text.toLowerCase() as SessionId;
}

function leaseOf(ms: number): number {
  return ms === NO_EXPIRY ? NO_EXPIRY : bounded('timeout', ms, 1, DURATION_MAX_MS);
}

/** Clients count in fractions; HTTP takes whole milliseconds, and so does the core. */
function bounded(field: Field, ms: number, least: number, most: number): number {
  const whole = Math.ceil(ms);
  if (whole >= least && whole <= most) return whole;
  throw badField(field, `is ${ms}`);
}
