/** Readers and the queue over HTTP, against a real core. */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { locked, status } from '../../../src/api/answers.ts';
import { type House, house, type Json } from './harness.ts';

const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';

let at: House;
beforeEach(async () => {
  at = await house();
});

async function act(action: string, fields: object = {}): Promise<Json & { http: number; after?: unknown }> {
  const { status: http, json, headers } = await at.lock({ scope: 'db', action, ...fields });
  return { ...json, http, after: headers['retry-after'] };
}
const lock = (fields: object = {}) => act('lock', fields);
const waiters = async () => (await act('status')).contention.waiters;

async function asLong(condition: () => Promise<boolean>): Promise<void> {
  await expect.poll(condition, { timeout: 5_000 }).toBe(true);
}

describe('readers', () => {
  test('read together, each with a token of its own', async () => {
    const first = await lock({ lock_type: 'read', holder: 'r1', reason: 'report', priority: 'low' });
    expect(first).toMatchObject({ http: 200, lock_type: 'read', reason: 'report', priority: 'low' });
    expect(await lock({ lock_type: 'read', holder: 'r2' })).toMatchObject({ http: 200, fencing_token: 2 });
    const { json } = await at.lock({ scope: 'db', action: 'status' });
    expect(status.parse(json)).toEqual(json);
    expect(json).toMatchObject({ lock_type: 'read', holders: [{ holder: 'r1' }, { holder: 'r2' }] });
    expect(await lock({ holder: 'w' })).toMatchObject({ http: 423, code: 'busy', queue_position: 1 });
  });

  test('convert: down at once, up when alone', async () => {
    await lock({ holder: 'w', timeout: '30s' });
    const down = await act('extend', { holder: 'w', lock_type: 'read' });
    expect(down).toMatchObject({ http: 200, lock_type: 'read', fencing_token: 2, already_held: true });
    await lock({ lock_type: 'read', holder: 'r' });
    const up = await act('extend', { holder: 'w', lock_type: 'write' });
    expect(up).toMatchObject({ http: 423, code: 'busy' });
    await act('unlock', { holder: 'r' });
    const alone = await act('extend', { holder: 'w', lock_type: 'write', timeout: '1m' });
    expect(alone).toMatchObject({ http: 200, lock_type: 'write', fencing_token: 4, timeout_ms: 60_000 });
    expect(alone).not.toHaveProperty('already_held');
  });

  test('do not become writers by asking again', async () => {
    const { lock_id } = await lock({ lock_type: 'read', holder: 'r' });
    const answer = await lock({ holder: 'r' });
    expect(answer).toMatchObject({ http: 409, code: 'deadlock', existing: { lock_id, lock_type: 'read' } });
  });
});

describe('waiting', () => {
  test('ends with the grant, and tells how much of the lease is not to be counted', async () => {
    await lock({ holder: 'a' });
    const waits = lock({ holder: 'b', wait: '10s', timeout: '30s' });
    await asLong(async () => (await waiters()) === 1);
    await sleep(100);
    await act('unlock', { holder: 'a' });
    const granted = await waits;
    expect(granted).toMatchObject({ http: 200, holder: 'b', fencing_token: 2, timeout_ms: 30_000 });
    expect(granted.waited_ms).toBeGreaterThanOrEqual(90);
    expect(granted).not.toHaveProperty('already_held');
    const { http: _http, after: _after, ...json } = granted;
    expect(locked.parse(json)).toEqual(json);
  });

  test('is shown, in order', async () => {
    await lock({ holder: 'a' });
    const all = [lock({ holder: 'b', wait: '10s', priority: 'low' })];
    await asLong(async () => (await waiters()) === 1);
    all.push(lock({ holder: 'c', wait: '10s', priority: 'high', lock_type: 'read', reason: 'incident' }));
    await asLong(async () => (await waiters()) === 2);
    const { json } = await at.lock({ scope: 'db', action: 'status' });
    expect(status.parse(json)).toEqual(json);
    expect(json.waiters).toMatchObject([
      { holder: 'c', lock_type: 'read', priority: 'high', reason: 'incident', queue_position: 1 },
      { holder: 'b', lock_type: 'write', priority: 'low', reason: null, queue_position: 2 },
    ]);
    const { json: list } = await at.get('/api/v1.0/locks');
    expect(list.locks).toMatchObject([{ scope: 'db', waiters: json.waiters.map(anyTime) }]);
    await act('unlock', { holder: 'a' });
    expect((await all[1]!).holder).toBe('c');
    await act('unlock', { holder: 'c' });
    expect((await all[0]!).holder).toBe('b');
  });

  test('ends with busy when the wait is over', async () => {
    await lock({ holder: 'a' });
    const answer = await lock({ holder: 'b', wait: '50ms' });
    expect(answer).toMatchObject({ http: 423, code: 'busy', queue_position: 1, holders: [{ holder: 'a' }] });
    expect(await waiters()).toBe(0);
  });

  test('by polls keeps the place of whoever repeats the lock_id', async () => {
    await lock({ holder: 'a' });
    const first = await lock({ wait: '1m', poll: '20ms' });
    expect(first).toMatchObject({ http: 423, code: 'waiting', queue_position: 1, after: '0' });
    expect(first.holders).toMatchObject([{ holder: 'a' }]);
    const { lock_id } = first;
    const again = lock({ lock_id, repeat: 1, wait: '1m', poll: '30s' });
    await sleep(50);
    await act('unlock', { holder: 'a' });
    expect(await again).toMatchObject({ http: 200, lock_id, fencing_token: 2 });
  });

  test('is given up by cancel', async () => {
    await lock({ holder: 'a' });
    const waits = lock({ holder: 'b', lock_id: ID, wait: '10s' });
    await asLong(async () => (await waiters()) === 1);
    expect(await act('unlock', { lock_id: ID })).toMatchObject({ code: 'not_holder', queue_position: 1 });
    expect(await act('unlock', { holder: 'b' })).toMatchObject({ code: 'not_holder', lock_id: ID });
    const gone = await act('cancel', { holder: 'b' });
    expect(gone).toMatchObject({ http: 200, status: 'cancelled', lock_id: ID });
    expect(await waiters()).toBe(0);
    expect(await waits).toMatchObject({ http: 409, code: 'stale_grant', ending: 'cancelled' });
  });

  test('that was granted is not cancelled', async () => {
    const { lock_id } = await lock({ holder: 'a' });
    const kept = await act('cancel', { lock_id });
    expect(kept).toMatchObject({ http: 200, status: 'locked', already_held: true, lock_id });
  });

  const anyTime = (waiter: object) => ({ ...waiter, waiting_ms: expect.any(Number) });
});

test('force ends every lock of a scope, and says who did it', async () => {
  const { lock_id } = await lock({ lock_type: 'read', holder: 'r1' });
  await lock({ lock_type: 'read', holder: 'r2' });
  const answer = await act('unlock', { force: true, reason: 'stuck', holder: 'op' });
  expect(answer).toMatchObject({ http: 200, status: 'unlocked' });
  expect(await act('status')).toMatchObject({ status: 'free' });
  expect(at.forced).toMatchObject([{ scope: 'db', by: 'op', reason: 'stuck' }]);
  const late = await act('extend', { lock_id });
  expect(late).toMatchObject({ code: 'stale_grant', ending: 'forced', note: 'op: stuck' });
});
