/** What links survive: garbage, strangers, cuts and resets. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { pack, unpack } from '../../src/mesh/codec.ts';
import { controlToWire, type Hello } from '../../src/mesh/control.ts';
import { PAYLOAD_BYTES_MAX } from '../../src/mesh/limits.ts';
import { frameToWire } from '../../src/peer/wire.ts';
import { TestMesh, type TestPeer, until } from './peers.ts';
import { TcpProxy } from './proxy.ts';

const A = '00000000-0000-7000-8000-00000000000a';
const NAMES = ['p1', 'p2', 'p3'];

const hello: Hello = {
  name: 'stranger',
  identity: 'ffffffffffffffff',
  observer: true,
  configured: NAMES,
  mesh: null,
  roster: null,
  boot: 1,
  position: 0,
  address: '',
  incarnation: 1,
  lost: 0,
};

let mesh: TestMesh;
let proxies: TcpProxy[] = [];
afterEach(async () => {
  await mesh.close();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  proxies = [];
});

function allUp(): Promise<void> {
  return until('all peers see each other', () =>
    mesh.peers.every(
      ({ runner }) =>
        runner.hasQuorum && mesh.peers.every((peer) => stateOf(runner.members(), peer.name) === 'alive'),
    ),
  );
}

function stateOf(members: readonly { name: string; state: string }[], name: string): string | undefined {
  return members.find((member) => member.name === name)?.state;
}

async function grants(peer: TestPeer, scope: string): Promise<boolean> {
  const reply = await peer.acquire(scope, A);
  return reply.kind === 'decided' && reply.outcome.kind === 'granted';
}

describe('garbage on /mesh', () => {
  beforeEach(async () => {
    mesh = await TestMesh.of(NAMES);
    for (const name of NAMES)
      await mesh.peer(name).start({ dir: mesh.dirOf(name), roster: mesh.roster(NAMES) });
    await allUp();
    mesh.peer('p1').lines.length = 0;
  });

  /** Opens a link to p1, sends that, and waits until p1 ends it. @returns the close code. */
  async function send(...frames: (Buffer | string)[]): Promise<number> {
    const socket = new WebSocket(`ws://127.0.0.1:${mesh.peer('p1').port}/mesh`);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('open', resolve));
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    for (const frame of frames) socket.send(frame);
    return closed;
  }

  async function undisturbed(): Promise<void> {
    const { runner, failures, said } = mesh.peer('p1');
    expect(failures).toEqual([]);
    expect(said).not.toMatch(/link to p[23].*closed/);
    expect(runner.hasQuorum).toBe(true);
    expect(await grants(mesh.peer('p1'), 'orders/42')).toBe(true);
  }

  const good = pack(controlToWire('', 0, { kind: 'hello', hello }));

  test.each<[string, (Buffer | string)[], RegExp]>([
    ['random bytes', [Buffer.from('c1c1c1c1', 'hex')], /frame/],
    ['half a frame', [good.subarray(0, 20)], /frame/],
    ['a text frame', ['{"name":"p2"}'], /frame: is text/],
    ['a number', [pack(7 as never)], /frame: is no array/],
    ['another format version', [pack([2, '', 0, 1, []])], /frame\.version: is 2/],
    ['a huge frame', [Buffer.alloc(PAYLOAD_BYTES_MAX + 1)], /payload/i],
    [
      'a vote before the hello',
      [pack(frameToWire({ mesh: 'm', epoch: 1, messages: [] }))],
      /before the hello/,
    ],
    [
      'a ping before the hello',
      [pack(controlToWire('', 0, { kind: 'ping', seq: 1, position: 1 }))],
      /before/,
    ],
    [
      'a hello with a bad name',
      [pack(controlToWire('', 0, { kind: 'hello', hello: { ...hello, name: '' } }))],
      /name/,
    ],
    [
      'another mesh',
      [good, pack(frameToWire({ mesh: 'f'.repeat(32), epoch: 1, messages: [] }))],
      /another mesh/,
    ],
    [
      'a second hello of another peer',
      [good, pack(controlToWire('', 0, { kind: 'hello', hello: { ...hello, name: 'other' } }))],
      /another process/,
    ],
    ['an unknown mode', [good, pack(controlToWire('', 0, { kind: 'gossip', payload: ['x'] }))], /stranger/],
  ])('%s: that link is closed, with a reason', async (_, frames, reason) => {
    const code = await send(...frames);
    expect([4003, 1006, 1009]).toContain(code);
    await until('the reason is logged', () => reason.test(mesh.peer('p1').said));
    await undisturbed();
  });

  test('a stranger that is no voter cannot vote', async () => {
    const p1 = mesh.peer('p1');
    const socket = new WebSocket(`ws://127.0.0.1:${p1.port}/mesh`);
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(good);
    await until('it has a link', () => p1.runner.linkCount === 3);
    const { dropped, flushes } = p1.runner.counters;
    const ballot = { round: 9, peer: 'ffffffffffffffff', boot: 1 };
    const prepare = { kind: 'prepare', scope: 'orders/42', ballot } as const;
    const answers: Buffer[] = [];
    socket.on('message', (data) => answers.push(data as Buffer));
    const { counts } = (p1.runner as unknown as { membership: { counts: { mesh: string } } }).membership;
    socket.send(pack(frameToWire({ mesh: counts.mesh, epoch: 1, messages: [prepare] })));
    socket.send(pack(frameToWire({ mesh: counts.mesh, epoch: 2, messages: [prepare] })));
    await until('the second was dropped', () => p1.runner.counters.dropped === dropped + 1);
    expect(p1.runner.counters.flushes).toBe(flushes);
    expect(Buffer.concat(answers).includes('orders/42')).toBe(false);
    socket.terminate();
    await undisturbed();
  });

  test('a late hello of an older start is asked a question, and proves nothing', async () => {
    const p1 = mesh.peer('p1');
    const p3 = mesh.peer('p3');
    const { identity, boot, position } = p3.disk;
    const older: Hello = { ...hello, name: 'p3', observer: false, identity, boot: boot - 2 ** 20, position };
    const socket = new WebSocket(`ws://127.0.0.1:${p1.port}/mesh`);
    const kinds: unknown[] = [];
    socket.on('message', (data) => kinds.push((unpack(data as Buffer) as unknown[])[3]));
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(pack(controlToWire('', 0, { kind: 'hello', hello: older })));
    await until('it is asked', () => kinds.includes(4));
    expect(p3.standing).toEqual({ kind: 'voting' });
    expect(stateOf(p1.runner.members(), 'p3')).toBe('alive');
    socket.terminate();
    await until('it is gone', () => p1.runner.linkCount === 2);
    expect(stateOf(p1.runner.members(), 'p3')).toBe('alive');
    expect(p3.standing).toEqual({ kind: 'voting' });
    expect(await grants(p3, 'orders/42')).toBe(true);
  });

  test('who says no hello is dropped after a while', async () => {
    const socket = connect(mesh.peer('p1').port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.resume();
    socket.write(
      'GET /mesh HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n',
    );
    await closed;
    expect(mesh.peer('p1').said).toMatch(/said no hello/);
    await undisturbed();
  });

  test.each([
    ['an origin', '/mesh', 'Origin: http://evil.example\r\n', /^HTTP\/1\.1 403/],
    ['another path', '/elsewhere', '', /^HTTP\/1\.1 404/],
    ['a bad key', '/mesh', 'Sec-WebSocket-Key: x\r\n', /^HTTP\/1\.1 400/],
  ])('an upgrade with %s is refused', async (_, path, header, status) => {
    const socket = connect(mesh.peer('p1').port, '127.0.0.1');
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes.toString();
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const key = header.includes('Key') ? '' : 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n';
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\n${key}${header}\r\n`,
    );
    await closed;
    expect(answer).toMatch(status);
    await undisturbed();
  });
});

describe('a bad network', () => {
  /** Every peer is reached through a proxy of its own. */
  async function behindProxies(names: readonly string[]): Promise<void> {
    mesh = await TestMesh.of(names);
    const roster = new Map<string, string>();
    for (const peer of mesh.peers) {
      const proxy = await TcpProxy.start(peer.port);
      proxies.push(proxy);
      roster.set(peer.name, `127.0.0.1:${proxy.port}`);
    }
    for (const peer of mesh.peers) {
      await peer.start({ dir: mesh.dirOf(peer.name), roster, address: roster.get(peer.name)! });
    }
    await allUp();
  }

  test('a one-way cut is noticed by both sides, and the link is replaced when it ends', async () => {
    await behindProxies(['p1', 'p2']);
    const [p1, p2] = mesh.peers as [TestPeer, TestPeer];
    expect(await grants(p1, 'before')).toBe(true);
    // What p1 says no longer arrives, whoever dialed; p1 still hears p2.
    proxies[0]!.cut('to client');
    proxies[1]!.cut('to target');
    await until('p2 has noticed', () => /closed: a ping had no answer/.test(p2.said), 4_000);
    await until('neither has a quorum', () => !p1.runner.hasQuorum && !p2.runner.hasQuorum, 4_000);
    expect(await p2.acquire('during', A, 1_000)).toEqual({ kind: 'no_quorum', missing: [0] });
    for (const proxy of proxies) proxy.heal();
    await allUp();
    expect(await grants(p1, 'after')).toBe(true);
    expect(await grants(p2, 'later')).toBe(true);
  });

  test('resets of all connections cost less than a second', async () => {
    await behindProxies(NAMES);
    for (const proxy of proxies) proxy.delayMs = 2;
    for (let i = 0; i < 5; i++) {
      for (const proxy of proxies) proxy.reset();
      await until('a quorum is back', () => mesh.peers.every(({ runner }) => runner.hasQuorum), 2_000);
      expect(await grants(mesh.peers[i % 3]!, `scope-${i}`)).toBe(true);
    }
    await allUp();
    await until('two links each', () => mesh.peers.every(({ runner }) => runner.linkCount === 2));
  });

  test('links stay one for each pair while peers lose each other again and again', async () => {
    await behindProxies(['p1', 'p2']);
    for (let i = 0; i < 20; i++) {
      proxies[i % 2]!.reset();
      await until('one link', () => mesh.peers.every(({ runner }) => runner.linkCount === 1));
    }
    await allUp();
    expect(await grants(mesh.peers[0]!, 'orders/42')).toBe(true);
    expect(mesh.peers.every(({ runner }) => runner.linkCount === 1)).toBe(true);
  });
});
