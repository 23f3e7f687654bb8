/** One WebSocket to one peer, against a real server. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connection, DIAL_MS, GIVE_UP_LOOKS, LOOK_MS, PING_LOOKS } from '../../../src/client/connection.ts';
import type { Answer, Draft } from '../../../src/client/way.ts';
import type { Welcome } from '../../../src/protocol/messages.ts';
import { HandClock } from './hand-clock.ts';
import { free, until, WsPeer } from './ws-peer.ts';

let peer: WsPeer;
let open: Connection[];
beforeEach(async () => {
  peer = await WsPeer.start();
  open = [];
});
afterEach(async () => {
  for (const connection of open) connection.close();
  await peer.stop();
});

function dial(port = peer.port) {
  const clock = new HandClock();
  const told: string[] = [];
  const welcomes: Welcome[] = [];
  const connection = new Connection(`ws://127.0.0.1:${port}/client`, {
    clock,
    welcomed: (_, welcome) => welcomes.push(welcome),
    drained: () => told.push('drained'),
    closed: (_, why) => told.push(`closed: ${why}`),
  });
  open.push(connection);
  const ask = (scope: string, kind: 'status' | 'watch' = 'status') => {
    const asked = { ticket: 0, answers: [] as Answer[], fate: '' };
    asked.ticket = connection.send({ kind, id: 0, scope } as Draft, {
      answered: (answer) => asked.answers.push(answer),
      broken: (sent, why) => {
        asked.fate = `${sent ? 'sent' : 'not sent'}: ${why}`;
      },
      moved: () => {
        asked.fate = 'moved';
      },
    });
    return asked;
  };
  return { clock, connection, told, welcomes, ask };
}

test('nothing but the hello is sent before the welcome', async () => {
  peer.greets = false;
  const { ask, connection } = dial();
  const asked = ask('s');
  await until('the hello', () => peer.heard('hello').length === 1);
  expect(peer.frames).toHaveLength(1);
  expect(connection.open).toBe(false);
  peer.answer = free;
  peer.welcome();
  await until('the answer', () => asked.answers.length === 1);
  expect(peer.heard('hello')[0]!.agent).toMatch(/^quorate-typescript /);
});

test('all of one turn leaves as one frame; answers come in any order', async () => {
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  const asked = Array.from({ length: 100 }, (_, i) => ask(`s${i}`));
  await Promise.resolve().then(() => asked.push(ask('from a microtask')));
  await until('the frame', () => peer.heard('status').length === 101);
  expect(peer.frames.map((frame) => frame.length)).toEqual([1, 101]);
  const ids = peer.heard('status').map(({ id, scope }) => ({ id, scope }));
  for (const { id, scope } of ids.reverse()) peer.say({ kind: 'status', id, body: { scope } });
  await until('all answers', () => asked.every(({ answers }) => answers.length === 1));
  for (const [i, { answers }] of asked.slice(0, 100).entries()) {
    expect(answers).toMatchObject([{ kind: 'status', body: { scope: `s${i}` } }]);
  }
  expect(connection.size).toBe(0);
});

test('a large turn is split into frames that a peer takes', async () => {
  const { connection } = dial();
  await until('the welcome', () => connection.open);
  const reason = 'x'.repeat(1_000);
  const message = {
    kind: 'release',
    id: 0,
    scope: reason.slice(0, 500),
    lockId: null,
    holder: null,
    force: reason,
  };
  let broken = false;
  const asker = {
    answered: () => undefined,
    broken: () => {
      broken = true;
    },
    moved: () => undefined,
  };
  for (let i = 0; i < 6_000; i++) connection.send({ ...message } as Draft, asker);
  await until('all of them', () => broken || peer.heard('release').length === 6_000);
  expect(peer.heard('release').map(({ id }) => id)).toEqual(Array.from({ length: 6_000 }, (_, i) => i + 1));
  expect(peer.frames.length).toBeGreaterThan(9);
});

test('what is given up before it is sent is not sent; after that the peer is told', async () => {
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  const never = ask('never');
  expect(connection.gone(never.ticket)).toBe(false);
  const sent = ask('sent');
  await until('it came', () => peer.heard('status').length === 1);
  expect(connection.gone(sent.ticket)).toBe(true);
  await until('it is told', () => peer.heard('gone').length === 1);
  expect(peer.heard('gone')[0]!.id).toBe(sent.ticket);
  expect(peer.heard('status').map(({ scope }) => scope)).toEqual(['sent']);
  peer.say({ kind: 'status', id: sent.ticket, body: {} });
  const next = ask('next');
  peer.answer = free;
  await until('the next', () => next.answers.length === 1 || peer.heard('status').length === 2);
  expect(sent.answers).toEqual([]);
});

test('a watch is answered again and again', async () => {
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  const watch = ask('s', 'watch');
  await until('it came', () => peer.heard('watch').length === 1);
  for (let i = 0; i < 3; i++) peer.say({ kind: 'event', id: watch.ticket, body: { i } });
  await until('three events', () => watch.answers.length === 3);
  expect(connection.size).toBe(1);
});

test('it breaks: each request is told whether it may have been sent', async () => {
  const { ask, connection, told } = dial();
  await until('the welcome', () => connection.open);
  const sent = ask('sent');
  await until('it came', () => peer.heard('status').length === 1);
  peer.cut();
  const late = ask('late');
  connection.end('broken here');
  expect(sent.fate).toBe('sent: broken here');
  expect(late.fate).toBe('not sent: broken here');
  expect(told).toEqual(['closed: broken here']);
  const after = ask('after');
  await until('it is told', () => after.fate !== '');
  expect(after.fate).toMatch(/^not sent/);
});

test('nobody listens', async () => {
  const other = await WsPeer.start();
  await other.stop();
  const { ask, told } = dial(other.port);
  const asked = ask('s');
  await until('it is refused', () => asked.fate !== '');
  expect(asked.fate).toMatch(/^not sent: .*ECONNREFUSED/);
  expect(told).toHaveLength(1);
});

test('no welcome in time', async () => {
  peer.greets = false;
  const { ask, clock } = dial();
  const asked = ask('s');
  await until('the hello', () => peer.heard('hello').length === 1);
  await clock.pass(DIAL_MS - 1);
  expect(asked.fate).toBe('');
  await clock.pass(1);
  expect(asked.fate).toMatch(/^not sent: no welcome/);
});

test('a peer of another version is not asked', async () => {
  peer.version = 2;
  const { ask } = dial();
  const asked = ask('s');
  await until('it is over', () => asked.fate !== '');
  expect(asked.fate).toMatch(/^not sent: it speaks version 2/);
  expect(peer.heard('status')).toEqual([]);
});

test('a peer that falls silent is pinged, then given up; one that answers pings is not', async () => {
  const { ask, clock, connection } = dial();
  await until('the welcome', () => connection.open);
  const asked = ask('s');
  await until('it came', () => peer.heard('status').length === 1);
  for (let i = 0; i < 20; i++) {
    await clock.pass(LOOK_MS);
    await new Promise((resolve) => setTimeout(resolve, 5)); // the pong is real
  }
  expect(asked.fate).toBe('');
  peer.freeze();
  await clock.pass((PING_LOOKS + 1) * LOOK_MS);
  expect(asked.fate).toBe('');
  await clock.pass(GIVE_UP_LOOKS * LOOK_MS);
  expect(asked.fate).toBe('sent: it stopped answering');
});

test('this process stood still: what has come meanwhile is read first', async () => {
  const { ask, clock, connection } = dial();
  await until('the welcome', () => connection.open);
  const asked = ask('s');
  await until('it came', () => peer.heard('status').length === 1);
  clock.stall(60_000);
  await clock.pass(LOOK_MS);
  expect(asked.fate).toBe('');
});

test.each<[string, () => void]>([
  ['text', () => peer.sayText('hello')],
  ['no array', () => peer.sayRaw({ a: 1 })],
  ['a message that is none', () => peer.sayRaw([['locked']])],
  ['no MessagePack', () => peer.sayText('\u0000')],
])('a frame of %s ends it', async (_what, say) => {
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  const asked = ask('s');
  await until('it came', () => peer.heard('status').length === 1);
  say();
  await until('it is over', () => asked.fate !== '');
  expect(asked.fate).toMatch(/^sent: what the peer sent is not understood/);
});

test('a message of a kind of tomorrow is skipped', async () => {
  peer.answer = free;
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  peer.sayRaw([[99, 1, 2]]);
  const asked = ask('s');
  await until('the answer', () => asked.answers.length === 1);
});

test('each welcome and a drain are told', async () => {
  const { connection, welcomes, told } = dial();
  await until('the welcome', () => connection.open);
  peer.welcome();
  peer.say({ kind: 'drain' });
  await until('both', () => welcomes.length === 2 && told.length === 1);
  expect(told).toEqual(['drained']);
  expect(connection.over).toBe(false);
});

test('before the welcome requests can be handed back', async () => {
  peer.greets = false;
  const { ask, connection } = dial();
  const asked = ask('s');
  connection.handBack();
  expect(asked.fate).toBe('moved');
  await until('the hello', () => peer.heard('hello').length === 1);
  peer.welcome();
  await until('the welcome', () => connection.open);
  connection.handBack();
  expect(peer.heard('status')).toEqual([]);
});

test('a close sends what is due first', async () => {
  const { ask, connection } = dial();
  await until('the welcome', () => connection.open);
  const asked = ask('last');
  connection.close();
  expect(asked.fate).toMatch(/^sent: /);
  await until('it came', () => peer.heard('status').length === 1);
});
