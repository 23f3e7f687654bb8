/**
 * The same requests and answers as in src/protocol/messages.ts, as plain HTTP says them.
 * Always true: nothing but a status of 200 becomes an answer that something is held or done.
 */
import type { LockId, SessionId } from '../lock/state.ts';
import { NO_EXPIRY } from '../lock/state.ts';
import type { Cancelled, Locked, SessionLock, SessionTold, Unlocked } from '../protocol/messages.ts';
import type { Answer, Draft } from './way.ts';

export const LOCK_PATH = '/api/v1.0/lock';
export const SESSIONS_PATH = '/api/v1.0/sessions';
export const EVENTS_PATH = '/api/v1.0/events';

/** A request that waits is answered after this long at the latest, and repeated: so that a dead peer is noticed. */
export const POLL_MS = 10_000;

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

export function requestOf(message: Draft): HttpRequest {
  switch (message.kind) {
    case 'acquire': {
      const { scope, lockId, holder, mode, permits, priority, reason, session, leaseMs, waitMs, repeat } =
        message;
      return post(LOCK_PATH, {
        scope,
        action: 'lock',
        lock_id: lockId,
        ...(holder === null ? {} : { holder }),
        lock_type: mode,
        ...(mode === 'permit' ? { permits } : {}),
        priority,
        ...(reason === null ? {} : { reason }),
        ...(session === null ? {} : { session }),
        timeout: leaseMs === null ? 'auto' : leaseOf(leaseMs),
        ...(waitMs > 0 ? { wait: ms(waitMs) } : {}),
        ...(waitMs > POLL_MS ? { poll: ms(POLL_MS) } : {}),
        ...(repeat > 0 ? { repeat } : {}),
      });
    }
    case 'release': {
      const { force } = message;
      const forced = force === null ? {} : { force: true, reason: force };
      return post(LOCK_PATH, { action: 'unlock', ...meant(message), ...forced });
    }
    case 'extend': {
      const { leaseMs, mode, token, waitMs } = message;
      return post(LOCK_PATH, {
        action: 'extend',
        ...meant(message),
        ...(leaseMs === null ? {} : { timeout: leaseOf(leaseMs) }),
        ...(mode === null ? {} : { lock_type: mode }),
        ...(token === null ? {} : { fencing_token: token }),
        ...(waitMs > 0 ? { wait: ms(waitMs) } : {}),
      });
    }
    case 'cancel':
      return post(LOCK_PATH, { action: 'cancel', ...meant(message) });
    case 'status':
      return post(LOCK_PATH, { action: 'status', scope: message.scope });
    case 'watch':
      return { method: 'GET', path: `${EVENTS_PATH}?scope=${encodeURIComponent(message.scope)}` };
    case 'open':
      return post(SESSIONS_PATH, { ttl: ms(message.ttlMs), holder: message.holder });
    case 'beat':
      return { method: 'POST', path: `${SESSIONS_PATH}/${message.session}/heartbeat` };
    case 'close':
      return { method: 'DELETE', path: `${SESSIONS_PATH}/${message.session}` };
  }
}

function post(path: string, body: Readonly<Record<string, unknown>>): HttpRequest {
  return { method: 'POST', path, body };
}

function meant({ scope, lockId, holder }: { scope: string; lockId: string | null; holder: string | null }) {
  return { scope, ...(lockId === null ? {} : { lock_id: lockId }), ...(holder === null ? {} : { holder }) };
}

function ms(value: number): string {
  return `${Math.ceil(value)}ms`;
}

function leaseOf(leaseMs: number): string {
  return leaseMs === NO_EXPIRY ? 'none' : ms(leaseMs);
}

type Json = Readonly<Record<string, unknown>>;

/** @returns undefined if this is no answer that a peer gives. */
export function answerOf(message: Draft, status: number, body: unknown): Answer | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const json = body as Json;
  if (status !== 200)
    return typeof json.code === 'string' ? { kind: 'refused', id: 0, body: json } : undefined;
  switch (json.status) {
    case 'locked':
    case 'free':
      return message.kind === 'status' ? { kind: 'status', id: 0, body: json } : lockedOf(json);
    case 'unlocked':
      return unlockedOf(json);
    case 'cancelled':
      return cancelledOf(json);
    default:
      return typeof json.session === 'string' ? sessionOf(json) : undefined;
  }
}

function lockedOf(json: Json): Locked | undefined {
  const token = json.fencing_token;
  if (!isNatural(token) || typeof json.lock_id !== 'string') return undefined;
  return {
    kind: 'locked',
    id: 0,
    token: token as Locked['token'],
    leaseMs: json.timeout_ms === null ? NO_EXPIRY : numberOf(json.timeout_ms, 0),
    leftMs: numberOf(json.expires_in_ms, -1),
    at: Date.parse(String(json.acquired_at)) || 0,
    sets: json.already_held !== true,
    waitedMs: numberOf(json.waited_ms, 0),
    ...votesOf(json.quorum),
    waiters: numberOf((json.contention as Json | undefined)?.waiters, 0),
    slot: numberOf(json.slot, 0),
    mode: json.lock_type as Locked['mode'],
    lockId: json.lock_id as LockId,
    holder: String(json.holder),
  };
}

function unlockedOf(json: Json): Unlocked {
  const token = numberOf(json.fencing_token, 0) as Unlocked['token'];
  return { kind: 'unlocked', id: 0, token, ...votesOf(json.quorum), lockId: json.lock_id as LockId };
}

function cancelledOf(json: Json): Cancelled {
  return { kind: 'cancelled', id: 0, ...votesOf(json.quorum) };
}

function sessionOf(json: Json): SessionTold {
  const session = json.session as SessionId;
  const locks = [...entriesOf(json.locks), ...entriesOf(json.waiting)];
  return { kind: 'session', id: 0, session, ttlMs: numberOf(json.ttl_ms, 0), locks };
}

function entriesOf(entries: unknown): SessionLock[] {
  if (!Array.isArray(entries)) return [];
  return (entries as readonly Json[]).map(({ scope, lock_id, fencing_token }) => ({
    scope: String(scope),
    lockId: String(lock_id) as LockId,
    token: numberOf(fencing_token, 0) as SessionLock['token'],
  }));
}

/** "2/3 nodes agreed". */
function votesOf(quorum: unknown): { votes: number; voters: number } {
  const [votes = 0, voters = 0] = (/^(\d+)\/(\d+)/.exec(String(quorum)) ?? []).slice(1).map(Number);
  return { votes, voters };
}

function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function numberOf(value: unknown, other: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : other;
}
