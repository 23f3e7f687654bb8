/** Requests that stay open for long, on real sockets: what must not end them, and what must. */
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServerOptions } from '../../../src/api/server.ts';
import { Waits } from '../../../src/api/waits.ts';
import { type House, house, type Json, mesh, type SoloPeer } from './harness.ts';

const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';

let at: House;
let port: number;

async function listen(options: Partial<ServerOptions> & { peer?: SoloPeer } = {}): Promise<void> {
  at = await house(options);
  await at.server.app.listen({ host: '127.0.0.1', port: 0 });
  port = (at.server.app.server.address() as AddressInfo).port;
}

afterEach(async () => {
  at?.server.app.server.closeAllConnections();
  await at?.server.app.close();
});

async function post(body: object): Promise<Json & { http: number; connection: string | null }> {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1.0/lock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ scope: 'db', action: 'lock', ...body }),
  });
  return {
    ...((await response.json()) as Json),
    http: response.status,
    connection: response.headers.get('connection'),
  };
}

async function waiters(): Promise<number> {
  return (await at.lock({ scope: 'db', action: 'status' })).json.contention.waiters;
}

describe('a long wait', () => {
  test('is cut off by no time-out of the server', async () => {
    await listen({ headersMs: 200, receiveMs: 300, requestMs: 300 });
    await post({ holder: 'a' });
    const waits = post({ holder: 'b', wait: '30s' });
    await sleep(2_500); // connections are checked each second
    await post({ action: 'unlock', holder: 'a' });
    expect(await waits).toMatchObject({ http: 200, holder: 'b' });
  });

  test('ends when its client goes, and so does its place if nobody knows the lock_id', async () => {
    await listen();
    await post({ holder: 'a' });
    const socket = connect(port, '127.0.0.1');
    const body = JSON.stringify({ scope: 'db', action: 'lock', wait: '1m' });
    socket.write(
      `POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await expect.poll(waiters, { timeout: 5_000 }).toBe(1);
    socket.destroy();
    await expect.poll(waiters, { timeout: 5_000 }).toBe(0);
    expect(at.bugs).toEqual([]);
  });
});

describe('a peer that stops', () => {
  test('sends who waits elsewhere at once, with the lock_id', async () => {
    await listen();
    await post({ holder: 'a' });
    const waits = [post({ wait: '1m' }), post({ lock_id: ID, wait: '1m' })] as const;
    await expect.poll(waiters, { timeout: 5_000 }).toBe(2);
    at.server.app.server.close();
    const began = performance.now();
    await at.server.drain();
    expect(performance.now() - began).toBeLessThan(1_000);
    for (const answer of await Promise.all(waits)) {
      expect(answer).toMatchObject({
        http: 423,
        code: 'waiting',
        certainty: 'definite',
        connection: 'close',
      });
      expect(answer.lock_id).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer.next).toContain('at another peer');
    }
    expect((await waits[1]).lock_id).toBe(ID);
  });

  test('gives what it is granted after that back, unless somebody can ask for it', async () => {
    await listen();
    await post({ holder: 'a' });
    const waits = post({ wait: '1m' });
    await expect.poll(waiters, { timeout: 5_000 }).toBe(1);
    await at.server.drain();
    const { lock_id } = await waits;
    await at.lock({ scope: 'db', action: 'unlock', holder: 'a' });
    const status = async () => (await at.lock({ scope: 'db', action: 'status' })).json.status;
    await expect.poll(status, { timeout: 5_000 }).toBe('free');
    const { json } = await at.lock({ scope: 'db', action: 'lock', lock_id });
    expect(json).toMatchObject({ code: 'stale_grant', ending: 'released' });
  });

  test('keeps the place of a lock_id that the client chose, for another peer', async () => {
    const [first, second] = mesh(2);
    await listen({ peer: first! });
    const other = await house({ peer: second! });
    await post({ holder: 'a' });
    const waits = post({ lock_id: ID, wait: '1m' });
    await expect.poll(waiters, { timeout: 5_000 }).toBe(1);
    await at.server.drain();
    expect(await waits).toMatchObject({ http: 423, lock_id: ID });
    await expect.poll(waiters, { timeout: 5_000 }).toBe(0); // parked: nothing is granted to nobody
    const again = other.lock({ scope: 'db', action: 'lock', lock_id: ID, repeat: 1, wait: '10s' });
    await expect.poll(waiters, { timeout: 5_000 }).toBe(1);
    await other.lock({ scope: 'db', action: 'unlock', holder: 'a' });
    expect((await again).json).toMatchObject({ status: 'locked', lock_id: ID, fencing_token: 2 });
  });

  test('begins no wait any more', async () => {
    await listen();
    await at.server.drain();
    expect(await at.lock({ scope: 'db', action: 'lock', wait: '1m' })).toMatchObject({
      status: 423,
      json: { code: 'waiting', lock_id: expect.any(String) },
    });
    expect(at.peer.asked).toEqual([]);
    expect(await at.lock({ scope: 'db', action: 'lock' })).toMatchObject({ status: 200 });
  });
});

describe('waits', () => {
  const never = new Promise<number>(() => {});

  test('end with their reply, or with undefined for all', async () => {
    const waits = new Waits<number>();
    const told: string[] = [];
    const open = waits.until(
      () => never,
      () => told.push('stopped'),
      () => told.push('late'),
    );
    expect(
      await waits.until(
        async () => 7,
        () => {},
        () => {},
      ),
    ).toBe(7);
    expect(waits.size).toBe(1);
    waits.endAll();
    expect(await open).toBeUndefined();
    expect(told).toEqual(['stopped']);
    expect(waits.size).toBe(0);
  });

  test('hand on what comes late, and do not begin any more', async () => {
    const waits = new Waits<number>();
    let settle: (value: number) => void = () => {};
    const late: number[] = [];
    const reply = new Promise<number>((resolve) => {
      settle = resolve;
    });
    const open = waits.until(
      () => reply,
      () => {},
      (value) => late.push(value),
    );
    waits.endAll();
    settle(7);
    expect(await open).toBeUndefined();
    expect(late).toEqual([7]);
    const asked: string[] = [];
    const next = await waits.until(
      () => {
        asked.push('asked');
        return never;
      },
      () => {},
      () => {},
    );
    expect([next, asked]).toEqual([undefined, []]);
  });

  test('fail with what they ask', async () => {
    const waits = new Waits<number>();
    const open = waits.until(
      () => Promise.reject(new Error('gone')),
      () => {},
      () => {},
    );
    await expect(open).rejects.toThrow('gone');
    expect(waits.size).toBe(0);
  });
});
