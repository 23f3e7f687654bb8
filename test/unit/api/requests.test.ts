/** What the door asks the core for: every field finds its way, and nothing else does. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { LockId } from '../../../src/lock/state.ts';
import { implicitSession } from '../../../src/peer/sessions.ts';
import { type House, house, type Json } from './harness.ts';
import { decided, grant, ID, OTHER, ScriptedPeer } from './scripted.ts';

let at: House<ScriptedPeer>;
beforeEach(async () => {
  at = await house({
    peer: new ScriptedPeer(() => decided({ kind: 'granted', grant: grant(), repeat: false })),
  });
});

async function asked(body: object, headers?: Record<string, string>): Promise<Json> {
  await at.lock({ scope: 'db', ...body }, headers);
  expect(at.peer.asked).toHaveLength(1);
  return at.peer.asked[0]!;
}

describe('lock', () => {
  test('without more asks for a write lock, at once, for nobody in particular', async () => {
    expect(await asked({ action: 'lock' })).toEqual({
      op: 'acquire',
      permits: 0,
      scope: 'db',
      lockId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      made: true,
      holder: expect.stringMatching(/^p1-/),
      named: false,
      mode: 'write',
      priority: 'normal',
      reason: null,
      session: null,
      leaseMs: 300_000,
      waitMs: 0,
      pollMs: null,
      repeat: 0,
      at: expect.any(Number),
    });
  });

  test('hands on all that it was told', async () => {
    const told = { lock_type: 'read', priority: 'high', reason: 'incident', repeat: 3, holder: 'w' };
    const times = { timeout: '1m', wait: '30s', poll: '5s' };
    expect(await asked({ action: 'lock', lock_id: ID.toUpperCase(), ...told, ...times })).toMatchObject({
      lockId: ID,
      made: false,
      holder: 'w',
      named: true,
      mode: 'read',
      priority: 'high',
      reason: 'incident',
      leaseMs: 60_000,
      waitMs: 30_000,
      pollMs: 5_000,
      repeat: 3,
    });
  });

  test('with a heartbeat opens a session of its own, under its lock id', async () => {
    const { session } = await asked({ action: 'lock', lock_id: ID, heartbeat: '2s' });
    expect(session).toEqual({ id: implicitSession(ID as LockId, 'db'), ttlMs: 6_000, implicit: true });
  });

  test('with a heartbeat and a made-up lock id too', async () => {
    const { session, lockId } = await asked({ action: 'lock', heartbeat: '100ms' });
    expect(session).toEqual({ id: implicitSession(lockId as LockId, 'db'), ttlMs: 300, implicit: true });
  });

  test('with a session lives with that', async () => {
    const { session } = await asked({ action: 'lock', session: OTHER.toUpperCase() });
    expect(session).toEqual({ id: OTHER, ttlMs: 0, implicit: false });
  });

  test('the longest times go through', async () => {
    const times = { wait: '7d', poll: '24h', heartbeat: '1d' };
    expect(await asked({ action: 'lock', ...times })).toMatchObject({
      waitMs: 604_800_000,
      pollMs: 86_400_000,
      session: { ttlMs: 3 * 86_400_000 },
    });
  });

  test('a reason of 1024 bytes goes through', async () => {
    const reason = 'é'.repeat(512);
    expect(await asked({ action: 'lock', reason })).toMatchObject({ reason });
  });

  test('the votes have the time of the door, whatever the wait', async () => {
    at = await house({ peer: at.peer, requestMs: 1_234 });
    await asked({ action: 'lock', wait: '1h' });
    expect(at.peer.options[0]).toMatchObject({ timeoutMs: 1_234, asker: { gone: false } });
  });
});

describe('extend', () => {
  test('without a lock_type sets the lease', async () => {
    expect(await asked({ action: 'extend', lock_id: ID, timeout: '1m', wait: '5s' })).toEqual({
      op: 'extend',
      scope: 'db',
      lockId: ID,
      holder: null,
      leaseMs: 60_000,
      replaces: null,
      mode: null,
      token: null,
      waitMs: 0,
      at: expect.any(Number),
    });
  });

  test('with nothing sets the default lease', async () => {
    expect(await asked({ action: 'extend' })).toMatchObject({ leaseMs: 300_000, mode: null });
  });

  test('with a lock_type converts, and leaves the lease alone', async () => {
    expect(await asked({ action: 'extend', holder: 'w', lock_type: 'write', wait: '5s' })).toMatchObject({
      holder: 'w',
      mode: 'write',
      leaseMs: null,
      waitMs: 5_000,
    });
  });

  test('with both does both', async () => {
    expect(await asked({ action: 'extend', lock_type: 'read', timeout: 'none' })).toMatchObject({
      mode: 'read',
      leaseMs: 0,
      waitMs: 0,
    });
  });
});

describe('the other actions', () => {
  test.each([
    [
      { action: 'heartbeat', lock_id: ID, session: OTHER, heartbeat: '5s' },
      { op: 'heartbeat', scope: 'db', lockId: ID, holder: null },
    ],
    [
      { action: 'heartbeat', holder: 'w' },
      { op: 'heartbeat', scope: 'db', lockId: null, holder: 'w' },
    ],
    [
      { action: 'cancel', lock_id: ID },
      { op: 'cancel', scope: 'db', lockId: ID, holder: null, at: expect.any(Number) },
    ],
    [
      { action: 'unlock', lock_id: ID, session: OTHER, force: false, reason: 'done' },
      { op: 'release', scope: 'db', lockId: ID, holder: null, force: null, at: expect.any(Number) },
    ],
    [{ action: 'status' }, { op: 'status', scope: 'db' }],
  ])('%j', async (body, request) => {
    expect(await asked(body)).toEqual(request);
  });

  test('cancel finds the holder in the header too', async () => {
    expect(await asked({ action: 'cancel' }, { 'x-lock-holder': 'w' })).toMatchObject({ holder: 'w' });
  });
});

describe('force', () => {
  const forced = { action: 'unlock', force: true, reason: 'stuck since noon' };

  test('releases whoever holds: the holder name says who does it', async () => {
    at.peer.answer = () => decided({ kind: 'released', token: grant().token, repeat: false });
    expect(await asked({ ...forced, holder: 'op' })).toMatchObject({
      op: 'release',
      lockId: null,
      holder: null,
      force: { by: 'op', reason: 'stuck since noon' },
    });
  });

  test('releases the lock id that it names', async () => {
    expect(await asked({ ...forced, lock_id: ID })).toMatchObject({
      lockId: ID,
      force: { by: 'anonymous', reason: 'stuck since noon' },
    });
  });

  test('is written down, with who and why', async () => {
    at.peer.answer = () => decided({ kind: 'released', token: grant().token, repeat: false });
    await at.lock({ scope: 'db', ...forced }, { 'x-lock-holder': 'op' });
    expect(at.forced).toEqual([{ scope: 'db', lock_id: ID, by: 'op', reason: 'stuck since noon', token: 7 }]);
  });

  test('is not written down if nothing was released', async () => {
    at.peer.answer = () => decided({ kind: 'not_found' });
    await at.lock({ scope: 'db', ...forced });
    expect(at.forced).toEqual([]);
  });
});
