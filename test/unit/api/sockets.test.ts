/** On real sockets: clients that leave, send slowly, send garbage, or send many requests at once. */
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { ServerOptions } from '../../../src/api/server.ts';
import { type House, house, mesh, type SoloPeer } from './harness.ts';

let at: House;
let port: number;

async function listen(options: Partial<ServerOptions> & { peer?: SoloPeer } = {}): Promise<void> {
  at = await house(options);
  await at.server.app.listen({ host: '127.0.0.1', port: 0 });
  port = (at.server.app.server.address() as AddressInfo).port;
}

afterEach(async () => {
  at.server.app.server.closeAllConnections();
  await at.server.app.close();
});

function post(body: object | string, headers = ''): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = Buffer.byteLength(text);
  return `POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost:${port}\r\nContent-Length: ${length}\r\n${headers}\r\n${text}`;
}

/** Sends bytes; collects what comes back until the other side closes or `enough` of it is there. */
async function send(bytes: string | Buffer, enough?: (text: string) => boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.write(bytes);
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk;
      if (enough?.(text)) resolve();
    });
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
  });
  socket.destroy();
  return text;
}

const answers = (count: number) => (text: string) =>
  text.split('HTTP/1.1 ').length > count && text.endsWith('}');
const lock = (scope: string) => ({ scope, action: 'lock' });

async function statusOf(scope: string) {
  return (await at.lock({ scope, action: 'status' })).json;
}

/** A mesh in which p1 hears no acceptance until the gate opens. */
function gated(): { peer: SoloPeer; open(): void } {
  let shut = true;
  const [peer] = mesh(
    3,
    (_from, to, { kind }) => !(shut && (kind === 'accepted' || kind === 'answer') && to === 0),
  );
  return {
    peer: peer!,
    open: () => {
      shut = false;
    },
  };
}

describe('a client that leaves', () => {
  test('before its answer loses the lock that it could not learn of', async () => {
    const gate = gated();
    await listen({ peer: gate.peer });
    const socket = connect(port, '127.0.0.1');
    socket.write(post(lock('left')));
    await expect.poll(() => at.peer.asked.length).toBe(1);
    await sleep(50);
    socket.destroy();
    await sleep(50);
    gate.open();
    await expect.poll(async () => (await statusOf('left')).status, { timeout: 5_000 }).toBe('free');
    expect((await statusOf('left')).fencing_token).toBe(1);
  });

  test('keeps the lock whose id it chose: it may come back for it', async () => {
    const gate = gated();
    await listen({ peer: gate.peer });
    const socket = connect(port, '127.0.0.1');
    socket.write(post({ ...lock('kept'), lock_id: '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11' }));
    await expect.poll(() => at.peer.asked.length).toBe(1);
    await sleep(50);
    socket.destroy();
    await sleep(50);
    gate.open();
    await expect.poll(async () => (await statusOf('kept')).status, { timeout: 5_000 }).toBe('locked');
  });

  test('takes all that it sent at once with it', async () => {
    const gate = gated();
    await listen({ peer: gate.peer });
    const socket = connect(port, '127.0.0.1');
    const scopes = ['one', 'two', 'three'];
    socket.write(scopes.map((scope) => post(lock(scope))).join(''));
    await expect.poll(() => at.peer.asked.length).toBe(3);
    await sleep(50);
    socket.destroy();
    await sleep(50);
    gate.open();
    for (const scope of scopes) {
      await expect.poll(async () => (await statusOf(scope)).status, { timeout: 5_000 }).toBe('free');
    }
  });
});

describe('many requests on one connection', () => {
  test('are answered in their order', async () => {
    await listen();
    const scopes = Array.from({ length: 40 }, (_, i) => `s${i}`);
    const text = await send(scopes.map((scope) => post(lock(scope))).join(''), answers(40));
    expect([...text.matchAll(/"scope":"(\w+)"/g)].map(([, scope]) => scope)).toEqual(scopes);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(40);
  });
});

test.each(['.', '..'])('the scope %j is found by who sends its path as it is', async (scope) => {
  await listen();
  await send(post(lock(scope)), answers(1));
  const text = await send(`GET /api/v1.0/locks/${scope} HTTP/1.1\r\nHost: localhost\r\n\r\n`, answers(1));
  expect(text).toContain(`"status":"locked","scope":"${scope}"`);
});

describe('draining', () => {
  test('answers what is under way, then ends the connection', async () => {
    const gate = gated();
    await listen({ peer: gate.peer });
    const asked = send(post(lock('late')));
    await expect.poll(() => at.peer.asked.length).toBe(1);
    at.server.app.server.close();
    let done = false;
    const drained = at.server.drain().then(() => {
      done = true;
    });
    await sleep(50);
    expect(done).toBe(false);
    gate.open();
    expect(await asked).toMatch(/^HTTP\/1\.1 200[\s\S]*"status":"locked"/);
    await drained;
  });

  test('is over at once when nothing is under way', async () => {
    await listen();
    await send(post(lock('a')), answers(1));
    await at.server.drain();
  });

  test('is not held up by clients that left', async () => {
    const gate = gated();
    await listen({ peer: gate.peer });
    const socket = connect(port, '127.0.0.1');
    socket.write(post(lock('a')) + post(lock('b')));
    await expect.poll(() => at.peer.asked.length).toBe(2);
    socket.destroy();
    await at.server.drain();
  });
});

describe('slow clients', () => {
  test.each([
    ['half a head', 'POST /api/v1.0/lock HTTP/1.1\r\nHost: loc'],
    ['nothing at all', ''],
    ['half a body', 'POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"scope"'],
  ])('%s is cut off', async (_what, bytes) => {
    await listen({ headersMs: 300, receiveMs: 600 });
    const began = performance.now();
    const text = await send(bytes);
    expect(performance.now() - began).toBeLessThan(4_000);
    if (text !== '') expect(text).toMatch(/^HTTP\/1\.1 408[\s\S]*"code":"invalid_request"/);
    expect(await send(post(lock('db')), answers(1))).toMatch(/^HTTP\/1\.1 200/);
  });

  test('a byte at a time does not keep the door open', async () => {
    await listen({ headersMs: 500, receiveMs: 1_000 });
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    let sent = 0;
    const bytes = post(lock('db'));
    const timer = setInterval(() => socket.write(bytes[sent++ % bytes.length]!), 50);
    socket.resume();
    await closed;
    clearInterval(timer);
    expect(sent).toBeGreaterThan(5);
  });
});

describe('garbage', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['TLS', Buffer.from('16030100f0010000ec0303', 'hex'), 400],
    ['a redis command', '*1\r\n$4\r\nPING\r\n', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    [
      'two lengths',
      'POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
      400,
    ],
    ['huge headers', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a huge address', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431],
  ])('%s', async (_what, bytes, status) => {
    await listen();
    const text = await send(bytes);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (_what !== 'no Host')
      expect(text).toMatch(/application\/problem\+json[\s\S]*"code":"invalid_request"/);
  });

  test('random bytes end no process and hold no connection', async () => {
    await listen({ headersMs: 300, receiveMs: 600 });
    const head = fc.constantFrom(
      '',
      'POST ',
      'POST /api/v1.0/lock HTTP/1.1\r\n',
      post(lock('db')),
      '\r\n\r\n',
    );
    await fc.assert(
      fc.asyncProperty(head, fc.uint8Array({ maxLength: 300 }), async (start, bytes) => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
        socket.end(Buffer.concat([Buffer.from(start), bytes]));
        socket.resume();
        await closed;
      }),
      { numRuns: 200 },
    );
    expect(at.bugs).toEqual([]);
    expect(await send(post({ ...lock('db'), action: 'status' }), answers(1))).toMatch(/^HTTP\/1\.1 200/);
  });
});
