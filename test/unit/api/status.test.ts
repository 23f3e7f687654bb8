/** What is shown of a scope: by a vote, and from a peer's memory. */
import { describe, expect, test } from 'vitest';
import { listAnswer, status } from '../../../src/api/answers.ts';
import { SESSION_SCOPE_PREFIX } from '../../../src/lock/plain.ts';
import { join, NOBODY } from '../../../src/lock/queue.ts';
import type { Grant, LockId, SessionId, Waiter } from '../../../src/lock/state.ts';
import { house, type Json } from './harness.ts';
import { decided, grant, ID, OTHER, register, ScriptedPeer, view, waiter } from './scripted.ts';

const session = ID as string as SessionId;

async function shown(holders: readonly Grant[], waiters = [waiter()]): Promise<Json> {
  const reply = decided({ kind: 'state' }, { lockId: null, view: view(holders, { waiters }) });
  const at = await house({ peer: new ScriptedPeer(() => reply) });
  const { json } = await at.lock({ scope: 'db', action: 'status' });
  expect(status.parse(json)).toEqual(json);
  const again = await at.get('/api/v1.0/locks/db');
  expect({ ...again.json, waiters: json.waiters }).toEqual(json);
  return json;
}

test('readers, each with its own', async () => {
  const { lock_type, holders } = await shown([
    grant({ mode: 'read', holder: 'r1', priority: 'high', reason: 'report' }),
    grant({ mode: 'read', holder: 'r2', lockId: OTHER, session, ttlMs: 6_000 }),
  ]);
  expect(lock_type).toBe('read');
  expect(holders).toMatchObject([
    { holder: 'r1', lock_type: 'read', priority: 'high', reason: 'report', session: null },
    { holder: 'r2', lock_type: 'read', priority: 'normal', reason: null, session: ID },
  ]);
});

test.each([
  ['the lease', { leaseMs: 30_000 }, 30_300],
  ['the session, if that is shorter', { leaseMs: 30_000, session, ttlMs: 6_000 }, 6_060],
  ['the lease, if that is shorter', { leaseMs: 1_000, session, ttlMs: 6_000 }, 1_010],
  ['the session alone', { leaseMs: 0, session, ttlMs: 333 }, 337],
  ['nothing', { leaseMs: 0 }, null],
])('after a crash others wait for %s', async (_what, fields, ms) => {
  const { holders } = await shown([grant(fields)]);
  expect(holders[0].takeover_ms).toBe(ms);
});

test('who waits, in order, and for how long', async () => {
  const now = Date.now();
  const waiters = [
    waiter({ holder: 'w1', priority: 'high', reason: 'incident_recovery', at: now - 1_200 }),
    waiter({ holder: 'w2', mode: 'read', lockId: ID, at: now + 60_000 }),
  ];
  const json = await shown([grant()], waiters);
  expect(json.waiters).toEqual([
    {
      holder: 'w1',
      lock_id: OTHER,
      lock_type: 'write',
      priority: 'high',
      reason: 'incident_recovery',
      queue_position: 1,
      waiting_ms: expect.any(Number),
    },
    {
      holder: 'w2',
      lock_id: ID,
      lock_type: 'read',
      priority: 'normal',
      reason: null,
      queue_position: 2,
      waiting_ms: 0, // its clock is ahead
    },
  ]);
  expect(json.waiters[0].waiting_ms).toBeGreaterThanOrEqual(1_200);
  expect(json.waiters[0].waiting_ms).toBeLessThan(10_000);
  expect(json.contention.waiters).toBe(2);
});

describe('the list from memory', () => {
  function queue(count: number) {
    let all = NOBODY;
    for (let i = 1; i <= count; i++) {
      const id = `01998b4e-7d1c-7a1e-9c43-${String(i).padStart(12, '0')}` as LockId;
      all = join(all, { ...waiter({ lockId: id, holder: `w${i}` }), arrival: i } as Waiter);
    }
    return all;
  }

  test('shows readers and who waits, and no sessions', async () => {
    const peer = new ScriptedPeer(() => decided({ kind: 'state' }));
    const readers = [
      grant({ mode: 'read', holder: 'r1' }),
      grant({ mode: 'read', holder: 'r2', lockId: OTHER }),
    ];
    peer.registers = [
      [`${SESSION_SCOPE_PREFIX}${ID}`, register([grant()])],
      ['read', register(readers, { queue: queue(2) })],
      ['kept places only', register([])],
    ];
    const at = await house({ peer });
    const { json } = await at.get('/api/v1.0/locks');
    expect(listAnswer.parse(json)).toEqual(json);
    expect(json.locks).toHaveLength(1);
    expect(json.locks[0]).toMatchObject({
      scope: 'read',
      lock_type: 'read',
      holders: [{ holder: 'r1' }, { holder: 'r2' }],
      waiters: [
        { holder: 'w1', queue_position: 1 },
        { holder: 'w2', queue_position: 2 },
      ],
      contention: { waiters: 2 },
    });
  });

  test('shows the first of many who wait, and counts all', async () => {
    const peer = new ScriptedPeer(() => decided({ kind: 'state' }));
    peer.registers = [['db', register([grant()], { queue: queue(250) })]];
    const { json } = await (await house({ peer })).get('/api/v1.0/locks');
    expect(json.locks[0].waiters).toHaveLength(100);
    expect(json.locks[0].contention.waiters).toBe(250);
  });
});
