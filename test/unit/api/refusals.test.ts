/** What each reply of the core becomes, row by row: status, code, certainty and what to do next. */
import { describe, expect, test } from 'vitest';
import { locked, problem } from '../../../src/api/answers.ts';
import type { SessionId } from '../../../src/lock/state.ts';
import type { ClientReply } from '../../../src/peer/request.ts';
import { type Answered, house } from './harness.ts';
import { decided, grant, ID, OTHER, ScriptedPeer, view, waiter } from './scripted.ts';

async function answered(action: string, reply: ClientReply, fields: object = {}): Promise<Answered> {
  const at = await house({ peer: new ScriptedPeer(() => reply) });
  const answer = await at.lock({ scope: 'db', action, lock_id: ID, ...fields });
  expect(at.bugs).toEqual([]);
  if (answer.status !== 200) expect(problem.parse(answer.json)).toEqual(answer.json);
  return answer;
}

const token = grant().token;
const others = { view: view([grant({ holder: 'a', lockId: OTHER })]) };
const ended = (ending: 'released' | 'expired' | 'cancelled' | 'crashed' | 'forced', note: string | null) =>
  decided({ kind: 'ended', ending, token, note });

describe('lock', () => {
  const rows: [string, ClientReply, number, object][] = [
    [
      'busy',
      decided({ kind: 'busy', position: 3 }, others),
      423,
      { code: 'busy', queue_position: 3, lock_id: ID, holders: [{ holder: 'a' }] },
    ],
    [
      'still in the queue',
      { kind: 'waiting', position: 2, votes: 2, voters: 3, ...others },
      423,
      { code: 'waiting', queue_position: 2, lock_id: ID, holders: [{ holder: 'a' }] },
    ],
    [
      'queued at the end',
      decided({ kind: 'queued', position: 4 }, others),
      423,
      { code: 'waiting', queue_position: 4, lock_id: ID },
    ],
    [
      'the queue is full',
      decided({ kind: 'full' }),
      429,
      { code: 'overloaded', limit: expect.stringContaining('20000') },
    ],
    [
      'a limit of the peer',
      { kind: 'overloaded', limit: '100000 requests wait at this peer' },
      429,
      { code: 'overloaded', limit: '100000 requests wait at this peer', lock_id: ID },
    ],
    [
      'it reads, and wants to write',
      decided({ kind: 'deadlock', grant: grant({ mode: 'read', lockId: OTHER }) }),
      409,
      {
        code: 'deadlock',
        existing: { lock_id: OTHER, lock_type: 'read', fencing_token: 7 },
        next: expect.stringMatching(/extend with its lock_id and lock_type.*release it/),
      },
    ],
    [
      'a dead session',
      { kind: 'no_session', session: OTHER as string as SessionId },
      404,
      {
        code: 'not_found',
        session: OTHER,
        scope: 'db',
        next: expect.stringContaining('open a new session'),
      },
    ],
    [
      "somebody else's lock id",
      decided({ kind: 'mismatch' }, others),
      409,
      { code: 'not_holder', existing: null, holders: [{ holder: 'a' }] },
    ],
    ['no quorum', { kind: 'no_quorum', missing: [1, 2] }, 503, { code: 'no_quorum', missing: ['p2', 'p3'] }],
    [
      'nobody knows',
      { kind: 'unknown', missing: [] },
      503,
      { code: 'outcome_unknown', certainty: 'indefinite', lock_id: ID },
    ],
    ['what fits no request', decided({ kind: 'swept' }), 500, { code: 'internal' }],
  ];
  test.each(rows)('%s', async (_what, reply, status, body) => {
    const answer = await answered('lock', reply);
    expect(answer.status).toBe(status);
    const certainty = status === 500 ? 'indefinite' : 'definite';
    expect(answer.json).toMatchObject({ certainty, ...body });
  });

  test.each([
    ['released', null, /it was released/],
    ['expired', null, /its lease ran out/],
    ['cancelled', null, /it was given up/],
    ['crashed', null, /the session that it lived with ended/],
    ['forced', 'op: stuck', /it was released by force \(op: stuck\)/],
  ] as const)('that was %s is stale', async (ending, note, words) => {
    const { status, json } = await answered('lock', ended(ending, note));
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: 'stale_grant', ending, fencing_token: 7, existing: null });
    expect(json.detail).toMatch(words);
    expect(json.note).toBe(note ?? undefined);
  });

  test('who polls comes back at once, who was moved away a second later', async () => {
    const reply: ClientReply = { kind: 'waiting', position: 1, votes: 2, voters: 3, ...others };
    const polled = await answered('lock', reply, { wait: '1m', poll: '1s' });
    expect(polled.headers['retry-after']).toBe('0');
    expect((await answered('lock', reply, { wait: '1m' })).headers['retry-after']).toBe('1');
  });

  test.each(['waiting', 'unknown', 'overloaded'])(
    'a made-up lock id is told when it is %s, to be repeated or cancelled',
    async (kind) => {
      const reply = { kind, position: 1, votes: 2, voters: 3, missing: [], limit: 'x', view: view() };
      const at = await house({ peer: new ScriptedPeer(() => reply as unknown as ClientReply) });
      const { json } = await at.lock({ scope: 'db', action: 'lock', wait: '1s' });
      expect(json.lock_id).toBe((at.peer.asked[0] as { lockId?: string }).lockId);
    },
  );

  test('of many holders the text names a few, and the list all', async () => {
    const holders = Array.from({ length: 30 }, (_, i) => grant({ holder: `r${i}`, mode: 'read' }));
    const reply = decided({ kind: 'busy', position: 1 }, { view: view(holders) });
    const { json } = await answered('lock', reply);
    expect(json.detail).toBe('"db" is held by r0, r1, r2, r3, r4 and 25 more.');
    expect(json.holders).toHaveLength(30);
  });
});

describe('the count of the lease', () => {
  test('starts so much later than the send', async () => {
    const reply = decided({ kind: 'granted', grant: grant(), repeat: false }, { countFromMs: 1_234.9 });
    const { json } = await answered('lock', reply, { wait: '5s' });
    expect(locked.parse(json)).toEqual(json);
    expect(json.waited_ms).toBe(1_234); // never more: a holder would believe for longer
    expect(json).not.toHaveProperty('already_held');
  });

  test.each([
    ['a repeat', 'lock', decided({ kind: 'granted', grant: grant(), repeat: true }, { countFromMs: 9 })],
    ['a lock held under another id', 'lock', decided({ kind: 'already_held', grant: grant() })],
    ['a conversion', 'extend', decided({ kind: 'converted', grant: grant({ mode: 'read' }), repeat: false })],
  ])('does not start with %s', async (_what, action, reply) => {
    const { status, json } = await answered(action, reply);
    expect(status).toBe(200);
    expect(json).toMatchObject({ already_held: true, waited_ms: 0 });
  });
});

describe('extend', () => {
  test('converts: the new token, and the lease as it was', async () => {
    const reply = decided({ kind: 'converted', grant: grant({ leaseMs: 0 }), repeat: false });
    const { json } = await answered('extend', reply, { lock_type: 'write' });
    expect(locked.parse(json)).toEqual(json);
    expect(json).toMatchObject({
      lock_type: 'write',
      fencing_token: 7,
      timeout: 'none',
      timeout_ms: null,
      expires_in_ms: null,
    });
  });

  test.each([
    ['two upgrades', decided({ kind: 'deadlock', grant: grant({ mode: 'read' }) }), 409, 'deadlock'],
    ['other readers', decided({ kind: 'busy', position: 1 }, others), 423, 'busy'],
    ['an upgrade that waits', decided({ kind: 'upgrading', grant: grant({ mode: 'read' }) }), 423, 'waiting'],
    ['a place in the queue', decided({ kind: 'queued', position: 2 }), 423, 'waiting'],
    ['a token that changed', decided({ kind: 'outdated', grant: grant() }), 409, 'stale_grant'],
    ['what is not there', decided({ kind: 'not_found' }), 404, 'not_found'],
    ["somebody else's", { kind: 'not_holder', votes: 2, voters: 3, ...others } as const, 409, 'not_holder'],
  ])('of %s', async (_what, reply, status, code) => {
    const answer = await answered('extend', reply, { lock_type: 'write' });
    expect([answer.status, answer.json.code]).toEqual([status, code]);
    expect(answer.json.certainty).toBe('definite');
  });
});

describe('unlock', () => {
  test.each([
    ['lock id', { lock_id: ID }, decided({ kind: 'queued', position: 2 })],
    [
      'holder',
      { lock_id: undefined, holder: 'v' },
      {
        kind: 'not_holder',
        votes: 2,
        voters: 3,
        view: view([grant()], { waiters: [waiter({ holder: 'u' }), waiter({ lockId: ID })] }),
      } as const,
    ],
  ])('of what waits, by %s, says so', async (_how, fields, reply) => {
    const { status, json } = await answered('unlock', reply, fields);
    expect(status).toBe(409);
    expect(json).toMatchObject({ code: 'not_holder', lock_id: ID, queue_position: 2 });
    expect(json.detail).toContain('it waits');
    expect(json.next).toContain('action cancel');
  });
});

describe('cancel', () => {
  test('gives up', async () => {
    const { status, json } = await answered('cancel', decided({ kind: 'cancelled' }));
    expect(status).toBe(200);
    const contention = { waiters: 2, hold_duration: null, conflict_rate: '25%' };
    expect(json).toEqual({
      status: 'cancelled',
      scope: 'db',
      quorum: '2/3 nodes agreed',
      lock_id: ID,
      contention,
    });
  });

  test('comes too late for what was granted', async () => {
    const { status, json } = await answered(
      'cancel',
      decided({ kind: 'granted', grant: grant(), repeat: true }),
    );
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: 'locked',
      already_held: true,
      lock_id: ID,
      timeout: '30000ms',
      waited_ms: 0,
    });
  });

  test.each([
    [decided({ kind: 'not_found' }), 404, 'not_found'],
    [ended('expired', null), 409, 'stale_grant'],
    [decided({ kind: 'queued', position: 1 }), 423, 'waiting'],
  ])('%#', async (reply, status, code) => {
    const answer = await answered('cancel', reply);
    expect([answer.status, answer.json.code]).toEqual([status, code]);
  });
});

describe('heartbeat', () => {
  const alive = { beat: true };

  test('of a lock that is held', async () => {
    const session = ID as string as SessionId;
    const reply = decided({ kind: 'granted', grant: grant({ session, ttlMs: 6_000 }), repeat: true }, alive);
    const { status, json } = await answered('heartbeat', reply);
    expect(status).toBe(200);
    expect(locked.parse(json)).toEqual(json);
    expect(json).toMatchObject({ status: 'locked', already_held: true, expires_in_ms: 30_000, session: ID });
  });

  test('of a place in the queue', async () => {
    const { status, json } = await answered('heartbeat', decided({ kind: 'queued', position: 1 }, alive));
    expect([status, json.code, json.queue_position]).toEqual([423, 'waiting', 1]);
  });

  test('of a lock without one says how to keep it', async () => {
    const reply = decided({ kind: 'not_found' }, { view: view([grant()]) });
    const { status, json } = await answered('heartbeat', reply);
    expect([status, json.code]).toEqual([404, 'not_found']);
    expect(json.detail).toContain('has no heartbeat');
    expect(json.next).toContain('action extend');
  });

  test('of a place without one says how to keep it', async () => {
    const { status, json } = await answered('heartbeat', decided({ kind: 'queued', position: 1 }));
    expect([status, json.code]).toEqual([404, 'not_found']);
    expect(json.next).toContain('Repeat the lock request');
  });

  test.each([
    [decided({ kind: 'not_found' }), 404, 'not_found', /is there or ended lately/],
    [ended('crashed', null), 409, 'stale_grant', /the session that it lived with ended/],
  ])('%#', async (reply, status, code, words) => {
    const { status: http, json } = await answered('heartbeat', reply);
    expect([http, json.code]).toEqual([status, code]);
    expect(json.detail).toMatch(words);
  });
});
