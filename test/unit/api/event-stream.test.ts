/** Server-sent events on real sockets: what a reader gets, and how a stream ends. */
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type EventBody, eventBody } from '../../../src/api/answers-events.ts';
import { UNREAD_BYTES_MAX } from '../../../src/api/event-stream.ts';
import type { RunningPeer } from '../../../src/mesh/types.ts';
import type { News } from '../../../src/peer/told.ts';
import { held, id } from '../lock/scene.ts';
import { type House, house, SoloPeer } from './harness.ts';
import { decided, ScriptedPeer } from './scripted.ts';

const SCOPE = 'db-migration';

let at: House<RunningPeer>;
let readers: Reader[] = [];

async function serve<P extends RunningPeer>(peer: P): Promise<P> {
  at = await house({ peer: peer as RunningPeer });
  await at.server.app.listen({ host: '127.0.0.1', port: 0 });
  return peer;
}

afterEach(async () => {
  vi.useRealTimers();
  for (const { socket } of readers) socket.destroy();
  readers = [];
  at.server.app.server.closeAllConnections();
  await at.server.app.close();
  expect(at.bugs).toEqual([]);
});

/** One who reads a stream. */
class Reader {
  readonly socket: Socket;
  text = '';
  closed = false;

  constructor(query = `scope=${SCOPE}`, method = 'GET') {
    readers.push(this);
    const { port } = at.server.app.server.address() as AddressInfo;
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8');
    this.socket.on('data', (chunk) => {
      this.text += chunk;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('error', () => {});
    this.socket.write(
      `${method} /api/v1.0/events?${query} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 7\r\n\r\n`,
    );
  }

  /** The events so far, each with the name and the id that stand before it. */
  get events(): EventBody[] {
    const found = this.text.matchAll(/(?:id: (.*)\n)?event: (.*)\ndata: (.*)\n\n/g);
    return [...found].map(([, name, event, data]) => {
      const body = eventBody.parse(JSON.parse(data!));
      expect([name, event]).toEqual([body.id, body.event]);
      return body;
    });
  }

  async heard(...events: string[]): Promise<void> {
    const within = { timeout: 10_000, interval: 5 };
    await expect.poll(() => this.events.map(({ event }) => event), within).toEqual(events);
  }

  async end(): Promise<void> {
    await expect
      .poll(() => this.closed || this.text.endsWith('\r\n0\r\n\r\n'), { timeout: 10_000 })
      .toBe(true);
  }
}

const scripted = () => new ScriptedPeer(() => decided({ kind: 'state' }));

/** So many bytes of news. */
function much(bytes: number): News {
  const reason = 'x'.repeat(1_000);
  const facts = Array.from({ length: Math.ceil(bytes / 1_000) }, (_, i) => ({
    kind: 'granted' as const,
    lockId: id('a'),
    token: i as never,
    of: held(id('a'), 'write', i, { reason }),
    ending: null,
    note: null,
  }));
  const ballot = { round: 1, peer: 'p', boot: 1 };
  return { scope: SCOPE, ballot, version: 1, facts, compared: false, begins: null };
}

describe('a reader', () => {
  test('gets the head at once, then events as they come', async () => {
    await serve(new SoloPeer());
    const reader = new Reader();
    await reader.heard('watching');
    expect(reader.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(reader.text).toMatch(/content-type: text\/event-stream; charset=utf-8\r\n/i);
    expect(reader.text).toMatch(/cache-control: no-store\r\n/i);
    expect(reader.text).toMatch(/\nretry: 1000\n\n/);
    await at.lock({ scope: SCOPE, action: 'lock', holder: 'x' });
    await at.lock({ scope: SCOPE, action: 'unlock', holder: 'x' });
    await reader.heard('watching', 'granted', 'released');
    const { text } = (await at.get('/metrics')).json;
    expect(text).toContain('quorate_requests_total{action="watch",code="ok"} 1');
  });

  test('of a scope with all kinds of characters gets that one', async () => {
    await serve(new SoloPeer());
    const scope = 'a/b & "ä\u{1F512}" data: x';
    const reader = new Reader(`scope=${encodeURIComponent(scope)}`);
    await reader.heard('watching');
    expect(reader.events[0]!.scope).toBe(scope);
  });

  test.each([
    ['', /scope.*is missing/],
    ['scope=', /is empty/],
    ['scope=a&since=1', /since.*not a known/],
  ])('that asks for %j is refused', async (query, why) => {
    await serve(new SoloPeer());
    const { status, json } = await at.get(`/api/v1.0/events?${query}`);
    expect([status, json.code]).toEqual([400, 'invalid_request']);
    expect(JSON.stringify(json.errors)).toMatch(why);
  });

  test('of a peer that does not vote is told who does', async () => {
    await serve(Object.assign(new SoloPeer(['p1', 'p2']), { standing: { kind: 'observing' } }));
    const { status, json } = await at.get(`/api/v1.0/events?scope=${SCOPE}`);
    expect([status, json.code, json.certainty]).toEqual([503, 'no_quorum', 'definite']);
    expect(json.next).toContain('p1, p2');
  });

  test('a page of another site gets nothing', async () => {
    await serve(new SoloPeer());
    const headers = { origin: 'http://evil.example' };
    expect((await at.get(`/api/v1.0/events?scope=${SCOPE}`, headers)).status).toBe(403);
  });

  test('HEAD opens no stream', async () => {
    await serve(scripted());
    const reader = new Reader(`scope=${SCOPE}`, 'HEAD');
    await expect.poll(() => reader.text).toMatch(/^HTTP\/1\.1 405/);
  });

  test('is told every 15 s that the stream lives', async () => {
    await serve(new SoloPeer());
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const reader = new Reader();
    await reader.heard('watching');
    expect(reader.text).not.toContain(': still here');
    vi.advanceTimersByTime(30_000);
    await expect.poll(() => reader.text.match(/\n: still here\n\n/g)?.length).toBe(2);
  });
});

describe('a stream ends', () => {
  test('with its connection: then nobody watches', async () => {
    const peer = await serve(scripted());
    const reader = new Reader();
    await expect.poll(() => peer.listeners.size).toBe(1);
    reader.socket.destroy();
    await expect.poll(() => peer.listeners.size).toBe(0);
  });

  test('when its peer can tell no more, and says so', async () => {
    const peer = await serve(new SoloPeer());
    const reader = new Reader();
    await reader.heard('watching');
    peer.endListening();
    await reader.heard('watching', 'end');
    await reader.end();
  });

  test('when its peer stops; a new one is over at once', async () => {
    const peer = await serve(scripted());
    const [one, two] = [new Reader(), new Reader()];
    await expect.poll(() => peer.listeners.size).toBe(2);
    const drained = at.server.drain();
    await one.heard('end');
    await two.heard('end');
    expect(one.events[0]!.detail).toMatch(/stopping/);
    await drained;
    expect(peer.listeners.size).toBe(0);
    const late = new Reader();
    await late.heard('end');
  });

  test('when its reader leaves too much unread; the last word says so', async () => {
    const peer = await serve(scripted());
    const reader = new Reader();
    await expect.poll(() => peer.listeners.size).toBe(1);
    reader.socket.pause();
    const [listener] = peer.listeners.keys();
    let told = 0;
    // The system takes some megabytes before anything stays here.
    for (; peer.listeners.size > 0 && told < 200; told++) {
      listener!(much(UNREAD_BYTES_MAX / 4));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(peer.listeners.size).toBe(0);
    const cut = told;
    listener!(much(1));
    reader.socket.resume();
    await reader.end();
    const { events } = reader;
    expect(events.at(-1)).toMatchObject({ event: 'end' });
    expect(events.at(-1)!.detail).toContain(`${UNREAD_BYTES_MAX} bytes`);
    expect(events.length).toBeLessThanOrEqual(cut * (much(UNREAD_BYTES_MAX / 4).facts.length + 1));
  });

  test('and takes its connection with it when its reader does not come back to it', async () => {
    const peer = await serve(scripted());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const reader = new Reader();
    await expect.poll(() => peer.listeners.size).toBe(1);
    reader.socket.pause();
    const [listener] = peer.listeners.keys();
    while (peer.listeners.size > 0) {
      listener!(much(UNREAD_BYTES_MAX / 4));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const connections = () =>
      new Promise<number>((resolve) => at.server.app.server.getConnections((_, count) => resolve(count)));
    expect(await connections()).toBe(1);
    vi.advanceTimersByTime(5_000);
    await expect.poll(connections).toBe(0);
  });

  test('and one that reads as fast as it is told is not cut off', async () => {
    const peer = await serve(scripted());
    const reader = new Reader();
    await expect.poll(() => peer.listeners.size).toBe(1);
    const [listener] = peer.listeners.keys();
    for (let i = 1; i <= 20; i++) {
      const { length } = reader.text;
      listener!(much(UNREAD_BYTES_MAX / 4));
      await expect
        .poll(() => reader.text.length - length, { interval: 5 })
        .toBeGreaterThan(UNREAD_BYTES_MAX / 4);
    }
    expect(peer.listeners.size).toBe(1);
  });
});
