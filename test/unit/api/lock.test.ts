/** POST /api/v1.0/lock against a real core: what is answered when all is well, and who may do what. */
import { beforeEach, describe, expect, test } from 'vitest';
import { locked, status, unlocked } from '../../../src/api/answers.ts';
import { type House, house, type Json } from './harness.ts';

const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';
const OTHER = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a12';

let at: House;
beforeEach(async () => {
  at = await house();
});

async function lock(fields: object = {}, headers?: Record<string, string>): Promise<Json & { http: number }> {
  const { status: http, json } = await at.lock({ scope: 'db', action: 'lock', ...fields }, headers);
  return { ...json, http };
}

const act = (action: string, fields: object = {}, headers?: Record<string, string>) =>
  lock({ action, ...fields }, headers);

describe('lock', () => {
  test('answers all that the contract names', async () => {
    const { status: code, json } = await at.lock({ scope: 'db', action: 'lock', timeout: '30s' });
    expect(code).toBe(200);
    expect(locked.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      status: 'locked',
      scope: 'db',
      quorum: '1/1 nodes agreed',
      lock_type: 'write',
      fencing_token: 1,
      timeout: '30s',
      timeout_ms: 30_000,
      waited_ms: 0,
      priority: 'normal',
      reason: null,
      session: null,
      contention: { waiters: 0, hold_duration: null, conflict_rate: '0%' },
    });
    expect(json.lock_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
    expect(json.holder).toMatch(/^p1-[0-9a-f]{10}-1$/);
    expect(json.expires_in_ms).toBeGreaterThan(29_000);
    expect(Math.abs(Date.parse(json.acquired_at) - Date.now())).toBeLessThan(5_000);
    expect(json).not.toHaveProperty('already_held');
  });

  test.each([
    [{}, 'auto', 300_000],
    [{ timeout: 'auto' }, 'auto', 300_000],
    [{ timeout: 'auto', max_timeout: '2s' }, 'auto', 2_000],
    [
      { min_timeout: '1s', max_timeout: 90, learning_window: '7d', operation: 'm', complexity: 2 },
      'auto',
      90_000,
    ],
    [{ timeout: 45 }, 45, 45_000],
    [{ timeout: '45' }, '45', 45_000],
    [{ timeout: '10m', max_timeout: '20s' }, '10m', 600_000],
    [{ timeout: 'none' }, 'none', null],
    [{ wait: '0', priority: 'normal', lock_type: 'write', force: false }, 'auto', 300_000],
    [{ wait: 0 }, 'auto', 300_000],
  ])('%j is a lease of %j: %j ms', async (fields, timeout, timeoutMs) => {
    const answer = await lock(fields);
    expect(answer).toMatchObject({ http: 200, timeout, timeout_ms: timeoutMs });
    if (timeoutMs === null) expect(answer.expires_in_ms).toBeNull();
    else expect(answer.expires_in_ms).toBeLessThanOrEqual(timeoutMs);
  });

  test('a repeat of the lock_id is the same grant, in either case of its letters', async () => {
    const first = await lock({ lock_id: ID.toUpperCase() });
    expect(first).toMatchObject({ http: 200, lock_id: ID });
    expect(first).not.toHaveProperty('already_held');
    const again = await lock({ lock_id: ID, repeat: 1 });
    const { holder, fencing_token } = first;
    expect(again).toMatchObject({ http: 200, already_held: true, lock_id: ID, holder, fencing_token });
  });

  test('a holder that holds is told so, with that lock', async () => {
    const first = await lock({ holder: 'w' });
    const again = await lock({ holder: 'w' });
    expect(again).toMatchObject({ http: 200, already_held: true, holder: 'w', lock_id: first.lock_id });
  });

  test('somebody else is busy: holders, Retry-After, and nothing changed', async () => {
    const first = await lock({ holder: 'w', timeout: '30s' });
    const { status: code, json, headers } = await at.lock({ scope: 'db', action: 'lock' });
    expect(code).toBe(423);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(headers['retry-after']).toMatch(/^[1-5]$/);
    expect(json).toMatchObject({ code: 'busy', certainty: 'definite', scope: 'db', status: 423 });
    expect(json.holders).toHaveLength(1);
    expect(json.holders[0]).toMatchObject({ holder: 'w', lock_id: first.lock_id, timeout_ms: 30_000 });
    expect(json.detail).toContain('w');
  });

  test('two requests without a name are two holders', async () => {
    const [a, b] = await Promise.all([lock(), lock()]);
    expect([a.http, b.http].sort()).toEqual([200, 423]);
  });

  test('the made-up holder of one client is never that of another, whatever their lock ids', async () => {
    await lock({ lock_id: '00000000-0000-0000-0000-000000000001' });
    expect(await lock({ lock_id: '11111111-0000-0000-0000-000000000001' })).toMatchObject({ http: 423 });
  });

  test("somebody else's lock_id is not_holder, and tells whose it is", async () => {
    await lock({ lock_id: ID, holder: 'w' });
    expect(await lock({ lock_id: ID, holder: 'v' })).toMatchObject({
      code: 'not_holder',
      certainty: 'definite',
      existing: { holder: 'w', lock_id: ID },
    });
  });

  test('a lock_id that ended is stale_grant, and says how it ended', async () => {
    await lock({ lock_id: ID });
    await act('unlock', { lock_id: ID });
    expect(await lock({ lock_id: ID })).toMatchObject({
      code: 'stale_grant',
      ending: 'released',
      lock_id: ID,
      fencing_token: 1,
      existing: null,
    });
  });

  test('the name comes from the field, else from the header', async () => {
    expect(await lock({}, { 'x-lock-holder': 'h' })).toMatchObject({ holder: 'h' });
    expect(await lock({ scope: 'b', holder: 'f' }, { 'x-lock-holder': 'h' })).toMatchObject({ holder: 'f' });
    const utf8 = Buffer.from('wörker').toString('latin1');
    expect(await lock({ scope: 'c' }, { 'x-lock-holder': utf8 })).toMatchObject({ holder: 'wörker' });
  });

  test.each([
    ['', /X-Lock-Holder is empty: give 1 to 256 bytes/],
    ['x'.repeat(257), /X-Lock-Holder is 257 bytes long/],
    ['w\u00f6', /X-Lock-Holder is no valid UTF-8/],
  ])('the header %j is refused by name', async (header, why) => {
    expect(await lock({}, { 'x-lock-holder': header })).toMatchObject({
      status: 400,
      detail: expect.stringMatching(why),
    });
  });

  test('tokens grow with each grant', async () => {
    for (let token = 1; token <= 5; token++) {
      expect(await lock()).toMatchObject({ fencing_token: token });
      await act('unlock');
    }
  });

  test('contention counts conflicts and holds', async () => {
    await lock({ holder: 'a' });
    for (let i = 0; i < 3; i++) await lock({ holder: 'b' });
    at.peer.skip(2_300);
    await act('unlock', { holder: 'a' });
    const { contention } = await act('status');
    expect(contention).toEqual({ waiters: 0, hold_duration: '2.3s', conflict_rate: '75%' });
  });
});

describe('unlock', () => {
  test('with nothing but a scope ends a lock without a name', async () => {
    const { lock_id, fencing_token } = await lock();
    const { status: code, json } = await at.lock({ scope: 'db', action: 'unlock' });
    expect(code).toBe(200);
    expect(unlocked.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      status: 'unlocked',
      scope: 'db',
      lock_id,
      fencing_token,
    });
    expect(json.quorum).toBe('1/1 nodes agreed');
    expect(await act('status')).toMatchObject({ status: 'free' });
  });

  test('with nothing but a scope leaves a lock with a name', async () => {
    await lock({ holder: 'w' });
    expect(await act('unlock')).toMatchObject({ code: 'not_holder', holders: [{ holder: 'w' }] });
    expect(await act('status')).toMatchObject({ status: 'locked' });
  });

  test('by holder, by header, by lock_id', async () => {
    await lock({ holder: 'w' });
    expect(await act('unlock', { holder: 'v' })).toMatchObject({
      code: 'not_holder',
      existing: { holder: 'w' },
    });
    expect(await act('unlock', { holder: 'w' })).toMatchObject({ status: 'unlocked' });
    await lock({}, { 'x-lock-holder': 'w' });
    expect(await act('unlock', {}, { 'x-lock-holder': 'w' })).toMatchObject({ status: 'unlocked' });
    await lock({ lock_id: ID, holder: 'w' });
    expect(await act('unlock', { lock_id: OTHER })).toMatchObject({ code: 'not_found' });
    expect(await act('unlock', { lock_id: ID })).toMatchObject({ status: 'unlocked', lock_id: ID });
  });

  test('repeated with the lock_id answers as the first did', async () => {
    await lock({ lock_id: ID });
    const first = await act('unlock', { lock_id: ID });
    const again = await act('unlock', { lock_id: ID });
    expect(again).toMatchObject({
      http: 200,
      status: 'unlocked',
      lock_id: ID,
      fencing_token: first.fencing_token,
    });
  });

  test('of a free scope is not_found', async () => {
    expect(await act('unlock')).toMatchObject({ status: 404, code: 'not_found', certainty: 'definite' });
  });

  test('of a lease that ran out is stale_grant', async () => {
    await lock({ lock_id: ID, timeout: '1s' });
    at.peer.skip(1_100);
    await expect.poll(async () => (await act('status')).status).toBe('free');
    expect(await act('unlock', { lock_id: ID })).toMatchObject({ code: 'stale_grant', ending: 'expired' });
  });
});

describe('status', () => {
  test('of a held scope shows the holder whole', async () => {
    const first = await lock({ holder: 'w', timeout: '30s' });
    const { status: code, json } = await at.lock({ scope: 'db', action: 'status' });
    expect(code).toBe(200);
    expect(status.parse(json)).toEqual(json);
    expect(json).toMatchObject({ status: 'locked', lock_type: 'write', fencing_token: 1, waiters: [] });
    expect(json.holders).toEqual([
      {
        holder: 'w',
        lock_id: first.lock_id,
        lock_type: 'write',
        fencing_token: 1,
        acquired_at: first.acquired_at,
        expires_in_ms: expect.any(Number),
        timeout_ms: 30_000,
        priority: 'normal',
        reason: null,
        session: null,
        takeover_ms: 30_300,
      },
    ]);
  });

  test('of a lock without an end shows nulls', async () => {
    await lock({ timeout: 'none' });
    const { holders } = await act('status');
    expect(holders[0]).toMatchObject({ timeout_ms: null, expires_in_ms: null, takeover_ms: null });
  });

  test('of a free scope has empty lists and the last token', async () => {
    expect(await act('status')).toMatchObject({ status: 'free', fencing_token: 0, holders: [], waiters: [] });
    await lock();
    await act('unlock');
    expect(await act('status')).toMatchObject({ status: 'free', fencing_token: 1, lock_type: null });
  });
});

describe('extend', () => {
  test('answers like lock and never shortens', async () => {
    const first = await lock({ timeout: '30s' });
    const { json } = await at.lock({ scope: 'db', action: 'extend', timeout: '10m' });
    expect(locked.parse(json)).toEqual(json);
    const { lock_id, fencing_token, holder } = first;
    expect(json).toMatchObject({
      status: 'locked',
      lock_id,
      fencing_token,
      holder,
      timeout: '10m',
      timeout_ms: 600_000,
    });
    expect(await act('extend', { timeout: '1s' })).toMatchObject({ timeout: '1s', timeout_ms: 600_000 });
    expect(await act('extend', { timeout: 'none' })).toMatchObject({ timeout: 'none', timeout_ms: null });
  });

  test('of what is not there, not ours, or over', async () => {
    expect(await act('extend')).toMatchObject({ status: 404, code: 'not_found' });
    await lock({ holder: 'w', lock_id: ID });
    expect(await act('extend')).toMatchObject({ status: 409, code: 'not_holder' });
    await act('unlock', { lock_id: ID });
    expect(await act('extend', { lock_id: ID })).toMatchObject({ status: 409, code: 'stale_grant' });
  });
});
