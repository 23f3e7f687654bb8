/** /api/v1.0/sessions: against a real core, and for replies that one gives seldom. */
import { beforeEach, describe, expect, test } from 'vitest';
import { problem, sessionBeat, sessionClosed, sessionOpen } from '../../../src/api/answers.ts';
import type { FencingToken, SessionId } from '../../../src/lock/state.ts';
import type { ClientReply } from '../../../src/peer/request.ts';
import { type House, house, type Json } from './harness.ts';
import { decided, grant, ID, OTHER, ScriptedPeer, view } from './scripted.ts';

const PATH = '/api/v1.0/sessions';

describe('with a real core', () => {
  let at: House;
  beforeEach(async () => {
    at = await house();
  });

  async function open(ttl = '10s'): Promise<string> {
    const { status, json } = await at.call('POST', PATH, { ttl, holder: 'w' });
    expect(status).toBe(200);
    expect(sessionOpen.parse(json)).toEqual(json);
    return json.session;
  }

  const lock = async (fields: object): Promise<Json> =>
    (await at.lock({ scope: 'db', action: 'lock', ...fields })).json;

  test('a session is opened, beaten with its locks, and closed with them', async () => {
    const session = await open();
    expect(session).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    const { lock_id, fencing_token } = await lock({ session, holder: 'w' });
    const beat = await at.call('POST', `${PATH}/${session.toUpperCase()}/heartbeat`);
    expect(beat.status).toBe(200);
    expect(sessionBeat.parse(beat.json)).toEqual(beat.json);
    expect(beat.json).toMatchObject({ session, ttl_ms: 10_000, waiting: [] });
    expect(beat.json.locks).toEqual([{ scope: 'db', lock_id, fencing_token }]);
    const closed = await at.call('DELETE', `${PATH}/${session}`);
    expect(closed.status).toBe(200);
    expect(sessionClosed.parse(closed.json)).toEqual({ session, status: 'closed' });
    await expect.poll(async () => (await lock({ action: 'status' })).status).toBe('free');
    const late = await at.call('POST', `${PATH}/${session}/heartbeat`, {});
    expect(late).toMatchObject({ status: 404, json: { code: 'not_found', session, certainty: 'definite' } });
  });

  test('its death releases its locks', async () => {
    const session = await open('300ms');
    const { lock_id } = await lock({ session });
    at.peer.skip(400);
    await expect.poll(async () => (await lock({ action: 'status' })).status).toBe('free');
    expect(await lock({ action: 'unlock', lock_id })).toMatchObject({
      code: 'stale_grant',
      ending: 'crashed',
    });
  });

  test('a lock with an unknown session is refused', async () => {
    const { json, status } = await at.lock({ scope: 'db', action: 'lock', session: OTHER });
    expect(status).toBe(404);
    expect(json).toMatchObject({ code: 'not_found', session: OTHER, scope: 'db' });
    expect(await lock({ action: 'status' })).toMatchObject({ status: 'free' });
  });

  test('a lock with a heartbeat lives by it', async () => {
    const first = await lock({ heartbeat: '2s', timeout: 'none' });
    expect(first).toMatchObject({
      status: 'locked',
      session: expect.stringContaining(first.lock_id),
      timeout_ms: null,
    });
    expect((await lock({ action: 'status' })).holders[0]).toMatchObject({ takeover_ms: 6_060 });
    at.peer.skip(4_000);
    const beat = await lock({ action: 'heartbeat', lock_id: first.lock_id });
    expect(beat).toMatchObject({ status: 'locked', already_held: true, lock_id: first.lock_id });
    at.peer.skip(4_000);
    expect(await lock({ action: 'status' })).toMatchObject({ status: 'locked' });
    at.peer.skip(3_000);
    await expect.poll(async () => (await lock({ action: 'status' })).status).toBe('free');
  });

  test('a lock without a heartbeat takes none', async () => {
    const { lock_id } = await lock({});
    const beat = await lock({ action: 'heartbeat', lock_id });
    expect(beat).toMatchObject({ code: 'not_found', next: expect.stringContaining('action extend') });
  });
});

describe('what the core says', () => {
  const session = ID as string as SessionId;
  const seldom: [string, ClientReply, number, object][] = [
    ['no quorum', { kind: 'no_quorum', missing: [2] }, 503, { code: 'no_quorum', missing: ['p3'] }],
    ['nobody knows', { kind: 'unknown', missing: [] }, 503, { code: 'outcome_unknown' }],
    ['too many', { kind: 'overloaded', limit: 'locks' }, 429, { code: 'overloaded', limit: 'locks' }],
  ];
  const gone: typeof seldom = [
    ['unknown', decided({ kind: 'not_found' }), 404, { code: 'not_found', session }],
    [
      'dead',
      decided({ kind: 'ended', ending: 'expired', token: grant().token, note: null }),
      404,
      { code: 'not_found' },
    ],
    ['dead, in one word', { kind: 'no_session', session }, 404, { code: 'not_found', session }],
  ];
  const calls = {
    open: ['POST', PATH, { ttl: '10s' }],
    beat: ['POST', `${PATH}/${ID}/heartbeat`, undefined],
    close: ['DELETE', `${PATH}/${ID}`, undefined],
  } as const;
  const rows = [
    ...seldom.flatMap((row) => (['open', 'beat', 'close'] as const).map((how) => [how, ...row] as const)),
    ...gone.flatMap((row) => (['beat', 'close'] as const).map((how) => [how, ...row] as const)),
  ];

  test.each(rows)('%s: %s', async (how, _what, reply, status, body) => {
    const at = await house({ peer: new ScriptedPeer(() => reply) });
    const [method, path, sent] = calls[how];
    const answer = await at.call(method, path, sent);
    expect(answer.status).toBe(status);
    expect(problem.parse(answer.json)).toEqual(answer.json);
    expect(answer.json).toMatchObject(body);
    expect(at.bugs).toEqual([]);
  });

  test('a beat tells locks and places apart', async () => {
    const entries = [
      { scope: 'a', lockId: ID, token: 7 as FencingToken },
      { scope: 'b', lockId: OTHER, token: 0 as FencingToken },
    ];
    const reply = decided(
      { kind: 'extended', grant: grant({ leaseMs: 5_000 }) },
      { view: view([], { entries }) },
    );
    const at = await house({ peer: new ScriptedPeer(() => reply) });
    const { json } = await at.call(...calls.beat);
    expect(json).toEqual({
      session,
      ttl_ms: 5_000,
      locks: [{ scope: 'a', lock_id: ID, fencing_token: 7 }],
      waiting: [{ scope: 'b', lock_id: OTHER }],
    });
    expect(at.peer.asked).toEqual([
      { op: 'beat_session', session, holder: '', ttlMs: 0, list: true, at: expect.any(Number) },
    ]);
  });

  test('a session is opened for the holder of the header, or for a made-up one', async () => {
    const at = await house({
      peer: new ScriptedPeer(() => decided({ kind: 'granted', grant: grant(), repeat: false })),
    });
    await at.call('POST', PATH, { ttl: '1d' }, { 'x-lock-holder': 'h' });
    await at.call('POST', PATH, { ttl: 0.3 });
    const fields = { op: 'open_session', session: expect.stringMatching(/^[0-9a-f-]{36}$/) };
    expect(at.peer.asked).toMatchObject([
      { ...fields, holder: 'h', ttlMs: 86_400_000 },
      { ...fields, holder: expect.stringMatching(/^p1-/), ttlMs: 300 },
    ]);
  });
});

describe('bad input is refused by name', () => {
  const rows: [string, string, unknown, string, RegExp][] = [
    ['POST', PATH, {}, 'ttl', /is missing: give a duration/],
    ['POST', PATH, { ttl: '299ms' }, 'ttl', /must be at least 300ms, at most 24h/],
    ['POST', PATH, { ttl: '2d' }, 'ttl', /must be at least 300ms, at most 24h/],
    ['POST', PATH, { ttl: 'long' }, 'ttl', /is no duration/],
    ['POST', PATH, { ttl: '10s', holder: '' }, 'holder', /is empty/],
    ['POST', PATH, { tll: '10s', ttl: '10s' }, 'tll', /did you mean ttl/],
    ['POST', PATH, undefined, '', /The body is empty/],
    ['POST', `${PATH}/${ID}/heartbeat`, { x: 1 }, 'x', /is not a known field: leave it out$/],
    ['POST', `${PATH}/mine/heartbeat`, undefined, 'id', /must be a UUID, the `session` that POST/],
    ['DELETE', `${PATH}/mine`, undefined, 'id', /must be a UUID/],
  ];
  test.each(rows)('%s %s %j', async (method, path, body, field, why) => {
    const at = await house({ peer: new ScriptedPeer(() => decided({ kind: 'state' })) });
    const { status, json } = await at.call(method as 'POST', path, body);
    expect(status).toBe(400);
    expect(problem.parse(json)).toEqual(json);
    expect(json.errors).toEqual([{ field, detail: expect.stringMatching(why) }]);
    expect(at.peer.asked).toEqual([]);
  });

  test.each(['POST', 'DELETE'] as const)('%s from a foreign page reaches nothing', async (method) => {
    const at = await house({ peer: new ScriptedPeer(() => decided({ kind: 'state' })) });
    const path = method === 'POST' ? PATH : `${PATH}/${ID}`;
    const body = method === 'POST' ? { ttl: '10s' } : undefined;
    const { status, json } = await at.call(method, path, body, { origin: 'http://evil.example' });
    expect([status, json.code]).toEqual([403, 'forbidden']);
    expect(at.peer.asked).toEqual([]);
  });

  test('another method names those that work', async () => {
    const at = await house({ peer: new ScriptedPeer(() => decided({ kind: 'state' })) });
    expect((await at.get(PATH)).headers.allow).toBe('POST');
    expect((await at.get(`${PATH}/${ID}`)).headers.allow).toBe('DELETE');
    expect((await at.get(`${PATH}/${ID}/heartbeat`)).headers.allow).toBe('POST');
  });

  test('the empty body of a heartbeat may have a type', async () => {
    const at = await house({ peer: new ScriptedPeer(() => decided({ kind: 'not_found' })) });
    for (const body of ['', '{}']) {
      const headers = { 'content-type': 'application/json' };
      const { status } = await at.call('POST', `${PATH}/${ID}/heartbeat`, body, headers);
      expect(status).toBe(404);
    }
  });
});
