/** How connections of the clients' WebSocket end, and who may open one: on real sockets. */
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { problem } from '../../../src/api/answers.ts';
import type { ServerOptions } from '../../../src/api/server.ts';
import { CLIENT_FRAME_BYTES_MAX } from '../../../src/protocol/limits.ts';
import { anyValue, mutated } from '../arbitraries.ts';
import { type House, house, mesh, type SoloPeer } from './harness.ts';
import { lockId, Talk } from './talk.ts';

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

/** A client that is connected and has said nothing. */
async function silent(): Promise<Talk> {
  const client = new Talk(port);
  await client.until('it is open', () => client.socket.readyState === WebSocket.OPEN);
  return client;
}

const waiters = async (scope: string) =>
  (await at.lock({ scope, action: 'status' })).json.waiters.map(({ holder }: { holder: string }) => holder);

describe('a connection ends', () => {
  const hello = [0, 1, 'a test'];
  test.each<[string, (client: Talk) => void, number, RegExp]>([
    ['text', (client) => client.sendBytes('[]'), 1003, /frames are binary/],
    ['no MessagePack', (client) => client.sendBytes(Buffer.from([0xc1, 0xc1])), 1007, /^frame: /],
    ['half a frame', (client) => client.sendBytes(Buffer.from([0x92, 0x01])), 1007, /^frame: /],
    ['no frame', (client) => client.send(7), 1007, /^frame: is no array/],
    ['no message', (client) => client.send([7]), 1007, /^message: is no array/],
    ['an empty message', (client) => client.send([[]]), 1007, /^message: has 0 of 1/],
    ['no kind', (client) => client.send([['lock', 1]]), 1007, /^kind: /],
    ['no number', (client) => client.send([[6, -1, 'a']]), 1007, /^id: /],
    ['nothing to give up', (client) => client.send([[1, 'all']]), 1007, /^id: /],
    [
      'a second hello',
      (client) => client.send([hello]),
      1002,
      /the first message of a connection is a hello, and no other/,
    ],
  ])('after %s', async (_, speak, code, why) => {
    await listen();
    const client = await Talk.open(port);
    speak(client);
    const closed = await client.end();
    expect(closed.code).toBe(code);
    expect(closed.reason).toMatch(why);
  });

  test.each([
    ['another message first', [[6, 1, 'a'], hello]],
    ['gone first', [[1, 1], hello]],
    ['a hello of no version', [[0, 'one', '']]],
    ['a hello with a long name', [[0, 1, 'x'.repeat(257)]]],
  ])('after %s', async (_, frame) => {
    await listen();
    const client = await silent();
    client.send(frame);
    expect(await client.end()).toEqual({
      code: 1002,
      reason: expect.stringMatching(/hello.*\[0, version, agent\]/),
    });
    expect(client.messages).toEqual([]);
    expect(at.peer.asked).toEqual([]);
  });

  test('after a frame that is too large', async () => {
    await listen();
    const client = await Talk.open(port);
    client.sendBytes(Buffer.alloc(CLIENT_FRAME_BYTES_MAX + 1));
    expect((await client.end()).code).toBe(1009);
  });

  test('without a hello in time', async () => {
    await listen();
    const client = await silent();
    expect(await client.end()).toEqual({ code: 1008, reason: 'no hello for 5000 ms' });
  });

  test('and what it asked before is answered first, or given up', async () => {
    await listen();
    const client = await Talk.open(port);
    client.send([[6, 5, ''], [2, 6, 'a', lockId(), 'me', 0, 0, 1, null, null, -1, 60_000, 0], 7]);
    expect(await client.end()).toMatchObject({ code: 1007 });
    expect(client.messages.slice(1)).toMatchObject([{ kind: 'refused', id: 5 }]);
    const { text } = (await at.get('/metrics')).json;
    expect(text).toContain('quorate_requests_total{action="lock",code="client_gone"} 1');
    expect(text).toContain('quorate_requests_total{action="invalid",code="invalid_request"} 1');
  });
});

describe('who may come in', () => {
  test.each([
    [
      'a foreign Host',
      { host: 'evil.example' },
      '/client',
      403,
      'forbidden',
      /Host header names "evil.example"/,
    ],
    ['a foreign Origin', { origin: 'https://evil.example' }, '/client', 403, 'forbidden', /Origin/],
    ['no such address', {}, '/clients', 404, 'unknown_route', /clients is no address/],
    ['links, where none are taken', {}, '/mesh', 404, 'unknown_route', /mesh is no address/],
  ])('%s is refused', async (_, headers, path, status, code, why) => {
    await listen();
    const client = new Talk(port, headers, path);
    await client.until('it is refused', () => client.refused !== undefined);
    expect(client.refused!.status).toBe(status);
    expect(problem.parse(JSON.parse(client.refused!.body))).toMatchObject({
      code,
      detail: expect.stringMatching(why),
    });
  });

  test('a page of our own may', async () => {
    await listen();
    const client = new Talk(port, { origin: `http://127.0.0.1:${port}` }, '/client?from=page');
    await client.until('it is open', () => client.socket.readyState === WebSocket.OPEN);
  });

  test('links go where links go, past the guard of links', async () => {
    const urls: unknown[] = [];
    await listen({
      links: (request, socket) => {
        urls.push(request.url);
        socket.destroy();
      },
    });
    const link = new Talk(port, {}, '/mesh');
    await link.until('it is closed', () => link.closed !== undefined);
    const page = new Talk(port, { origin: 'https://evil.example' }, '/mesh');
    await page.until('it is refused', () => page.refused !== undefined);
    expect(page.refused!.status).toBe(403);
    expect(urls).toEqual(['/mesh']);
  });
});

describe('draining', () => {
  test('tells all, sends who waits elsewhere, answers the rest, and closes', async () => {
    await listen();
    const [idle, waits] = [await Talk.open(port), await Talk.open(port)];
    const quiet = await silent();
    const first = lockId();
    await idle.answer(idle.acquire({ scope: 'a', lockId: first }));
    const id = lockId();
    const asked = waits.acquire({ scope: 'a', lockId: id, waitMs: 60_000 });
    await expect.poll(() => waiters('a')).toHaveLength(1);
    const drained = at.server.drain();
    expect(await idle.end()).toEqual({ code: 1001, reason: 'this peer is stopping' });
    expect(await quiet.end()).toMatchObject({ code: 1001 });
    expect(idle.messages.at(-1)).toEqual({ kind: 'drain' });
    await waits.told('drain');
    expect(await waits.answer(asked)).toMatchObject({
      kind: 'refused',
      body: {
        code: 'waiting',
        scope: 'a',
        lock_id: id,
        retry_after_s: 0,
        next: expect.stringMatching(/Repeat the request with the same lock_id at another peer/),
      },
    });
    expect(await waits.end()).toMatchObject({ code: 1001 });
    await drained;
    await expect.poll(() => waiters('a')).toEqual([]);
    const late = new Talk(port);
    await late.until('it is refused', () => late.refused !== undefined);
    expect(late.refused!.status).toBe(429);
  });

  test('waits for what is under way', async () => {
    let shut = true;
    const [peer] = mesh(
      3,
      (_from, to, { kind }) => !(shut && (kind === 'accepted' || kind === 'answer') && to === 0),
    );
    await listen({ peer: peer! });
    const client = await Talk.open(port);
    const asked = client.acquire({ scope: 'a' });
    await expect.poll(() => at.peer.asked.length).toBe(1);
    const drained = at.server.drain();
    await client.told('drain');
    const waited = client.acquire({ scope: 'b', waitMs: 60_000 });
    expect(await client.answer(waited)).toMatchObject({ kind: 'refused', body: { code: 'waiting' } });
    shut = false;
    expect((await client.answer(asked)).kind).toBe('locked');
    expect(await client.end()).toMatchObject({ code: 1001 });
    await drained;
  });
});

test('figures tell of connections and traffic', async () => {
  await listen();
  const client = await Talk.open(port);
  await client.answer(client.acquire({ scope: 'a' }));
  client.acquire({ scope: 'a', waitMs: 60_000 });
  await expect.poll(() => waiters('a')).toHaveLength(1);
  const { text } = (await at.get('/metrics')).json;
  expect(text).toContain('quorate_client_connections 1\n');
  expect(text).toContain('quorate_client_requests_open 1\n');
  expect(text).toContain('quorate_client_messages_total{direction="in"} 3\n');
  expect(text).toContain('quorate_client_frames_total{direction="out"} 2\n');
  expect(text).toContain('quorate_requests_total{action="lock",code="ok"} 1\n');
});

test('whatever comes in, nothing breaks but its connection', async () => {
  await listen();
  const known = fc.constantFrom<unknown[]>(
    [1, 3],
    [2, 3, 'a', lockId(), null, 0, 0, 1, null, null, -1, 0, 0],
    [3, 3, 'a', null, 'me', null],
    [4, 3, 'a', lockId(), null, 5_000, null, null, 0],
    [5, 3, 'a', lockId(), null],
    [6, 3, 'a'],
    [8, 3, 5_000, 'me'],
    [9, 3, lockId(), true],
  );
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.oneof({ weight: 4, arbitrary: mutated(known) }, { weight: 1, arbitrary: anyValue }), {
      maxLength: 5,
    }),
  );
  let client = await Talk.open(port);
  await fc.assert(
    fc.asyncProperty(frames, async (frame) => {
      if (client.socket.readyState !== WebSocket.OPEN) client = await Talk.open(port);
      try {
        if (Buffer.isBuffer(frame)) client.sendBytes(frame);
        else client.send(frame);
      } catch {
        return; // no value of MessagePack
      }
      const before = client.messages.length;
      client.say({ kind: 'status', id: 1_000_000, scope: 'a' });
      await client.until(
        'it is answered, or closed',
        () => client.messages.length > before || client.closed !== undefined,
      );
    }),
    { numRuns: 300 },
  );
  expect(at.bugs).toEqual([]);
  const after = await Talk.open(port);
  expect((await after.answer(after.acquire({ scope: 'after' }))).kind).toBe('locked');
});
