/** The same requests and answers, as plain HTTP says them. What is asked is what the server's own schemas take. */
import { describe, expect, test } from 'vitest';
import { lockRequest, sessionRequest } from '../../../src/api/schemas.ts';
import { answerOf, requestOf } from '../../../src/client/http-messages.ts';
import type { Draft } from '../../../src/client/way.ts';
import type { LockId, SessionId } from '../../../src/lock/state.ts';

const LOCK_ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11' as LockId;
const SESSION = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a12' as SessionId;
const ACQUIRE = {
  kind: 'acquire',
  id: 7,
  scope: 's',
  lockId: LOCK_ID,
  holder: 'h',
  mode: 'write',
  permits: 0,
  priority: 'high',
  reason: 'why',
  session: SESSION,
  leaseMs: 1_500,
  waitMs: 60_000.2,
  repeat: 2,
} as const;
const MEANT = { id: 1, scope: 's', lockId: LOCK_ID, holder: null } as const;
const STATUS: Draft = { kind: 'status', id: 1, scope: 's' };

describe('a request', () => {
  test.each<[Draft, object]>([
    [
      ACQUIRE as Draft,
      {
        scope: 's',
        action: 'lock',
        lock_id: LOCK_ID,
        holder: 'h',
        lock_type: 'write',
        priority: 'high',
        reason: 'why',
        session: SESSION,
        timeout: '1500ms',
        wait: '60001ms',
        poll: '10000ms',
        repeat: 2,
      },
    ],
    [
      { ...ACQUIRE, mode: 'permit', permits: 3, reason: null, leaseMs: null, waitMs: 0, repeat: 0 } as Draft,
      {
        scope: 's',
        action: 'lock',
        lock_id: LOCK_ID,
        holder: 'h',
        lock_type: 'permit',
        permits: 3,
        priority: 'high',
        session: SESSION,
        timeout: 'auto',
      },
    ],
    [
      { kind: 'release', ...MEANT, force: null },
      { action: 'unlock', scope: 's', lock_id: LOCK_ID },
    ],
    [
      { kind: 'release', ...MEANT, lockId: null, holder: 'me', force: 'why' },
      { action: 'unlock', scope: 's', holder: 'me', force: true, reason: 'why' },
    ],
    [
      { kind: 'extend', ...MEANT, leaseMs: 0, mode: null, token: null, waitMs: 0 },
      { action: 'extend', scope: 's', lock_id: LOCK_ID, timeout: 'none' },
    ],
    [
      { kind: 'cancel', ...MEANT },
      { action: 'cancel', scope: 's', lock_id: LOCK_ID },
    ],
    [STATUS, { action: 'status', scope: 's' }],
  ])('%j', (message, body) => {
    const request = requestOf(message);
    expect(request).toMatchObject({ method: 'POST', path: '/api/v1.0/lock' });
    expect(request.body).toEqual(body);
    expect(lockRequest.safeParse(request.body).error).toBeUndefined();
  });

  test('of a session', () => {
    const open = requestOf({ kind: 'open', id: 1, ttlMs: 10_000, holder: 'h' });
    expect(open).toEqual({
      method: 'POST',
      path: '/api/v1.0/sessions',
      body: { ttl: '10000ms', holder: 'h' },
    });
    expect(sessionRequest.safeParse(open.body).error).toBeUndefined();
    const of = (kind: 'beat' | 'close') => requestOf({ kind, id: 1, session: SESSION, list: true });
    expect(of('beat')).toEqual({ method: 'POST', path: `/api/v1.0/sessions/${SESSION}/heartbeat` });
    expect(of('close')).toEqual({ method: 'DELETE', path: `/api/v1.0/sessions/${SESSION}` });
  });

  test('for events', () => {
    expect(requestOf({ kind: 'watch', id: 1, scope: 'a b/ö' }).path).toBe(
      '/api/v1.0/events?scope=a%20b%2F%C3%B6',
    );
  });
});

describe('an answer', () => {
  const locked = {
    status: 'locked',
    scope: 's',
    quorum: '2/3 nodes agreed',
    holder: 'h',
    lock_id: LOCK_ID,
    lock_type: 'permit',
    slot: 4,
    fencing_token: 42,
    timeout_ms: 1_500,
    expires_in_ms: 1_400,
    acquired_at: '2026-11-20T22:00:00.000Z',
    waited_ms: 12,
    contention: { waiters: 3 },
  };

  test('that it is locked', () => {
    expect(answerOf(ACQUIRE as Draft, 200, locked)).toEqual({
      kind: 'locked',
      id: 0,
      token: 42,
      leaseMs: 1_500,
      leftMs: 1_400,
      at: Date.UTC(2026, 10, 20, 22),
      sets: true,
      waitedMs: 12,
      votes: 2,
      voters: 3,
      waiters: 3,
      slot: 4,
      mode: 'permit',
      lockId: LOCK_ID,
      holder: 'h',
    });
  });

  test('that it was held already, without an end', () => {
    const more = { already_held: true, timeout_ms: null, expires_in_ms: null };
    expect(answerOf(ACQUIRE as Draft, 200, { ...locked, ...more })).toMatchObject({
      sets: false,
      leaseMs: 0,
      leftMs: -1,
    });
  });

  test('of the other kinds', () => {
    const quorum = '3/5 nodes agreed';
    const ended = { scope: 's', quorum, lock_id: LOCK_ID, fencing_token: 42 };
    expect(
      answerOf({ kind: 'release', ...MEANT, force: null }, 200, { status: 'unlocked', ...ended }),
    ).toEqual({
      kind: 'unlocked',
      id: 0,
      token: 42,
      votes: 3,
      voters: 5,
      lockId: LOCK_ID,
    });
    expect(answerOf({ kind: 'cancel', ...MEANT }, 200, { status: 'cancelled', ...ended })).toEqual({
      kind: 'cancelled',
      id: 0,
      votes: 3,
      voters: 5,
    });
    expect(answerOf({ kind: 'cancel', ...MEANT }, 200, locked)).toMatchObject({ kind: 'locked', token: 42 });
    const status = { status: 'locked', scope: 's', holders: [] };
    expect(answerOf(STATUS, 200, status)).toEqual({ kind: 'status', id: 0, body: status });
  });

  test('of a session: its locks, and its places with the token 0', () => {
    const body = {
      session: SESSION,
      ttl_ms: 10_000,
      locks: [{ scope: 's', lock_id: LOCK_ID, fencing_token: 42 }],
      waiting: [{ scope: 't', lock_id: 'w' }],
    };
    expect(answerOf({ kind: 'beat', id: 1, session: SESSION, list: true }, 200, body)).toEqual({
      kind: 'session',
      id: 0,
      session: SESSION,
      ttlMs: 10_000,
      locks: [
        { scope: 's', lockId: LOCK_ID, token: 42 },
        { scope: 't', lockId: 'w', token: 0 },
      ],
    });
  });

  test('nothing but 200 means that a lock is held', () => {
    for (const status of [201, 204, 302, 423, 500]) {
      expect(answerOf(ACQUIRE as Draft, status, locked)?.kind).toBeUndefined();
    }
    const problem = { code: 'busy', detail: 'x' };
    expect(answerOf(ACQUIRE as Draft, 423, problem)).toEqual({ kind: 'refused', id: 0, body: problem });
  });

  test.each([undefined, null, 'ok', [], {}, { status: 'locked' }, { status: 'locked', fencing_token: '1' }])(
    '%j is none',
    (body) => {
      expect(answerOf(ACQUIRE as Draft, 200, body)).toBeUndefined();
    },
  );
});
