/** The client library while peers die, and while its own process stands still. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Lock, Quorate } from '../../src/client/index.ts';
import { Child } from './client-library-children.ts';
import { Up, until } from './up.ts';

let up: Up;
let mesh: Quorate | undefined;
let child: Child | undefined;
afterEach(async () => {
  await child?.stop();
  await mesh?.close();
  await up.stop();
});

const servers = () => [1, 2, 3].map((peer) => up.url(peer));

describe.each(['ws', 'http'] as const)('over %s', (transport) => {
  test('peers are killed under load: the client goes on, and nobody is inside with somebody else', async () => {
    up = await Up.start();
    mesh = new Quorate({ servers: servers(), transport, requestTimeout: '30s', ttl: '20s' });
    const inside = new Set<string>();
    const last = new Map<string, number>();
    let turns = 0;
    let over = false;
    const turn = async ({ scope, fencingToken }: Lock) => {
      expect(inside.has(scope)).toBe(false);
      inside.add(scope);
      expect(fencingToken).toBeGreaterThan(last.get(scope) ?? 0);
      last.set(scope, fencingToken);
      await new Promise((resolve) => setTimeout(resolve, 2));
      turns++;
      inside.delete(scope);
    };
    const loops = Array.from({ length: 20 }, async (_, i) => {
      while (!over) await mesh!.withLock(`load-${i % 10}`, { wait: '60s' }, turn);
    });
    try {
      await until('it runs', () => turns > 50, 60_000);
      for (const name of ['p1', 'p2', 'p3']) {
        const before = turns;
        const pid = up.pidOf(name);
        process.kill(pid, 'SIGKILL');
        await until('it goes on', () => turns > before + 100, 60_000);
        await until(`${name} is back`, () => up.pidOf(name) !== pid, 60_000);
        await until(
          'all vote again',
          async () => {
            const { peers } = await mesh!.peers();
            return peers.every(({ state }) => state === 'alive');
          },
          60_000,
        );
      }
    } finally {
      over = true;
    }
    await Promise.all(loops);
    console.log(`${turns} turns while each peer was killed once`);
  });

  test('stopped past its ttl, and continued: it knows that it lost before it does anything', async () => {
    up = await Up.start();
    mesh = new Quorate({ servers: servers(), transport });
    const scope = 'stopped';
    child = new Child({ mode: 'hold', servers: servers(), transport, scope, ttl: '1s' });
    const { token } = await child.hear('held');
    await child.hear('works');
    const waiting = mesh.acquire(scope, { wait: '60s' });
    await until('it waits', async () => (await mesh!.status(scope)).waiters.length === 1);
    child.signal('SIGSTOP');
    const next = await waiting;
    expect(next.fencingToken).toBeGreaterThan(token);
    const before = child.said.length;
    child.signal('SIGCONT');
    const lost = await child.hear('lost');
    expect(lost).toMatchObject({ lost: true, aborted: true, held: false });
    expect(await child.hear('told')).toMatchObject({ code: 'stale_grant' });
    const after = child.said.slice(before).map(({ event }) => event);
    expect(after).not.toContain('works');
    expect(after).toContain('aborted');
    expect(next.held).toBe(true);
    await until('it ends by itself', () => child!.code === 0);
  });

  test('its process is killed: what it held is free once its session is dead', async () => {
    up = await Up.start();
    mesh = new Quorate({ servers: servers(), transport });
    child = new Child({ mode: 'hold', servers: servers(), transport, scope: 'killed', ttl: '1s' });
    const { token } = await child.hear('held');
    child.signal('SIGKILL');
    const next = await mesh.acquire('killed', { wait: '20s' });
    expect(next.fencingToken).toBeGreaterThan(token);
  });

  test('with nothing held and nothing waited for, its process ends by itself', async () => {
    up = await Up.start();
    child = new Child({ mode: 'leave', servers: servers(), transport, scope: 'left', ttl: '10s' });
    await child.hear('held');
    await until('it ends', () => child!.code === 0, 5_000);
  });
});

test('without a quorum it says so, and holds on to nothing', async () => {
  up = await Up.start();
  mesh = new Quorate({ servers: servers(), requestTimeout: '1s', ttl: '2s' });
  const lock = await mesh.acquire('s');
  const pids = ['p2', 'p3'].map((name) => up.pidOf(name));
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    await until('the lock is lost', () => !lock.held);
    expect(lock.signal.aborted).toBe(true);
    const error = await mesh.acquire('t').catch((reason) => reason);
    expect(['no_quorum', 'outcome_unknown']).toContain(error.code);
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
  await until('it acquires again', async () => (await mesh!.tryAcquire('t').catch(() => null)) !== null);
});
