/** One connection: its bounds and its clock, which real sockets reach late. */
import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { Connection, type ConnectionHost } from '../../../src/api/client-connection.ts';
import { ANONYMOUS } from '../../../src/api/guard.ts';
import type { FencingToken } from '../../../src/lock/state.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import { HELLO_MS, PINGS_MAX, UNDER_WAY_MAX, UNREAD_BYTES_MAX } from '../../../src/protocol/limits.ts';
import type { ClientMessage, PeerMessage } from '../../../src/protocol/messages.ts';
import { clientMessageToWire, peerMessageFromWire } from '../../../src/protocol/wire.ts';
import { decided, doorOf, grant, ID, ScriptedPeer } from './scripted.ts';
import { acquire, packr } from './talk.ts';

/** What a connection does with its socket, written down. */
class Wire extends EventEmitter {
  bufferedAmount = 0;
  pings = 0;
  sent: Buffer[] = [];
  ended: string | undefined;

  send(bytes: Buffer): void {
    this.sent.push(bytes);
  }

  ping(): void {
    this.pings++;
  }

  close(code: number, reason: string): void {
    this.ended = `${code} ${reason}`;
  }

  terminate(): void {
    this.ended = 'cut';
  }

  say(...messages: readonly ClientMessage[]): void {
    this.emit('message', packr.pack(messages.map(clientMessageToWire)), true);
  }

  get told(): PeerMessage[] {
    return this.sent.flatMap((bytes) => (packr.unpack(bytes) as unknown[]).map(peerMessageFromWire));
  }
}

/** Answers when the test says so. */
class Late extends ScriptedPeer {
  readonly open = new Map<number, (reply: ClientReply) => void>();
  private last = 0;

  constructor() {
    super(() => decided({ kind: 'state' }));
  }

  override ask(request: ClientRequest, _timeoutMs: number, done: (reply: ClientReply) => void): number {
    this.asked.push(request);
    this.open.set(++this.last, done);
    return this.last;
  }

  override abandon(id: number): void {
    super.abandon(id);
    this.open.get(id)?.({ kind: 'unknown', missing: [] });
  }
}

let wire: Wire;
let peer: Late;
let connection: Connection;
let wrote: number;
let counted: string[];
const bugs: unknown[] = [];
const noted: object[] = [];
const host = { draining: false, waitsEnded: false };

beforeEach(() => {
  wire = new Wire();
  peer = new Late();
  wrote = 0;
  counted = [];
  bugs.length = 0;
  noted.length = 0;
  Object.assign(host, { draining: false, waitsEnded: false });
  const figures = { framesIn: 0, framesOut: 0, messagesIn: 0, messagesOut: 0, bytesIn: 0, bytesOut: 0 };
  const whole: ConnectionHost = {
    door: doorOf(peer, noted),
    figures,
    get draining() {
      return host.draining;
    },
    get waitsEnded() {
      return host.waitsEnded;
    },
    welcome: () => ({ kind: 'welcome', version: 1, name: 'p1', epoch: 1, mesh: 'a-mesh', peers: [] }),
    wrote: () => {
      wrote++;
    },
    closed: () => undefined,
    count: (action, code) => counted.push(`${action} ${code}`),
    bug: (error) => bugs.push(error),
  };
  connection = new Connection(wire as unknown as WebSocket, ANONYMOUS, whole, 0);
});

const HELLO: ClientMessage = { kind: 'hello', version: 1, agent: '' };
const status = (id: number, scope = 'a') => ({ kind: 'status', id, scope }) as const;
const granted = decided({ kind: 'granted', grant: grant(), repeat: false });

describe('time', () => {
  test('who says no hello in time is told so', () => {
    connection.tick(HELLO_MS - 1, true);
    expect(wire.ended).toBeUndefined();
    expect(wire.pings).toBe(0);
    connection.tick(HELLO_MS, false);
    expect(wire.ended).toMatch(/^1008 no hello/);
  });

  test('who says nothing any more is cut off, after so many pings', () => {
    wire.say(HELLO);
    for (let i = 0; i < PINGS_MAX; i++) connection.tick(1e9, true);
    connection.tick(1e9, false);
    expect(wire.pings).toBe(PINGS_MAX);
    expect(wire.ended).toBeUndefined();
    connection.tick(1e9, true);
    expect(wire.ended).toBe('cut');
  });

  test.each<[string, () => void]>([
    ['a pong', () => wire.emit('pong')],
    ['a ping of his own', () => wire.emit('ping')],
    ['a message', () => wire.say({ kind: 'gone', id: 1 })],
  ])('%s is a sign of life', (_, speak) => {
    wire.say(HELLO);
    for (let i = 0; i < 5 * PINGS_MAX; i++) {
      if (i % PINGS_MAX === 0) speak();
      connection.tick(1e9, true);
    }
    expect(wire.ended).toBeUndefined();
  });
});

describe('bounds', () => {
  test('so many requests may be under way, and one more when one is answered', () => {
    wire.say(HELLO);
    for (let id = 0; id < UNDER_WAY_MAX; id += 10_000) {
      wire.say(...Array.from({ length: 10_000 }, (_, i) => status(id + i)));
    }
    expect(connection.size).toBe(UNDER_WAY_MAX);
    wire.say(status(UNDER_WAY_MAX));
    peer.open.get(1)!(decided({ kind: 'state' }));
    wire.say(status(UNDER_WAY_MAX + 1));
    connection.flush();
    expect(peer.asked).toHaveLength(UNDER_WAY_MAX + 1);
    expect(wire.told.slice(1)).toMatchObject([
      {
        kind: 'refused',
        id: UNDER_WAY_MAX,
        body: { code: 'overloaded', certainty: 'definite', limit: expect.stringMatching(/^50000 requests/) },
      },
      { kind: 'status', id: 0 },
    ]);
  });

  test('what is not read is kept up to a bound', () => {
    wire.say(HELLO, status(1), status(2));
    connection.flush();
    wire.bufferedAmount = UNREAD_BYTES_MAX;
    peer.open.get(1)!(decided({ kind: 'state' }));
    connection.flush();
    expect(wire.ended).toBeUndefined();
    wire.bufferedAmount++;
    connection.say({ kind: 'drain' });
    connection.flush();
    expect(wire.ended).toBe('cut');
    expect(peer.abandoned).toEqual([2]);
    expect(wire.told.map(({ kind }) => kind)).toEqual(['welcome', 'status']);
  });
});

describe('answers', () => {
  test('of one turn are one frame, and it is flushed once', () => {
    wire.say(HELLO, acquire({ id: 1, scope: 'a' }), acquire({ id: 2, scope: 'b' }));
    connection.flush();
    wrote = 0;
    peer.open.get(2)!(granted);
    peer.open.get(1)!(granted);
    expect(wrote).toBe(1);
    connection.flush();
    connection.flush();
    expect(wire.sent).toHaveLength(2);
    expect(wire.told.slice(1)).toMatchObject([{ id: 2 }, { id: 1 }]);
    expect(counted).toEqual(['lock ok', 'lock ok']);
    expect(connection.size).toBe(0);
  });

  test('that come when the client is gone are nobody’s', () => {
    wire.say(HELLO, acquire({ id: 1, scope: 'a' }), acquire({ id: 2, scope: 'b' }));
    connection.flush();
    wire.say({ kind: 'gone', id: 1 });
    wire.emit('close', 1006, Buffer.alloc(0));
    expect(peer.abandoned).toEqual([1, 2]);
    for (const done of peer.open.values()) done(granted);
    connection.flush();
    expect(wire.told).toHaveLength(1);
    expect(counted).toEqual(['lock client_gone', 'lock client_gone']);
  });

  test('to what was done by force are written down, even if its client is gone', () => {
    const forced = { kind: 'release', id: 1, scope: 'a', lockId: null, holder: 'ann', force: 'why' } as const;
    wire.say(HELLO, forced);
    wire.emit('close', 1006, Buffer.alloc(0));
    expect(peer.abandoned).toEqual([]);
    peer.open.get(1)!(decided({ kind: 'released', token: 7 as FencingToken, repeat: false }));
    expect(noted).toEqual([{ scope: 'a', lock_id: ID, by: 'ann', reason: 'why', token: 7 }]);
  });

  test('that nobody planned for are an error of the peer, and harm nobody else', () => {
    wire.say(HELLO, status(1), status(2));
    peer.open.get(1)!(undefined as never);
    peer.open.get(2)!(decided({ kind: 'state' }));
    connection.flush();
    expect(wire.told.slice(1)).toMatchObject([
      { kind: 'refused', id: 1, body: { code: 'internal', certainty: 'indefinite' } },
      { kind: 'status', id: 2 },
    ]);
    expect(bugs).toHaveLength(1);
  });

  test('to who may not wait here any more name another peer', () => {
    wire.say(HELLO, acquire({ id: 1, scope: 'a', waitMs: 5 }), status(2));
    connection.flush();
    host.draining = true;
    connection.drain();
    expect(wire.ended).toBeUndefined();
    host.waitsEnded = true;
    connection.endWaits();
    wire.say(acquire({ id: 3, scope: 'a', waitMs: 5 }));
    expect(wire.ended).toBeUndefined();
    peer.open.get(2)!(decided({ kind: 'state' }));
    expect(wire.ended).toBe('1001 this peer is stopping');
    expect(wire.told.slice(1)).toMatchObject([
      { kind: 'drain' },
      { kind: 'refused', id: 1, body: { code: 'waiting' } },
      { kind: 'refused', id: 3, body: { code: 'waiting' } },
      { kind: 'status', id: 2 },
    ]);
    expect(peer.abandoned).toEqual([1]);
  });
});

test('a long reason is cut, between letters', () => {
  wire.say(HELLO);
  wire.emit('message', Buffer.concat([packr.pack('語'.repeat(100)), Buffer.from([1])]), true);
  const [, reason] = /^1007 (.*)$/.exec(wire.ended!)!;
  expect(reason).toMatch(/語/);
  expect(Buffer.byteLength(reason!)).toBeGreaterThan(100);
  expect(Buffer.byteLength(reason!)).toBeLessThanOrEqual(123);
  expect(reason).not.toContain('\ufffd');
});
