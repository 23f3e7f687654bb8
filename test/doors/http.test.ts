/** The HTTP door of real peers: the lines of the document as pasted, and whatever else arrives at the port. */
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { locked, problem, unlocked } from '../../src/api/answers.ts';
import { send, Up, until } from './up.ts';

let up: Up;
beforeAll(async () => {
  up = await Up.start(3);
});
afterAll(async () => {
  await up?.stop();
});

const run = promisify(execFile);
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);

/** The two commands of the quorum-locking document; only host and port are added to the address. */
const DOCUMENT = {
  lock: `curl -X POST /api/v1.0/lock \\
-d '{
"scope": "db-migration",
"action": "lock"
}'`,
  unlock: `curl -X POST /api/v1.0/lock \\
-d '{
"scope": "db-migration",
"action": "unlock"
}'`,
};

/** Runs a line of the document in a shell; without curl it sends the bytes that curl would. */
async function paste(line: string, peer: number): Promise<Record<string, unknown>> {
  const host = `127.0.0.1:${up.port + peer - 1}`;
  if (hasCurl) {
    const shell = line.replace('curl', 'curl -s').replace(' /api', ` http://${host}/api`);
    const { stdout } = await run('sh', ['-c', shell]);
    return JSON.parse(stdout);
  }
  const body = /-d '([^']*)'/.exec(line)![1]!;
  const head = [
    'POST /api/v1.0/lock HTTP/1.1',
    `Host: ${host}`,
    'User-Agent: curl/8.5.0',
    'Accept: */*',
    `Content-Length: ${body.length}`,
    'Content-Type: application/x-www-form-urlencoded',
  ];
  const text = await send(up.port + peer - 1, `${head.join('\r\n')}\r\n\r\n${body}`, (all) =>
    all.endsWith('}'),
  );
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
}

function bodyOf(answer: string): Record<string, unknown> {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

const post = (body: object, host = '127.0.0.1') => {
  const text = JSON.stringify(body);
  return `POST /api/v1.0/lock HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
};

async function works(): Promise<void> {
  for (const peer of [1, 2, 3]) {
    const text = await send(up.port + peer - 1, post({ scope: 'still/works', action: 'status' }));
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  }
}

describe('the document', () => {
  test('its lines work as pasted, at any peer, without a header', async () => {
    const first = await paste(DOCUMENT.lock, 1);
    expect(locked.parse(first)).toMatchObject({ status: 'locked', scope: 'db-migration' });
    expect(first.quorum).toMatch(/^[23]\/3 nodes agreed$/);
    const second = await paste(DOCUMENT.lock, 2);
    expect(second).toMatchObject({ code: 'busy', holders: [{ holder: first.holder }] });
    const third = await paste(DOCUMENT.unlock, 3);
    expect(unlocked.parse(third)).toMatchObject({ status: 'unlocked', lock_id: first.lock_id });
    expect(await paste(DOCUMENT.lock, 2)).toMatchObject({ status: 'locked', fencing_token: 2 });
    expect(await paste(DOCUMENT.unlock, 1)).toMatchObject({ status: 'unlocked' });
  });

  test('the line that `up` prints works as pasted', async () => {
    const line = /^try: (.*)$/m.exec(up.out)![1]!;
    expect(await paste(line.replace(/http:\/\/[^/]*/, ''), 1)).toMatchObject({ status: 'locked' });
    expect(await paste(DOCUMENT.unlock, 1)).toMatchObject({ status: 'unlocked' });
  });
});

describe('other addresses of a real peer', () => {
  const get = async (path: string) => {
    const response = await fetch(`${up.url(2)}${path}`);
    return { status: response.status, text: await response.text() };
  };

  test('/healthz, /readyz, /api/v1.0/peers, /openapi.json, /metrics', async () => {
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    const { peers, quorum } = JSON.parse((await get('/api/v1.0/peers')).text);
    expect(quorum).toBe(2);
    expect(peers.map(({ name, role, state }: Record<string, string>) => [name, role, state])).toEqual([
      ['p1', 'voter', 'alive'],
      ['p2', 'voter', 'alive'],
      ['p3', 'voter', 'alive'],
    ]);
    expect(JSON.parse((await get('/openapi.json')).text).openapi).toBe('3.1.0');
    expect((await get('/metrics')).text).toMatch(/^quorate_quorum 1$/m);
  });

  test('a lock that one peer granted is in the memory of all soon', async () => {
    await fetch(`${up.url(1)}/api/v1.0/lock`, {
      method: 'POST',
      body: JSON.stringify({ scope: 'list/me', action: 'lock', holder: 'lister' }),
      headers: { 'content-type': 'application/json' },
    });
    await until('the list of p2 shows it', async () => {
      const { locks } = JSON.parse((await get('/api/v1.0/locks?prefix=list/')).text);
      return locks.length === 1 && locks[0].holders[0].holder === 'lister';
    });
    expect(JSON.parse((await get('/api/v1.0/locks/list%2Fme')).text)).toMatchObject({ status: 'locked' });
  });
});

describe('a page of another site', () => {
  test.each([
    ['a foreign Host', 'Host: evil.example\r\n'],
    ['a foreign Origin', 'Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n'],
  ])('%s is 403', async (_what, headers) => {
    const text = await send(up.port, `GET /api/v1.0/locks HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(problem.parse(bodyOf(text))).toMatchObject({ code: 'forbidden', certainty: 'definite' });
  });

  test('opens no link between peers', async () => {
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
    const upgrade = `Connection: Upgrade\r\nUpgrade: websocket\r\n${key}`;
    const text = await send(
      up.port,
      `GET /mesh HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n${upgrade}\r\n`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(bodyOf(text)).toMatchObject({ code: 'forbidden' });
    const other = await send(up.port, `GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\n`);
    expect(other).toMatch(/^HTTP\/1\.1 4\d\d /);
  });
});

describe('garbage on the port', () => {
  test.each([
    ['no HTTP at all', 'hello?\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a TLS hello', Buffer.from('16030100a5010000a10303', 'hex'), /^HTTP\/1\.1 400 /],
    ['huge headers', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['a huge address', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, /^HTTP\/1\.1 431 /],
    [
      'a body that lies',
      'POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'a body of 2 MiB',
      `POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2097152\r\n\r\n${'x'.repeat(100_000)}`,
      /^HTTP\/1\.1 413 /,
    ],
  ])('%s', async (_what, bytes, answer) => {
    // A peer that refuses early may reset the connection over the rest: what it said is then lost on the way.
    const text = await send(up.port, bytes, (all) => all.includes('\r\n\r\n'));
    if (text !== '') expect(text).toMatch(answer);
    await works();
  });

  test('half requests, and connections that say nothing, cost nobody else anything', async () => {
    const idle = Array.from({ length: 200 }, () => connect(up.port, '127.0.0.1'));
    for (const [i, socket] of idle.entries()) {
      socket.on('error', () => undefined);
      if (i % 2 === 0) socket.write('POST /api/v1.0/lock HTTP/1.1\r\nHost: loc');
    }
    await works();
    for (const socket of idle) socket.destroy();
  });

  test('slow headers are cut off', async () => {
    const began = Date.now();
    const text = await send(up.port, 'POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await works();
  });

  test('random bytes', async () => {
    const starts = [
      '',
      'GET / HTTP/1.1\r\n',
      'POST /api/v1.0/lock HTTP/1.1\r\nHost: localhost\r\n',
      post({ scope: 'a' }),
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...starts),
        fc.uint8Array({ maxLength: 500 }),
        async (start, bytes) => {
          const socket = connect(up.port, '127.0.0.1');
          socket.on('error', () => undefined);
          const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
          socket.end(Buffer.concat([Buffer.from(start), bytes]));
          socket.resume();
          await closed;
        },
      ),
      { numRuns: 300 },
    );
    await works();
    expect(up.out).not.toMatch(/was ended|ended with/);
  });
});
