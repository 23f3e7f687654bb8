/** The client library against a real mesh, over both of its transports. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  BusyError,
  DeadlockError,
  type Leader,
  type Lock,
  LockLostError,
  NotHolderError,
  Quorate,
  type QuorateOptions,
} from '../../src/client/index.ts';
import { Up, until } from './up.ts';

let up: Up;
let clients: Quorate[] = [];
let scopes = 0;

beforeAll(async () => {
  up = await Up.start();
});
afterAll(() => up.stop());
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
});

/** A scope that no other test has. */
const fresh = () => `scope ${++scopes} ä`;

describe.each(['ws', 'http'] as const)('over %s', (transport) => {
  function client(options: Partial<QuorateOptions> = {}): Quorate {
    const servers = [1, 2, 3].map((peer) => up.url(peer));
    const one = new Quorate({ servers, transport, requestTimeout: '20s', ...options });
    clients.push(one);
    return one;
  }

  test('acquire, extend, release', async () => {
    const mesh = client();
    const scope = fresh();
    const lock = await mesh.acquire(scope, { timeout: '40s', reason: 'a test', priority: 'high' });
    expect(lock).toMatchObject({ scope, lockType: 'write', slot: 0, held: true });
    expect(lock.fencingToken).toBeGreaterThan(0);
    expect(Math.abs(lock.acquiredAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(lock.remainingMs()).toBeGreaterThan(1_000);
    expect(lock.signal.aborted).toBe(false);
    expect(await mesh.status(scope)).toMatchObject({
      status: 'locked',
      holders: [
        {
          holder: lock.holder,
          lock_id: lock.lockId,
          fencing_token: lock.fencingToken,
          timeout_ms: 40_000,
          reason: 'a test',
          priority: 'high',
        },
      ],
    });
    await lock.extend('2m');
    const [holder] = (await mesh.status(scope)).holders;
    expect(holder!.timeout_ms).toBe(120_000);
    lock.assertHeld();
    await lock.release();
    await lock.release();
    expect(lock.held).toBe(false);
    expect(await mesh.status(scope)).toMatchObject({ status: 'free', fencing_token: lock.fencingToken });
  });

  test('two acquires in one process exclude each other; who waits is next, with a larger token', async () => {
    const mesh = client();
    const scope = fresh();
    const first = await mesh.acquire(scope);
    const error = await mesh.acquire(scope).catch((reason) => reason);
    expect(error).toBeInstanceOf(BusyError);
    expect(error).toMatchObject({ code: 'busy', certainty: 'definite', scope });
    expect(error.holders).toMatchObject([{ holder: first.holder, lock_id: first.lockId }]);
    expect(await mesh.tryAcquire(scope)).toBeNull();
    const before = performance.now();
    await expect(mesh.acquire(scope, { wait: '300ms' })).rejects.toBeInstanceOf(BusyError);
    expect(performance.now() - before).toBeGreaterThanOrEqual(290);
    const waiting = mesh.acquire(scope, { wait: '30s' });
    await until('it waits', async () => (await mesh.status(scope)).waiters.length === 1);
    await first.release();
    const second = await waiting;
    expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
    expect(second.held).toBe(true);
  });

  test('readers hold together, and a writer waits for all of them', async () => {
    const mesh = client();
    const scope = fresh();
    const read = { lockType: 'read', wait: '30s' } as const;
    const readers = await Promise.all([mesh.acquire(scope, read), mesh.acquire(scope, read)]);
    expect(await mesh.tryAcquire(scope)).toBeNull();
    const writer = mesh.acquire(scope, { wait: '30s' });
    await until('it waits', async () => (await mesh.status(scope)).waiters.length === 1);
    for (const reader of readers) await reader.release();
    expect(await writer).toMatchObject({ lockType: 'write', held: true });
  });

  test('an acquire that is aborted leaves no place behind', async () => {
    const mesh = client();
    const scope = fresh();
    const lock = await mesh.acquire(scope);
    const controller = new AbortController();
    const waiting = mesh.acquire(scope, { wait: '1m', signal: controller.signal });
    await until('it waits', async () => (await mesh.status(scope)).waiters.length === 1);
    controller.abort(new Error('changed my mind'));
    await expect(waiting).rejects.toThrow('changed my mind');
    await until('the place is gone', async () => (await mesh.status(scope)).waiters.length === 0);
    await lock.release();
    expect((await mesh.status(scope)).status).toBe('free');
  });

  test('withLock releases whatever happens', async () => {
    const mesh = client();
    const scope = fresh();
    const token = await mesh.withLock(scope, async ({ signal, fencingToken }) => {
      expect(signal.aborted).toBe(false);
      expect((await mesh.status(scope)).status).toBe('locked');
      return fencingToken;
    });
    expect(token).toBeGreaterThan(0);
    const failing = mesh.withLock(scope, { wait: '5s' }, () => Promise.reject(new Error('mine')));
    await expect(failing).rejects.toThrow('mine');
    expect((await mesh.status(scope)).status).toBe('free');
  });

  test('await using releases', async () => {
    const mesh = client();
    const scope = fresh();
    {
      await using lock = await mesh.acquire(scope);
      expect(lock.held).toBe(true);
    }
    expect((await mesh.status(scope)).status).toBe('free');
  });

  test('a fixed lease ends, its signal before that', async () => {
    const mesh = client();
    const scope = fresh();
    const lock = await mesh.acquire(scope, { timeout: '1500ms' });
    const aborted = new Promise((resolve) => lock.signal.addEventListener('abort', resolve));
    await aborted;
    expect((await mesh.status(scope)).holders).toMatchObject([{ lock_id: lock.lockId }]);
    const next = await mesh.acquire(scope, { wait: '20s' });
    expect(next.fencingToken).toBeGreaterThan(lock.fencingToken);
    await expect(lock.release()).rejects.toBeInstanceOf(LockLostError);
    expect(next.held).toBe(true);
  });

  test('what is released by force is lost, and its holder is told by the next heartbeats', async () => {
    const mesh = client({ ttl: '1500ms' });
    const scope = fresh();
    const lock = await mesh.acquire(scope);
    const { signal } = lock;
    await client().forceRelease(scope, { reason: 'stuck' });
    await until('it is told', () => signal.aborted);
    expect(signal.reason).toBeInstanceOf(LockLostError);
    expect(lock.held).toBe(false);
  });

  test('a lock of a client that is gone is found and released by its id, or by its holder', async () => {
    const mesh = client();
    const other = client();
    for (const by of ['lockId', 'holder'] as const) {
      const scope = fresh();
      const lock = await other.acquire(scope, { holder: `somebody ${transport} ${by}` });
      await expect(mesh.release({ scope })).rejects.toBeInstanceOf(NotHolderError);
      await mesh.release({ scope, [by]: lock[by] });
      expect((await mesh.status(scope)).status).toBe('free');
      await expect(lock.release()).resolves.toBeUndefined();
    }
  });

  test('a reader that asks to write would wait for itself', async () => {
    const mesh = client();
    const scope = fresh();
    await mesh.acquire(scope, { lockType: 'read', holder: 'me' });
    await expect(mesh.acquire(scope, { holder: 'me', wait: '5s' })).rejects.toBeInstanceOf(DeadlockError);
  });

  test('a semaphore', async () => {
    const mesh = client();
    const semaphore = mesh.semaphore(fresh(), 3);
    const permits = await Promise.all([1, 2, 3].map(() => semaphore.acquire({ wait: '30s' })));
    expect(permits.map(({ slot }) => slot).sort()).toEqual([0, 1, 2]);
    expect(new Set(permits.map(({ fencingToken }) => fencingToken)).size).toBe(3);
    expect(await semaphore.tryAcquire()).toBeNull();
    await expect(mesh.semaphore(semaphore.scope, 2).acquire()).rejects.toMatchObject({
      certainty: 'definite',
    });
    const waiting = semaphore.withPermit({ wait: '30s' }, ({ slot }) => slot);
    await permits[1]!.release();
    expect(await waiting).toBe(permits[1]!.slot);
  });

  test('several scopes, all or nothing', async () => {
    const mesh = client();
    const [a, b, c] = [fresh(), fresh(), fresh()];
    const multi = await mesh.multi([c, a, { scope: b, lockType: 'read' }, a]);
    expect([...multi.fencingTokens.keys()]).toEqual([a, b, c].sort());
    expect(multi.held).toBe(true);
    expect((await mesh.acquire(b, { lockType: 'read' })).held).toBe(true);
    await multi.release();
    for (const scope of [a, c]) expect((await mesh.status(scope)).status).toBe('free');

    await expect(mesh.multi([a, b, c])).rejects.toBeInstanceOf(BusyError); // b is read
    await until('its session is swept', async () => (await mesh.status(a)).status === 'free');
  });

  test('those who want the same scopes in any order never wait for each other', async () => {
    const mesh = client();
    const names = [fresh(), fresh(), fresh()];
    let inside = 0;
    const once = async (i: number) => {
      const order = [...names.slice(i % 3), ...names.slice(0, i % 3)];
      await using multi = await mesh.multi(order, { wait: '60s' });
      expect(++inside).toBe(1);
      multi.assertHeld();
      inside--;
    };
    await Promise.all([0, 1, 2, 3, 4, 5].map(once));
  });

  test('an election, and who watches it', async () => {
    const [one, two] = [client(), client()];
    const name = fresh();
    const controller = new AbortController();
    const seen: (Leader | null)[] = [];
    const observing = (async () => {
      for await (const leader of two.elect(name).observe({ signal: controller.signal })) seen.push(leader);
    })();
    await until('nobody leads', () => seen.length === 1);
    const first = one.elect(name);
    const leader = await first.campaign();
    await until('it is seen', () => seen.at(-1)?.holder === leader.holder);
    const second = two.elect(name, { signal: controller.signal });
    const campaign = second.campaign();
    expect(await second.leader()).toEqual({ holder: leader.holder, fencingToken: leader.fencingToken });
    await first.resign();
    const next = await campaign;
    await until('the change is seen', () => seen.at(-1)?.holder === next.holder);
    controller.abort();
    await observing;
    await until('it resigned', async () => (await first.leader()) === null);
    expect(seen[0]).toBeNull();
    expect(next.held).toBe(false);
  });

  test('events', async () => {
    const mesh = client();
    const scope = fresh();
    const events: { event: string; holder?: string | null | undefined }[] = [];
    const watching = (async () => {
      for await (const event of mesh.events({ scope })) {
        events.push(event);
        if (events.filter((one) => one.event === 'released').length === 2) break;
      }
    })();
    await until('it watches', () => events.length === 1);
    const first = await mesh.acquire(scope);
    const waiting = mesh.acquire(scope, { wait: '30s' });
    await until('it waits', async () => (await mesh.status(scope)).waiters.length === 1);
    await first.release();
    await (await waiting).release();
    await watching;
    const kinds = events.map(({ event }) => event);
    expect(kinds[0]).toBe('watching');
    for (const kind of ['granted', 'queued', 'promoted', 'released']) expect(kinds).toContain(kind);
    expect(events[1]).toMatchObject({ scope, holder: first.holder, lock_id: first.lockId });
  });

  test('lists and peers', async () => {
    const mesh = client();
    const scope = fresh();
    await using lock = await mesh.acquire(scope);
    expect((await mesh.peers()).peers.map(({ name }) => name)).toEqual(['p1', 'p2', 'p3']);
    await until('it is listed', async () => {
      const { locks } = await mesh.locks({ prefix: scope, holder: lock.holder, state: 'locked', limit: 5 });
      return locks.length === 1;
    });
    await expect(mesh.locks({ limit: 0.5 })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  test('1,000 acquires of 1,000 scopes at once', async () => {
    const mesh = client({ requestTimeout: '60s' });
    const names = Array.from({ length: 1_000 }, fresh);
    const locks = await Promise.all(names.map((scope) => mesh.acquire(scope, { wait: '10s' })));
    expect(locks.every(({ held }) => held)).toBe(true);
    expect(new Set(locks.map(({ holder }) => holder)).size).toBe(1_000);
    await Promise.all(locks.map((lock) => lock.release()));
  });

  test('100 take turns in one scope, one at a time, and each token is larger', async () => {
    const mesh = client({ requestTimeout: '60s' });
    const scope = fresh();
    let inside = 0;
    const tokens: number[] = [];
    const turn = async (lock: Lock) => {
      expect(++inside).toBe(1);
      tokens.push(lock.fencingToken);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 100 }, () => mesh.withLock(scope, { wait: '100s' }, turn)));
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(100);
  });

  test('close releases all, and everything after it is refused', async () => {
    const mesh = client();
    const [a, b] = [fresh(), fresh()];
    const lock = await mesh.acquire(a, { timeout: 'none' });
    const waiting = client();
    const other = await waiting.acquire(b);
    const acquiring = mesh.acquire(b, { wait: '1m' }).catch((error) => error);
    await until('it waits', async () => (await waiting.status(b)).waiters.length === 1);
    await mesh.close();
    expect(lock.held).toBe(false);
    expect(await acquiring).toMatchObject({ code: 'closed' });
    expect((await waiting.status(a)).status).toBe('free');
    await until('the place is gone', async () => (await waiting.status(b)).waiters.length === 0);
    expect(other.held).toBe(true);
    for (const call of [mesh.acquire(a), mesh.status(a), mesh.peers(), mesh.multi([a])]) {
      await expect(call).rejects.toMatchObject({ code: 'closed', certainty: 'definite' });
    }
  });
});

test('one server of the mesh is enough to reach all of it', async () => {
  const mesh = new Quorate({ servers: up.url(2).replace('http://', '') });
  clients.push(mesh);
  await Promise.all(
    Array.from({ length: 30 }, () => mesh.withLock(fresh(), ({ held }) => expect(held).toBe(true))),
  );
});
