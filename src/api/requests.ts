/**
 * What doors ask of the core, as far as it does not hang on how a client says it.
 * Always true: two doors that mean the same ask the same.
 */
import type { LockId, SessionId } from '../lock/state.ts';
import type { ReleaseRequest, SessionRequest } from '../peer/request.ts';
import type { Door } from './door.ts';
import { invalid, type Problem } from './problems.ts';
import { AUTO_MAX_MS } from './schemas.ts';

/** The lease of `auto` in milliseconds: the most that it may choose, as long as nothing is learned. */
export function autoLease(mostMs = AUTO_MAX_MS): number {
  return mostMs;
}

export type ForcedRelease = ReleaseRequest & { readonly force: NonNullable<ReleaseRequest['force']> };

/** @param lockId null: of all holders. @param by who does it. @param at wall clock, for people. */
export function forcedRelease(
  scope: string,
  lockId: LockId | null,
  by: string,
  reason: string,
  at: number,
): ForcedRelease {
  return { op: 'release', scope, lockId, holder: null, force: { by, reason }, at };
}

/** What was taken from its holder is written down. @param lockId the lock that was released. */
export function noteForced(
  { log }: Door,
  { scope, force: { by, reason } }: ForcedRelease,
  lockId: string,
  token: number,
): void {
  log.warn({ scope, lock_id: lockId, by, reason, token }, 'a lock was released by force');
}

export function openRequest(session: SessionId, holder: string, ttlMs: number, at: number): SessionRequest {
  return { op: 'open_session', session, holder, ttlMs, list: false, at };
}

/** @param list whether the answer shall list the session's locks and places. */
export function beatRequest(session: SessionId, list: boolean, at: number): SessionRequest {
  return { op: 'beat_session', session, holder: '', ttlMs: 0, list, at };
}

export function closeRequest(session: SessionId, at: number): SessionRequest {
  return { op: 'close_session', session, holder: '', ttlMs: 0, list: false, at };
}

/** The scope alone does not tell one client's place in the queue from another's. */
export function cancelsNothing(): Problem {
  const detail = 'is missing: cancel needs the lock_id that waits, or its holder';
  return invalid([{ field: 'lock_id', detail }]);
}
