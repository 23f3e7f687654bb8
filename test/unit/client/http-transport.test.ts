/** Calls over plain HTTP, against real servers. */
import { afterEach, expect, test } from 'vitest';
import { type CallOptions, Calls } from '../../../src/client/failover.ts';
import { HttpClient } from '../../../src/client/http.ts';
import { HttpTransport } from '../../../src/client/http-transport.ts';
import type { Answer, Draft } from '../../../src/client/way.ts';
import { HandClock } from './hand-clock.ts';
import { type Asked, HttpServer } from './http-server.ts';
import { until } from './ws-peer.ts';

let servers: HttpServer[] = [];
let http: HttpClient;
afterEach(async () => {
  http.close();
  for (const server of servers) await server.stop();
  servers = [];
});

const STATUS: Draft = { kind: 'status', id: 0, scope: 's' };
const free = (asked: Asked) => asked.json(200, { status: 'free', scope: 's' });

async function scene(count = 2, random = () => 0) {
  servers = await Promise.all(Array.from({ length: count }, () => HttpServer.start()));
  for (const server of servers) server.answer = free;
  const clock = new HandClock();
  http = new HttpClient();
  const list = servers.map(({ host }) => ({ host, secure: false }));
  const transport = new HttpTransport(list, clock, random, http, 5_000);
  const calls = new Calls(clock, random, transport);
  const ask = (message: Draft = { ...STATUS }, options: Partial<CallOptions> = {}) =>
    calls.ask(message, { route: 's', deadline: clock.now() + 5_000, ...options });
  return { clock, transport, calls, ask, s: servers as [HttpServer, HttpServer] };
}

test('one server serves, over connections that are kept', async () => {
  const { ask, s } = await scene();
  for (let i = 0; i < 5; i++) expect((await ask()).answer.kind).toBe('status');
  expect(s.map(({ asked }) => asked.length)).toEqual([5, 0]);
  expect(s[0].connections).toBe(1);
  expect(s[0].asked[0]).toMatchObject({
    method: 'POST',
    path: '/api/v1.0/lock',
    body: { action: 'status', scope: 's' },
  });
});

test('where it begins is drawn', async () => {
  const { ask, s } = await scene(3, () => 0.5);
  await ask();
  expect(servers.map(({ asked }) => asked.length)).toEqual([0, 1, 0]);
  void s;
});

test('a server that is gone: the next one serves from then on', async () => {
  const { ask, s } = await scene();
  await ask();
  await s[0].stop();
  for (let i = 0; i < 3; i++) await ask();
  expect(s[1].asked).toHaveLength(3);
  servers.shift();
});

test('an answer that no peer gives is a break, and not believed', async () => {
  const { ask, s } = await scene();
  s[0].answer = ({ response }) => response.writeHead(502).end('<html>');
  expect((await ask()).answer.kind).toBe('status');
  expect(s[1].asked).toHaveLength(1);
});

test('a connection that breaks under way may have done it', async () => {
  const { ask, s, clock } = await scene(1, () => 1);
  s[0].answer = ({ response }) => response.destroy();
  const asked = ask().catch((error) => error);
  await until('it came', () => s[0].asked.length > 0);
  for (let i = 0; i < 60; i++) {
    await clock.pass(100);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(await asked).toMatchObject({ certainty: 'indefinite' });
});

test('a server that says nothing is left for another one', async () => {
  const { ask, s, clock } = await scene();
  s[0].answer = () => undefined;
  const asked = ask();
  await until('it came', () => s[0].asked.length === 1);
  await clock.pass(3_010);
  expect((await asked).answer.kind).toBe('status');
  await until('it is told', () => s[0].asked[0]!.gone);
});

test('what waits is left longer alone, and asked for again when a poll ended', async () => {
  const { ask, s, clock } = await scene();
  const problem = { code: 'waiting', certainty: 'definite', detail: 'x' };
  s[0].answer = () => undefined;
  const wish = {
    kind: 'acquire',
    id: 0,
    scope: 's',
    lockId: 'id',
    holder: 'h',
    mode: 'write',
    permits: 0,
    priority: 'normal',
    reason: null,
    session: null,
    leaseMs: 1_000,
    waitMs: 60_000,
    repeat: 0,
  } as unknown as Draft;
  s[1].answer = (asked) => asked.json(423, { ...problem, code: 'busy' });
  const now = clock.now();
  const asked = ask(wish, { deadline: now + 65_000, waitUntil: now + 60_000 });
  await until('it came', () => s[0].asked.length === 1);
  await clock.pass(10_000);
  s[0].asked[0]!.json(423, problem);
  await until('again', () => s[0].asked.length === 2);
  expect(s[0].asked[1]!.body).toMatchObject({ wait: '50000ms', poll: '10000ms', repeat: 1, lock_id: 'id' });
  await clock.pass(13_100);
  await until('elsewhere', () => s[1].asked.length === 1);
  expect(s[1].asked[0]!.body).toMatchObject({ repeat: 2 });
  expect((await asked).answer).toMatchObject({ kind: 'refused', body: { code: 'busy' } });
});

test('what is given up goes away as a client does that is gone', async () => {
  const { calls, s, clock } = await scene();
  s[0].answer = () => undefined;
  const sink = { done: () => undefined, failed: () => undefined };
  const call = calls.start({ ...STATUS }, { route: 's', deadline: clock.now() + 5_000 }, sink);
  await until('it came', () => s[0].asked.length === 1);
  expect(call.abort()).toBe(true);
  await until('it is told', () => s[0].asked[0]!.gone);
});

test('requests that wait leave connections to those that do not', async () => {
  const { ask, s } = await scene(1);
  s[0].answer = (asked) => {
    if (asked.body.wait === undefined) free(asked);
  };
  const wait = {
    kind: 'extend',
    id: 0,
    scope: 's',
    lockId: null,
    holder: 'h',
    leaseMs: 1,
    mode: 'write',
    token: null,
  };
  for (let i = 0; i < 100; i++) void ask({ ...wait, waitMs: 5_000 } as Draft).catch(() => undefined);
  await until('all wait', () => s[0].asked.length === 100);
  await Promise.all(Array.from({ length: 200 }, () => ask()));
  expect(s[0].connections).toBeLessThanOrEqual(164);
});

test('a watch is a stream of events, and a break when it ends', async () => {
  const { transport, s } = await scene();
  s[0].answer = ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('id: 7\nevent: granted\ndata: {"scope":"s","hol');
  };
  const events: Answer[] = [];
  let fate = '';
  const peer = transport.pick('s', []);
  peer.send(
    { kind: 'watch', id: 0, scope: 's' },
    {
      answered: (answer) => events.push(answer),
      broken: (sent, why) => {
        fate = `${sent} ${why}`;
      },
      moved: () => undefined,
    },
  );
  await until('it came', () => s[0].asked.length === 1);
  expect(s[0].asked[0]).toMatchObject({ method: 'GET', path: '/api/v1.0/events?scope=s' });
  expect(s[0].asked[0]!.headers.accept).toBe('text/event-stream');
  s[0].asked[0]!.response.write('der":"h"}\n\n: still here\n\n');
  await until('the event', () => events.length === 1);
  expect(events[0]).toEqual({
    kind: 'event',
    id: 0,
    body: { id: '7', event: 'granted', scope: 's', holder: 'h' },
  });
  s[0].asked[0]!.response.end();
  await until('the end', () => fate !== '');
  expect(fate).toMatch(/^true /);
});
