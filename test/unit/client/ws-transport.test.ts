/** Which peer is asked, over real WebSockets. */
import { afterEach, expect, test } from 'vitest';
import { Calls } from '../../../src/client/failover.ts';
import { WsTransport } from '../../../src/client/ws-transport.ts';
import { hashText, lineOf } from '../../../src/peer/placement.ts';
import { HandClock } from './hand-clock.ts';
import { free, until, WsPeer } from './ws-peer.ts';

let peers: WsPeer[] = [];
let transport: WsTransport | undefined;
afterEach(async () => {
  transport?.close();
  for (const peer of peers) await peer.stop();
  peers = [];
});

/** A mesh of three that know each other, and answer. */
async function mesh(names = ['p1', 'p2', 'p3']): Promise<[WsPeer, WsPeer, WsPeer]> {
  peers = await Promise.all(names.map((name) => WsPeer.start(name)));
  const entries = peers.map(({ entry }) => entry);
  for (const peer of peers) {
    peer.peers = entries;
    peer.answer = free;
  }
  return peers as [WsPeer, WsPeer, WsPeer];
}

function client(servers: readonly string[]) {
  const clock = new HandClock();
  transport = new WsTransport(
    servers.map((host) => ({ host, secure: false })),
    clock,
    () => 1,
  );
  const calls = new Calls(clock, () => 1, transport);
  const ask = (scope: string) => {
    const options = { route: scope, deadline: clock.now() + 5_000 };
    return calls.ask({ kind: 'status', id: 0, scope }, options);
  };
  return { clock, transport, ask };
}

/** A scope whose home is that voter. */
function scopeOf(name: string, names = ['p1', 'p2', 'p3']): string {
  const hashes = names.map(hashText);
  for (let i = 0; ; i++) if (names[lineOf(`s${i}`, hashes)[0]!] === name) return `s${i}`;
}

const heard = (peer: WsPeer) => peer.heard('status').map(({ scope }) => scope);

/** Until each voter can be reached. */
async function warm(ask: (scope: string) => Promise<unknown>): Promise<void> {
  const all = ['p1', 'p2', 'p3'].map((name) => scopeOf(name));
  for (let i = 0; i < 500 && peers.some((peer) => heard(peer).length === 0); i++)
    await Promise.all(all.map(ask));
  expect(peers.every((peer) => heard(peer).length > 0)).toBe(true);
}

test('one server is enough to find all; each scope is asked of its home, over one connection', async () => {
  const [p1, p2, p3] = await mesh();
  const { ask } = client([p1.address]);
  await ask(scopeOf('p3')); // the very first goes where there is a connection
  await warm(ask);
  for (const peer of peers) peer.frames.length = 0;
  for (const name of ['p1', 'p2', 'p3', 'p3']) await ask(scopeOf(name));
  expect([heard(p1), heard(p2), heard(p3)].map((one) => one.length)).toEqual([1, 1, 2]);
  expect(peers.map(({ connections }) => connections)).toEqual([1, 1, 1]);
});

test('a configured server that is told of is the same peer', async () => {
  const [p1, p2, p3] = await mesh();
  const { ask } = client([p1.address, p2.address, p3.address]);
  await warm(ask);
  expect(peers.map(({ connections }) => connections)).toEqual([1, 1, 1]);
});

test('a home that is said to be dead is passed over', async () => {
  const [p1, p2, p3] = await mesh();
  const { ask } = client([p1.address]);
  await warm(ask);
  for (const peer of [p1, p2]) {
    peer.peers = peer.peers!.map((entry) => (entry.name === 'p3' ? { ...entry, state: 'dead' } : entry));
    peer.welcome();
  }
  for (const peer of peers) peer.frames.length = 0;
  for (let i = 0; i < 500 && heard(p1).length + heard(p2).length === 0; i++) await ask(scopeOf('p3'));
  const before = heard(p3).length;
  await ask(scopeOf('p3'));
  expect(heard(p1).length + heard(p2).length).toBe(2);
  expect(heard(p3)).toHaveLength(before);
});

test('a peer that dies: its requests go on elsewhere, and it is dialed again when it has rested', async () => {
  const [p1, , p3] = await mesh();
  const { ask, clock } = client([p1.address]);
  await warm(ask);
  const { port } = p3;
  p3.answer = () => undefined;
  const open = [ask(scopeOf('p3')), ask(scopeOf('p3'))];
  await until('they came', () => heard(p3).filter((scope) => scope === scopeOf('p3')).length >= 2);
  await p3.stop();
  expect((await Promise.all(open)).map(({ answer }) => answer.kind)).toEqual(['status', 'status']);
  await ask(scopeOf('p3'));
  const back = await WsPeer.start('p3', port);
  peers[2] = back;
  back.peers = p1.peers;
  back.answer = free;
  for (let i = 0; i < 200 && heard(back).length === 0; i++) {
    await clock.pass(100);
    await ask(scopeOf('p3'));
  }
  expect(heard(back).length).toBeGreaterThan(0);
});

test('what a peer that is cut off says of the others changes little', async () => {
  const [p1, p2, p3] = await mesh();
  const { ask } = client([p1.address]);
  await warm(ask);
  p3.peers = p3.peers!.map((entry) => (entry.name === 'p3' ? entry : { ...entry, state: 'dead' }));
  p3.welcome();
  p3.answer = free;
  for (let i = 0; i < 5; i++) await ask(scopeOf('p3')); // the welcome came before these answers
  for (const peer of peers) peer.frames.length = 0;
  await ask(scopeOf('p1'));
  await ask(scopeOf('p2'));
  expect([heard(p1).length, heard(p2).length]).toEqual([1, 1]);
});

test('a draining peer is asked nothing new', async () => {
  const [p1, p2, p3] = await mesh();
  const { ask } = client([p1.address]);
  await warm(ask);
  p3.say({ kind: 'drain' });
  for (const peer of peers) peer.frames.length = 0;
  for (let i = 0; i < 500 && heard(p1).length + heard(p2).length === 0; i++) await ask(scopeOf('p3'));
  const before = heard(p3).length;
  await ask(scopeOf('p3'));
  expect(heard(p1).length + heard(p2).length).toBe(2);
  expect(heard(p3)).toHaveLength(before);
  expect(p3.connections, 'it is not dialed either, before it has ended').toBe(1);
});

test('whoever answers under another name than was told is not asked', async () => {
  const [p1, p2] = await mesh();
  const stranger = await WsPeer.start('stranger');
  peers.push(stranger);
  const entries = [p1.entry, { ...p2.entry, address: stranger.address }];
  p1.peers = entries;
  stranger.peers = entries;
  stranger.answer = free;
  const { ask, clock } = client([p1.address]);
  const scope = scopeOf('p2', ['p1', 'p2']);
  await ask(scope);
  await ask(scope);
  await until('it was dialed', () => stranger.heard('hello').length > 0);
  for (let i = 0; i < 20; i++) {
    await ask(scope);
    await clock.pass(500);
  }
  expect(heard(p1)).toHaveLength(22);
  expect(stranger.frames.flat().map(({ kind }) => kind)).toEqual(['hello']);
});

test('a peer of another mesh is not asked, whatever its name', async () => {
  const [p1, p2] = await mesh();
  const stranger = await WsPeer.start('p2');
  peers.push(stranger);
  stranger.mesh = 'another';
  stranger.answer = free;
  p1.peers = [p1.entry, { ...p2.entry, address: stranger.address }];
  const { ask, clock } = client([p1.address]);
  const scope = scopeOf('p2', ['p1', 'p2']);
  await ask(scope);
  await ask(scope);
  await until('it was dialed', () => stranger.heard('hello').length > 0);
  for (let i = 0; i < 20; i++) {
    await ask(scope);
    await clock.pass(500);
  }
  expect(heard(p1)).toHaveLength(22);
  expect(stranger.frames.flat().map(({ kind }) => kind)).toEqual(['hello']);
});

test('addresses that cannot be reached from here: the configured servers serve', async () => {
  const [p1] = await mesh();
  const away = (name: string) => ({ name, address: '0.0.0.0:1', role: 'voter', state: 'alive' }) as const;
  p1.peers = [away('p1'), away('p2'), away('p3')];
  const { ask } = client([p1.address]);
  for (const name of ['p1', 'p2', 'p3']) await ask(scopeOf(name));
  expect(heard(p1)).toHaveLength(3);
});

test('the first server does not answer: another one is dialed, and takes over what waited', async () => {
  const [p1, p2] = await mesh();
  p1.greets = false;
  const { ask, clock } = client([p1.address, p2.address]);
  const asked = ask('s');
  await until('it was dialed', () => p1.heard('hello').length > 0);
  await clock.pass(310);
  expect((await asked).answer.kind).toBe('status');
  expect(heard(p1)).toEqual([]);
});

test('the first server is not there: the next one serves at once', async () => {
  const [p1, p2] = await mesh();
  const { port } = p1;
  await p1.stop();
  peers.shift();
  const { ask } = client([`127.0.0.1:${port}`, p2.address]);
  expect((await ask('s')).answer.kind).toBe('status');
});

test('closed: what is under way ends, and nothing is dialed any more', async () => {
  const [p1] = await mesh();
  p1.answer = () => undefined;
  const { ask, transport: way, clock } = client([p1.address]);
  const asked = ask('s').catch((error) => error);
  await until('it came', () => heard(p1).length === 1);
  way.close();
  await clock.pass(5_100);
  expect(await asked).toMatchObject({ code: 'no_quorum', certainty: 'indefinite' });
  expect(p1.connections).toBe(1);
});
