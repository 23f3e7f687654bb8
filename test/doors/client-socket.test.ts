/** The clients' WebSocket before a real mesh. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { problem } from '../../src/api/answers.ts';
import { CLIENT_FRAME_BYTES_MAX } from '../../src/protocol/limits.ts';
import type { PeerMessage } from '../../src/protocol/messages.ts';
import { acquire, lockId, Talk } from '../unit/api/talk.ts';
import { ask, lock, shown } from './asks.ts';
import { Up, until } from './up.ts';

let up: Up;
beforeAll(async () => {
  up = await Up.start(3);
});
afterAll(async () => {
  await up?.stop();
});

const talk = (peer = 1) => Talk.open(up.port + peer - 1);
const of = <K extends PeerMessage['kind']>(client: Talk, kind: K) =>
  client.messages.filter((message): message is Extract<PeerMessage, { kind: K }> => message.kind === kind);

test('a client is welcomed with all peers, under the addresses where they listen', async () => {
  const client = await talk(2);
  const { name, epoch, peers } = await client.told('welcome');
  expect({ name, epoch }).toEqual({ name: 'p2', epoch: 1 });
  expect(peers).toEqual(
    [0, 1, 2].map((i) => ({
      name: `p${i + 1}`,
      address: `127.0.0.1:${up.port + i}`,
      role: 'voter',
      state: 'alive',
    })),
  );
  client.break();
});

test('many scopes are locked and unlocked by one frame each', async () => {
  const client = await talk();
  const count = 300;
  for (const token of [1, 2]) {
    const asked = Array.from({ length: count }, (_, i) => acquire({ id: i, scope: `many/${i}` }));
    client.messages.length = 0;
    client.say(...asked);
    await client.until('all are held', () => of(client, 'locked').length === count);
    expect(of(client, 'locked').every((held) => held.token === token && held.sets)).toBe(true);
    client.say(
      ...asked.map(({ id, scope, lockId }) => {
        return { kind: 'release', id, scope, lockId, holder: null, force: null } as const;
      }),
    );
    await client.until('all are free', () => of(client, 'unlocked').length === count);
  }
  // One frame a turn, not one an answer.
  expect(client.frames.length).toBeLessThan(count);
  client.break();
});

test('a lock is handed from peer to peer, over the socket and over HTTP', async () => {
  const scope = 'handed';
  const [first, second] = [await talk(1), await talk(2)];
  const id = lockId();
  expect(await first.answer(first.acquire({ scope, lockId: id }))).toMatchObject({
    kind: 'locked',
    token: 1,
  });
  const waits = second.acquire({ scope, holder: 'second', waitMs: 60_000, leaseMs: 5_000 });
  await shown(up.url(3), scope, ['second']);
  const third = ask(up.url(3), { scope, holder: 'third', wait: '60s' });
  await shown(up.url(1), scope, ['second', 'third']);
  first.release(scope, id);
  const held = await second.answer(waits);
  expect(held).toMatchObject({ kind: 'locked', token: 2, sets: true, leaseMs: 5_000, waiters: 1 });
  expect(held.kind === 'locked' && held.waitedMs).toBeGreaterThan(0);
  second.release(scope, null, { holder: 'second' });
  expect((await third).body).toMatchObject({ status: 'locked', fencing_token: 3 });
  first.break();
  second.break();
});

test('what is given up leaves the queue at once', async () => {
  const scope = 'gone';
  const client = await talk();
  await lock(up.url(2), { scope, holder: 'holds' });
  const gone = client.acquire({ scope, holder: 'gone', waitMs: 60_000 });
  client.acquire({ scope, holder: 'stays', waitMs: 60_000 });
  await shown(up.url(3), scope, ['gone', 'stays']);
  const began = performance.now();
  client.say({ kind: 'gone', id: gone });
  await shown(up.url(3), scope, ['stays']);
  expect(performance.now() - began).toBeLessThan(800);
  client.break();
});

test('a connection that breaks keeps its place: a repeat at another peer takes it up', async () => {
  const scope = 'broken';
  const held = await lock(up.url(1), { scope, holder: 'holds' });
  const [client, behind] = [await talk(1), await talk(2)];
  const mine = acquire({ id: 1, scope, holder: 'breaks', waitMs: 60_000 });
  client.say(mine);
  await shown(up.url(3), scope, ['breaks']);
  behind.acquire({ scope, holder: 'behind', waitMs: 60_000 });
  await shown(up.url(3), scope, ['breaks', 'behind']);
  client.break();
  await shown(up.url(3), scope, ['behind']);

  const again = await talk(3);
  again.say({ ...mine, id: 7, repeat: 1 });
  await shown(up.url(2), scope, ['breaks', 'behind']);
  await ask(up.url(2), { scope, action: 'unlock', lock_id: held.lock_id });
  expect(await again.answer(7)).toMatchObject({
    kind: 'locked',
    token: held.fencing_token + 1,
    lockId: null,
  });
  behind.break();
  again.break();
});

describe('what is not right is refused', () => {
  test('field by field, on a connection that lives on', async () => {
    const client = await talk();
    const good: unknown[] = [2, 1, 'good', lockId(), 'me', 0, 0, 1, null, null, 5_000, 0, 0];
    const bad: [at: number, value: unknown, field: string][] = [
      [2, '', 'scope'],
      [2, 'a\u0007', 'scope'],
      [2, 'é'.repeat(257), 'scope'],
      [2, 7, 'scope'],
      [3, 'mine', 'lock_id'],
      [4, '', 'holder'],
      [5, 9, 'lock_type'],
      [6, 2, 'permits'],
      [7, 9, 'priority'],
      [8, 'x'.repeat(2_000), 'reason'],
      [9, 'mine', 'session'],
      [10, -5, 'timeout'],
      [10, 1e15, 'timeout'],
      [11, 1e15, 'wait'],
      [12, -1, 'repeat'],
    ];
    client.send(bad.map(([at, value], i) => good.with(at, value).with(1, i)));
    for (const [i, [, , field]] of bad.entries()) {
      const told = await client.answer(i);
      if (told.kind !== 'refused') throw new Error(`${field} was taken`);
      expect(problem.parse(told.body)).toMatchObject({
        code: 'invalid_request',
        status: 400,
        errors: [{ field }],
      });
    }
    client.send([good.with(1, 100)]);
    expect((await client.answer(100)).kind).toBe('locked');
    client.break();
  });

  test.each<[string, (client: Talk) => void, number]>([
    ['text', (client) => client.sendBytes('{}'), 1003],
    ['garbage', (client) => client.sendBytes(Buffer.from([0xc1])), 1007],
    [
      'a frame that is too large',
      (client) => client.sendBytes(Buffer.alloc(CLIENT_FRAME_BYTES_MAX + 1)),
      1009,
    ],
    ['a second hello', (client) => client.say({ kind: 'hello', version: 1, agent: '' }), 1002],
  ])('%s ends the connection', async (_, speak, code) => {
    const client = await talk();
    speak(client);
    expect((await client.end()).code).toBe(code);
  });

  test('who says no hello is cut off', async () => {
    const client = new Talk(up.port);
    await client.until('it is open', () => client.socket.readyState === WebSocket.OPEN);
    expect((await client.end()).code).toBe(1008);
  });

  test.each([
    [{ host: 'evil.example' }, '/client'],
    [{ origin: 'https://evil.example' }, '/client'],
    [{ origin: 'https://evil.example' }, '/mesh'],
  ])('%j at %s is forbidden', async (headers, path) => {
    const client = new Talk(up.port, headers, path);
    await client.until('it is refused', () => client.refused !== undefined);
    expect(client.refused!.status).toBe(403);
    expect(problem.parse(JSON.parse(client.refused!.body)).code).toBe('forbidden');
  });
});

test('who asks and does not read is cut off, and loses its place', async () => {
  const scope = 'unread';
  await lock(up.url(1), { scope, holder: 'holds' });
  const [crowd, other] = [await talk(2), await talk(1)];
  const count = 300;
  const large = { reason: 'x'.repeat(1_024), holder: 'y'.repeat(250), waitMs: 120_000 };
  crowd.say(
    ...Array.from({ length: count }, (_, id) =>
      acquire({ id, scope, ...large, holder: `${large.holder}-${id}` }),
    ),
  );
  await until('the crowd waits', async () => {
    const { body } = await ask(up.url(2), { scope, action: 'status' });
    return body.contention?.waiters === count;
  });
  const open = async () => {
    const text = await (await fetch(`${up.url(1)}/metrics`)).text();
    return Number(/^quorate_client_connections (\d+)$/m.exec(text)?.[1]);
  };

  const client = await talk(1);
  await lock(up.url(1), { scope: 'left', holder: 'holds' });
  client.acquire({ scope: 'left', holder: 'deaf', waitMs: 120_000 });
  await shown(up.url(3), 'left', ['deaf']);
  const before = await open();
  client.socket.pause();
  // Step by step, by the pace of one who reads: the links between peers are not what is tried here.
  for (let i = 0; (await open()) === before; i++) {
    if (i > 300) throw new Error('300 large answers were kept for one who does not read');
    for (let j = 0; j < 4; j++) client.say({ kind: 'status', id: 10 * i + j, scope });
    other.say({ kind: 'status', id: i, scope });
    await other.answer(i);
    other.messages.length = 0;
    other.frames.length = 0;
  }
  await shown(up.url(3), 'left', []);
  expect((await other.answer(other.acquire({ scope: 'read' }))).kind).toBe('locked');
  for (const one of [crowd, other, client]) one.break();
});

test('a peer that is told to end sends its clients elsewhere, and their places are kept', async () => {
  const scope = 'drained';
  const held = await lock(up.url(2), { scope, holder: 'holds' });
  const [idle, waits, behind] = [await talk(1), await talk(1), await talk(2)];
  const mine = acquire({ id: 1, scope, holder: 'waits', waitMs: 60_000 });
  waits.say(mine);
  await shown(up.url(3), scope, ['waits']);
  behind.acquire({ scope, holder: 'behind', waitMs: 60_000 });
  await shown(up.url(3), scope, ['waits', 'behind']);

  process.kill(up.pidOf('p1'), 'SIGTERM');
  await Promise.all([idle.told('drain'), waits.told('drain')]);
  const told = await waits.answer(1);
  expect(told.kind === 'refused' && problem.parse(told.body)).toMatchObject({
    code: 'waiting',
    certainty: 'definite',
    lock_id: mine.lockId,
  });
  expect(await idle.end()).toEqual({ code: 1001, reason: 'this peer is stopping' });
  expect((await waits.end()).code).toBe(1001);
  await shown(up.url(3), scope, ['behind']);

  const elsewhere = await talk(3);
  elsewhere.say({ ...mine, id: 2, repeat: 1 });
  await shown(up.url(2), scope, ['waits', 'behind']);
  await ask(up.url(2), { scope, action: 'unlock', lock_id: held.lock_id });
  expect(await elsewhere.answer(2)).toMatchObject({ kind: 'locked', token: held.fencing_token + 1 });

  // The others are told how the mesh has changed, and changes back.
  const stateOfP1 = (client: Talk) => of(client, 'welcome').at(-1)!.peers[0]!.state;
  await behind.until('p1 was seen to go', () =>
    of(behind, 'welcome').some(({ peers }) => peers[0]!.state !== 'alive'),
  );
  await behind.until('p1 is back', () => stateOfP1(behind) === 'alive');
  expect((await (await talk(1)).told('welcome')).name).toBe('p1');
  behind.break();
  elsewhere.break();
});
