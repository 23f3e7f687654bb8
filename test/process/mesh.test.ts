/** Peers of one mesh in this process, on real sockets and disks: forming, voting, coming and going. */
import { cpSync, rmSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { Disk } from '../../src/mesh/flusher.ts';
import type { ClientReply } from '../../src/peer/request.ts';
import { TestMesh, type TestPeer, until } from './peers.ts';

let mesh: TestMesh;
afterEach(() => mesh.close());

const NAMES = ['p1', 'p2', 'p3'];
const A = '00000000-0000-7000-8000-00000000000a';
const B = '00000000-0000-7000-8000-00000000000b';

function start(name: string, more: Partial<Parameters<TestPeer['start']>[0]> = {}): Promise<void> {
  return mesh.peer(name).start({ dir: mesh.dirOf(name), roster: mesh.roster(NAMES), ...more });
}

async function startAll(names: readonly string[] = NAMES): Promise<readonly TestPeer[]> {
  mesh = await TestMesh.of(names);
  for (const name of NAMES) await start(name);
  return mesh.peers;
}

function allUp(peers: readonly TestPeer[] = mesh.peers): Promise<void> {
  return until('all peers see each other', () =>
    peers.every(
      ({ runner }) => runner.hasQuorum && runner.members().every((member) => member.state === 'alive'),
    ),
  );
}

const kindOf = (reply: ClientReply) => (reply.kind === 'decided' ? reply.outcome.kind : reply.kind);

describe('three peers', () => {
  test('form a mesh, grant, refuse and release', async () => {
    const [p1, p2, p3] = (await startAll()) as [TestPeer, TestPeer, TestPeer];
    await allUp();
    const granted = await p1.acquire('orders/42', A);
    expect(kindOf(granted)).toBe('granted');
    expect(granted.kind === 'decided' && granted.votes).toBeGreaterThanOrEqual(2);
    expect(kindOf(await p2.acquire('orders/42', B))).toBe('busy');
    await until('p3 holds the state too', () => [...p3.runner.held()].length === 1);
    expect(kindOf(await p3.release('orders/42', A))).toBe('released');
    expect(kindOf(await p2.acquire('orders/42', B))).toBe('granted');
    for (const { runner, failures } of mesh.peers) {
      expect(runner.standing).toEqual({ kind: 'voting' });
      expect(runner.epoch).toBe(1);
      expect(runner.voters).toEqual(NAMES);
      expect(failures).toEqual([]);
    }
  });

  test('keep one link for each pair, whoever dialed', async () => {
    const peers = await startAll();
    await allUp();
    await until('two links each', () => peers.every(({ runner }) => runner.linkCount === 2));
  });

  test('share frames and flushes', async () => {
    const [p1] = (await startAll()) as [TestPeer];
    await allUp();
    const before = p1.runner.counters;
    const ids = Array.from(
      { length: 200 },
      (_, i) => `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`,
    );
    const replies = await Promise.all(ids.map((id) => p1.acquire(`scope-${id}`, id)));
    expect(new Set(replies.map(kindOf))).toEqual(new Set(['granted']));
    const after = p1.runner.counters;
    expect(after.commands - before.commands).toBe(200);
    expect(after.flushes - before.flushes).toBeLessThan(100);
    expect(after.framesOut - before.framesOut).toBeLessThan(after.messagesOut - before.messagesOut);
  });
});

describe('a peer that is started late', () => {
  test('is waited for, and nobody votes before', async () => {
    mesh = await TestMesh.of(NAMES);
    await start('p1');
    await start('p2');
    const [p1, p2, p3] = mesh.peers as [TestPeer, TestPeer, TestPeer];
    await until(
      'p1 misses only p3',
      () => String(p1.standing.kind === 'forming' && p1.standing.missing) === 'p3',
    );
    expect(p1.runner.voters).toEqual(NAMES);
    expect(await p1.acquire('orders/42', A)).toEqual({ kind: 'no_quorum', missing: [2] });
    expect(p2.runner.hasQuorum).toBe(false);
    await start('p3');
    await allUp();
    expect(kindOf(await p3.acquire('orders/42', A))).toBe('granted');
  });

  test('finds a mesh that votes already, with the locks that it kept', async () => {
    const [p1, p2, p3] = (await startAll()) as [TestPeer, TestPeer, TestPeer];
    await allUp();
    await p3.acquire('orders/42', A);
    await p3.stop();
    await until('p3 is missed', () => !p1.runner.members().every((member) => member.state === 'alive'));
    expect(kindOf(await p1.acquire('orders/42', B))).toBe('busy');
    expect(kindOf(await p2.release('orders/42', A))).toBe('released');
    await start('p3');
    await allUp();
    expect(p3.standing).toEqual({ kind: 'voting' });
    expect(kindOf(await p3.acquire('orders/42', B))).toBe('granted');
  });

  test('is not waited for where a majority is enough', async () => {
    const [p1, p2] = (await startAll()) as [TestPeer, TestPeer];
    await allUp();
    await mesh.peer('p3').stop();
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      expect(kindOf(await p1.acquire(`scope-${i}`, A))).toBe('granted');
      expect(performance.now() - began).toBeLessThan(1_000);
    }
    await p2.stop();
    await until('no quorum', () => !p1.runner.hasQuorum);
    expect(await p1.acquire('other', B)).toEqual({ kind: 'no_quorum', missing: [1, 2] });
  });
});

describe('an observer', () => {
  test('forwards and does not vote', async () => {
    await startAll([...NAMES, 'o1']);
    await start('o1', { observer: true });
    const o1 = mesh.peer('o1');
    await allUp();
    expect(o1.standing).toEqual({ kind: 'observing' });
    const granted = await o1.acquire('orders/42', A);
    expect(kindOf(granted)).toBe('granted');
    expect(granted.kind === 'decided' && granted.voters).toBe(3);
    expect(kindOf(await mesh.peer('p1').acquire('orders/42', B))).toBe('busy');
    expect(o1.runner.counters.flushes).toBe(1);
    const seen = mesh.peer('p2').runner.members();
    expect(seen.find((member) => member.name === 'o1')).toMatchObject({ role: 'observer', state: 'alive' });
  });
});

describe('data that has forgotten votes (M2)', () => {
  test('an empty directory under a known name: stays up, forwards, does not vote', async () => {
    const [p1, , p3] = (await startAll()) as [TestPeer, TestPeer, TestPeer];
    await allUp();
    await p3.stop();
    rmSync(mesh.dirOf('p3'), { recursive: true });
    await start('p3');
    await until('p3 is refused', () => p3.standing.kind === 'refused');
    expect(p3.standing).toMatchObject({ mend: 'quorate roster replace p3' });
    await until('p3 can forward', () => p3.runner.hasQuorum);
    expect(kindOf(await p3.acquire('orders/42', A))).toBe('granted');
    expect(p3.runner.counters.registersFlushed).toBe(0);
    expect(p1.standing.kind).toBe('voting');
    const member = p1.runner.members().find((other) => other.name === 'p3');
    expect(member?.state).not.toBe('alive');
  });

  test('a restored copy: the others have seen it further on', async () => {
    const [p1, p2, p3] = (await startAll()) as [TestPeer, TestPeer, TestPeer];
    await allUp();
    await p1.acquire('orders/1', A);
    await p3.stop();
    cpSync(mesh.dirOf('p3'), `${mesh.dir}/copy`, { recursive: true });
    await start('p3');
    await allUp();
    for (let i = 2; i < 12; i++) await p1.acquire(`orders/${i}`, A);
    await until('p3 has flushed', () => p3.runner.counters.flushes > 2);
    // The others know where p3 is from its pings.
    const flushed = p3.runner.counters.framesOut;
    await until('p3 has pinged', () => p3.runner.counters.framesOut > flushed + 8);
    await p3.stop();
    rmSync(mesh.dirOf('p3'), { recursive: true });
    cpSync(`${mesh.dir}/copy`, mesh.dirOf('p3'), { recursive: true });
    await start('p3');
    await until('p3 is refused', () => p3.standing.kind === 'refused');
    expect(p3.said).toMatch(/quorate roster replace p3/);
    await until('p3 can forward', () => p3.runner.hasQuorum);
    expect(kindOf(await p3.acquire('orders/99', B))).toBe('granted');
    expect(kindOf(await p2.acquire('orders/1', B))).toBe('busy');
  });

  test('a copy that lives beside the original: neither votes', async () => {
    mesh = await TestMesh.of([...NAMES, 'twin']);
    for (const name of NAMES) await start(name);
    await allUp(mesh.peers.slice(0, 3));
    const [p1, , p3, twin] = mesh.peers as [TestPeer, TestPeer, TestPeer, TestPeer];
    await p3.stop();
    cpSync(mesh.dirOf('p3'), mesh.dirOf('twin'), { recursive: true });
    await start('p3');
    await allUp(mesh.peers.slice(0, 3));
    await twin.start({ dir: mesh.dirOf('twin'), roster: mesh.roster(NAMES), name: 'p3' });
    await until('both are refused', () => p3.standing.kind === 'refused' && twin.standing.kind === 'refused');
    expect(kindOf(await p1.acquire('orders/42', A))).toBe('granted');
  });
});

describe('a disk that fails', () => {
  test('ends the peer, and nothing is acknowledged after it', async () => {
    mesh = await TestMesh.of(NAMES);
    let broken = false;
    const wrap = (disk: Disk): Disk => ({
      identity: disk.identity,
      boot: disk.boot,
      horizon: disk.horizon,
      get position() {
        return disk.position;
      },
      meta: (key) => disk.meta(key),
      read: (scope) => disk.read(scope),
      held: () => disk.held(),
      commit: (batch) => (broken ? Promise.reject(new Error('the disk is full')) : disk.commit(batch)),
    });
    for (const name of NAMES) await start(name, name === 'p3' ? { wrap } : {});
    await allUp();
    const [p1, , p3] = mesh.peers as [TestPeer, TestPeer, TestPeer];
    broken = true;
    expect(kindOf(await p1.acquire('orders/42', A))).toBe('granted');
    await until('p3 has failed', () => p3.failures.length > 0);
    expect(String(p3.failures[0])).toMatch(/the disk is full/);
    expect(await p3.acquire('orders/43', A)).toEqual({ kind: 'no_quorum', missing: [] });
    await until('p3 has no links', () => p3.runner.linkCount === 0);
    expect(kindOf(await p1.acquire('orders/44', A))).toBe('granted');
    expect(p3.failures).toHaveLength(1);
  });
});

test('a client that is gone does not keep its lock', async () => {
  const [p1] = (await startAll()) as [TestPeer];
  await allUp();
  let leave = () => {};
  const asker = {
    gone: false,
    whenGone: (told: (() => void) | undefined) => {
      if (told !== undefined) leave = told;
    },
  };
  const reply = p1.runner.request(
    {
      op: 'acquire',
      permits: 0,
      scope: 'orders/42',
      lockId: A as never,
      made: true,
      holder: 'h',
      named: false,
      mode: 'write',
      priority: 'normal',
      reason: null,
      session: null,
      leaseMs: 60_000,
      waitMs: 0,
      pollMs: null,
      repeat: 0,
      at: 0,
    },
    { timeoutMs: 5_000, asker },
  );
  leave();
  expect(await reply).toEqual({ kind: 'unknown', missing: [] });
  const end = performance.now() + 5_000;
  let other = 'busy';
  for (let i = 0; other === 'busy' && performance.now() < end; i++) {
    other = kindOf(await p1.acquire('orders/42', `00000000-0000-7000-8000-00000000001${i % 10}`));
  }
  expect(other).toBe('granted');
});

test('an event loop that stood still drops its links, and is back soon (V9)', async () => {
  const [p1] = (await startAll()) as [TestPeer];
  await allUp();
  const end = performance.now() + 2_600;
  while (performance.now() < end);
  await until('it was noticed', () => p1.said.includes('stood still'));
  await allUp();
  expect(kindOf(await p1.acquire('orders/42', A))).toBe('granted');
});

test('a mesh that was stopped leaves nothing behind', async () => {
  const count = (prefix: string) =>
    process.getActiveResourcesInfo().filter((kind) => kind.startsWith(prefix)).length;
  const timers = count('Timeout');
  await startAll();
  await allUp();
  const reply = mesh.peer('p1').acquire('orders/42', A);
  await mesh.close();
  expect(['granted', 'unknown']).toContain(kindOf(await reply));
  await until('nothing is left', () => count('TCP') === 0 && count('Timeout') <= timers, 3_000);
});
