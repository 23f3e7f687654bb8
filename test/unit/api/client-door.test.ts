/** The clients' WebSocket on real sockets, before real peers in this process. */
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { problem } from '../../../src/api/answers.ts';
import { eventBody } from '../../../src/api/answers-events.ts';
import type { ServerOptions } from '../../../src/api/server.ts';
import type { FencingToken } from '../../../src/lock/state.ts';
import { type House, house, mesh, SoloPeer } from './harness.ts';
import { acquire, lockId, Talk } from './talk.ts';

let at: House;
let port: number;

async function listen(options: Partial<ServerOptions> & { peer?: SoloPeer } = {}): Promise<void> {
  at = await house(options);
  await at.server.app.listen({ host: '127.0.0.1', port: 0 });
  port = (at.server.app.server.address() as AddressInfo).port;
}

afterEach(async () => {
  await at.server.app.close();
});

const waiters = async (scope: string) =>
  (await at.lock({ scope, action: 'status' })).json.waiters.map(({ holder }: { holder: string }) => holder);

describe('welcome', () => {
  test('names all peers, voters in the order in which they are hashed', async () => {
    const [peer] = mesh(3);
    await listen({ peer: peer! });
    const client = await Talk.open(port);
    expect(client.messages).toEqual([
      {
        kind: 'welcome',
        version: 1,
        name: 'p1',
        epoch: 1,
        mesh: 'a-mesh',
        peers: ['p1', 'p2', 'p3'].map((name, i) => ({
          name,
          address: `127.0.0.1:${20194 + i}`,
          role: 'voter',
          state: 'alive',
        })),
      },
    ]);
  });

  test('is said again, to all, when the mesh changes', async () => {
    const [peer] = mesh(3);
    await listen({ peer: peer! });
    const clients = [await Talk.open(port), await Talk.open(port)];
    peer!.liveness(2, false);
    for (const client of clients) {
      const { peers } = await client.told('welcome', 1);
      expect(peers.map(({ state }) => state)).toEqual(['alive', 'alive', 'dead']);
    }
  });
});

describe('requests', () => {
  test('of one frame are asked at once, and answered in one frame', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say(...Array.from({ length: 100 }, (_, i) => acquire({ id: i, scope: `s${i}` })));
    await client.answer(99);
    expect(client.frames).toHaveLength(2);
    expect(client.frames[1]!.map((message) => 'id' in message && message.id).sort(byNumber)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
    expect(client.messages[1]).toMatchObject({
      kind: 'locked',
      token: 1,
      leaseMs: 30_000,
      sets: true,
      waitedMs: 0,
      votes: 1,
      voters: 1,
      waiters: 0,
      slot: 0,
      mode: 'write',
      lockId: null,
      holder: null,
    });
  });

  test('lock, extend, ask, unlock', async () => {
    await listen();
    const client = await Talk.open(port);
    const id = lockId();
    await client.answer(client.acquire({ scope: 'a', lockId: id, holder: 'me' }));
    const meant = { scope: 'a', lockId: id, holder: null };
    client.say({ kind: 'extend', id: 50, ...meant, leaseMs: 60_000, mode: null, token: null, waitMs: 0 });
    expect(await client.answer(50)).toMatchObject({
      kind: 'locked',
      leaseMs: 60_000,
      sets: true,
      holder: 'me',
    });
    client.say({
      kind: 'extend',
      id: 51,
      ...meant,
      leaseMs: null,
      mode: 'read',
      token: 1 as FencingToken,
      waitMs: 0,
    });
    expect(await client.answer(51)).toMatchObject({ kind: 'locked', mode: 'read', token: 2, sets: false });
    client.say({ kind: 'status', id: 52, scope: 'a' });
    const { json } = await at.lock({ scope: 'a', action: 'status' });
    expect(await client.answer(52)).toMatchObject({
      kind: 'status',
      body: { ...json, holders: [{ ...json.holders[0], expires_in_ms: expect.any(Number) }] },
    });
    expect(await client.answer(client.release('a', null, { holder: 'me' }))).toMatchObject({
      kind: 'unlocked',
      token: 2,
      lockId: id,
    });
    expect(await client.answer(client.release('a', id))).toMatchObject({ kind: 'unlocked', lockId: null });
  });

  test('by force leave a trace', async () => {
    await listen();
    const client = await Talk.open(port);
    const id = lockId();
    await client.answer(client.acquire({ scope: 'a', lockId: id }));
    const forced = client.release('a', null, { holder: 'ann', force: 'its host is gone' });
    expect(await client.answer(forced)).toMatchObject({ kind: 'unlocked', lockId: id });
    expect(at.forced).toEqual([{ scope: 'a', lock_id: id, by: 'ann', reason: 'its host is gone', token: 1 }]);
  });

  test('of sessions', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say({ kind: 'open', id: 1, ttlMs: 5_000, holder: 'me' });
    const opened = await client.answer(1);
    expect(opened).toMatchObject({ kind: 'session', ttlMs: 5_000, locks: [] });
    const { session } = opened as Extract<typeof opened, { kind: 'session' }>;
    const held = acquire({ id: 2, scope: 'a', session });
    client.say(held);
    await client.answer(2);
    client.say({ kind: 'beat', id: 3, session, list: true });
    expect(await client.answer(3)).toEqual({
      kind: 'session',
      id: 3,
      session,
      ttlMs: 5_000,
      locks: [{ scope: 'a', lockId: held.lockId, token: 1 }],
    });
    client.say({ kind: 'beat', id: 4, session, list: false });
    expect(await client.answer(4)).toMatchObject({ kind: 'session', ttlMs: 5_000, locks: [] });
    client.say({ kind: 'close', id: 5, session, list: false });
    expect(await client.answer(5)).toMatchObject({ kind: 'session', ttlMs: 0, locks: [] });
    client.say({ kind: 'beat', id: 6, session, list: false });
    expect(await client.answer(6)).toMatchObject({ kind: 'refused', body: { code: 'not_found', session } });
  });

  test('that wait are answered when their turn comes; one that is gone gives its place up', async () => {
    await listen();
    const client = await Talk.open(port);
    const first = lockId();
    await client.answer(client.acquire({ scope: 'a', lockId: first }));
    const gone = client.acquire({ scope: 'a', holder: 'gone', waitMs: 60_000 });
    const waits = client.acquire({ scope: 'a', holder: 'waits', waitMs: 60_000 });
    await expect.poll(() => waiters('a')).toEqual(['gone', 'waits']);
    client.say({ kind: 'gone', id: gone }, { kind: 'gone', id: 12_345 });
    await expect.poll(() => waiters('a')).toEqual(['waits']);
    client.release('a', first);
    expect(await client.answer(waits)).toMatchObject({
      kind: 'locked',
      token: 2,
      sets: true,
      waitedMs: expect.any(Number),
    });
    expect(client.messages.filter((message) => 'id' in message && message.id === gone)).toEqual([]);
  });

  test('of a connection that breaks are given up', async () => {
    await listen();
    const [client, other] = [await Talk.open(port), await Talk.open(port)];
    const first = lockId();
    await other.answer(other.acquire({ scope: 'a', lockId: first }));
    client.acquire({ scope: 'a', holder: 'breaks', waitMs: 60_000 });
    await expect.poll(() => waiters('a')).toEqual(['breaks']);
    client.break();
    await expect.poll(() => waiters('a')).toEqual([]);
  });

  test('under a number that is under way are refused, and do the first no harm', async () => {
    await listen();
    const client = await Talk.open(port);
    const first = lockId();
    await client.answer(client.acquire({ scope: 'a', lockId: first }));
    client.acquire({ scope: 'a', waitMs: 60_000, id: 7 });
    await expect.poll(() => waiters('a')).toHaveLength(1);
    client.say({ kind: 'status', id: 7, scope: 'a' });
    expect(await client.answer(7)).toMatchObject({
      kind: 'refused',
      body: {
        code: 'invalid_request',
        errors: [{ field: 'id', detail: expect.stringMatching(/^7 is under way: give each request/) }],
      },
    });
    client.release('a', first);
    await client.told('locked', client.messages.length);
    expect(client.messages.at(-1)).toMatchObject({ kind: 'locked', id: 7, token: 2 });
    client.say({ kind: 'status', id: 7, scope: 'a' });
    await client.told('status');
  });
});

describe('a watch', () => {
  const events = (client: Talk, id: number) =>
    client.messages.flatMap((message) =>
      message.kind === 'event' && message.id === id ? [message.body] : [],
    );
  const has = (client: Talk, id: number, event: string) =>
    client.until(event, () => events(client, id).some((body) => body.event === event));

  test('tells what happens, as HTTP does, until it is given up', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say({ kind: 'watch', id: 1, scope: 'a' }, { kind: 'watch', id: 2, scope: 'a' });
    await has(client, 1, 'watching');
    await has(client, 2, 'watching');
    const id = lockId();
    await client.answer(client.acquire({ scope: 'a', lockId: id, holder: 'me' }));
    await has(client, 1, 'granted');
    client.say({ kind: 'gone', id: 1 });
    await client.answer(client.release('a', id));
    await has(client, 2, 'released');
    expect(events(client, 1).map(({ event }) => event)).toEqual(['watching', 'granted']);
    for (const body of events(client, 2)) expect(eventBody.parse(body)).toEqual(body);
    expect(events(client, 2)).toMatchObject([
      { event: 'watching', scope: 'a', status: 'free' },
      { event: 'granted', holder: 'me', lock_id: id, fencing_token: 1 },
      { event: 'released', holder: 'me', lock_id: id, fencing_token: 1 },
    ]);
  });

  test('that ends at this peer is refused, so that its client goes on at another', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say({ kind: 'watch', id: 1, scope: 'a' });
    await has(client, 1, 'watching');
    at.peer.endListening();
    expect(await client.told('refused')).toMatchObject({
      id: 1,
      body: { code: 'no_quorum', scope: 'a', next: expect.stringMatching(/another voter/) },
    });
    client.say({ kind: 'status', id: 1, scope: 'a' });
    await client.told('status');
  });

  test('at who sees nothing of the vote is refused', async () => {
    const peer = new SoloPeer();
    peer.standing = { kind: 'observing' };
    await listen({ peer });
    const client = await Talk.open(port);
    client.say({ kind: 'watch', id: 1, scope: 'a' });
    expect(await client.answer(1)).toMatchObject({
      kind: 'refused',
      body: { code: 'no_quorum', detail: expect.stringMatching(/observer/) },
    });
  });

  test('is sent elsewhere by a peer that stops', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say({ kind: 'watch', id: 1, scope: 'a' });
    await has(client, 1, 'watching');
    await at.server.drain();
    await client.end();
    expect(client.messages.slice(-2)).toMatchObject([
      { kind: 'drain' },
      { kind: 'refused', id: 1, body: { code: 'no_quorum', detail: 'This peer is stopping.' } },
    ]);
  });
});

describe('what is refused', () => {
  test('is a problem as HTTP has it, and the connection lives on', async () => {
    await listen();
    const client = await Talk.open(port);
    client.say(acquire({ id: 1, scope: '' }));
    const told = await client.answer(1);
    const { json } = await at.lock({ scope: '', action: 'status' });
    expect(told).toEqual({ kind: 'refused', id: 1, body: json });
    const held = await client.answer(client.acquire({ scope: 'a' }));
    expect(held.kind).toBe('locked');
    const busy = await client.answer(client.acquire({ scope: 'a', leaseMs: null }));
    expect(busy.kind === 'refused' && problem.parse(busy.body)).toMatchObject({
      code: 'busy',
      holders: [{ fencing_token: 1 }],
      retry_after_s: 5,
    });
  });

  test.each([
    ['no text for a scope', [2, 5, 7], 'scope', /is no text: give the name to lock/],
    ['too few fields', [2, 5, 'a'], 'lock_id', /is no text: give a UUID/],
    [
      'no number for a wait',
      [4, 5, 'a', null, null, 0, 0, null, 'long'],
      'wait',
      /is no number of milliseconds: give/,
    ],
    ['a mode of tomorrow', [2, 5, 'a', 'x', null, 9], 'lock_type', /kind 9 is unknown: give 0 \(write\)/],
    ['a kind of tomorrow', [63, 5, 'a'], 'message', /kind 63 is unknown/],
    ['a watch of nothing', [7, 5, ''], 'scope', /is empty: give the name to lock/],
  ])('%s: the field is named', async (_, wire, field, why) => {
    await listen();
    const client = await Talk.open(port);
    client.send([wire]);
    expect(await client.answer(5)).toMatchObject({
      kind: 'refused',
      body: { code: 'invalid_request', errors: [{ field, detail: expect.stringMatching(why) }] },
    });
    expect((await client.answer(client.acquire({ scope: 'a' }))).kind).toBe('locked');
  });

  test('a kind of tomorrow without a number is skipped, and what comes with it is not', async () => {
    await listen();
    const client = await Talk.open(port);
    client.send([[64], [65, 'x', 5], [66, { any: 'thing' }], [6, 5, 'a']]);
    expect((await client.answer(5)).kind).toBe('status');
  });

  test('whatever there is while the mesh forms', async () => {
    const peer = new SoloPeer();
    peer.standing = { kind: 'forming', missing: ['p2'] };
    await listen({ peer });
    const client = await Talk.open(port);
    expect(await client.answer(client.acquire({ scope: 'a' }))).toMatchObject({
      kind: 'refused',
      body: { code: 'no_quorum', missing: ['p2'], scope: 'a', retry_after_s: 1 },
    });
    expect(peer.asked).toEqual([]);
  });
});

function byNumber(a: unknown, b: unknown): number {
  return Number(a) - Number(b);
}
