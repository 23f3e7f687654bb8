import { expect, test } from 'vitest';
import type { Asker } from '../../../src/mesh/types.ts';
import { promised, Waiting } from '../../../src/mesh/waiting.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';

const DONE = { kind: 'no_quorum', missing: [1] } as const;
const GONE = { kind: 'unknown', missing: [] } as const;
const STATUS: ClientRequest = { op: 'status', scope: 'a' };

/** Whoever waits here is answered by the test. */
class Peer {
  readonly gone: number[] = [];
  readonly waiting = new Waiting((id) => this.gone.push(id));
  /** The number of the last request. */
  last = 0;

  ask(_request: ClientRequest, _timeoutMs: number, done: (reply: ClientReply) => void): number {
    this.last = this.waiting.open(done);
    return this.last;
  }

  abandon(id: number): void {
    this.waiting.abandon(id);
  }
}

const told: ClientReply[] = [];
const done = (reply: ClientReply) => void told.push(reply);

test('a reply reaches its request, once', () => {
  told.length = 0;
  const { waiting } = new Peer();
  const id = waiting.open(done);
  expect(waiting.open(done)).not.toBe(id);
  expect(waiting.settle(id, DONE)).toBe(true);
  expect(waiting.settle(id, GONE)).toBe(false);
  expect(told).toEqual([DONE]);
  expect(waiting.size).toBe(1);
});

test('a client that is gone is answered at once, and its request is given up, once', () => {
  told.length = 0;
  const peer = new Peer();
  const id = peer.waiting.open(done);
  peer.abandon(id);
  peer.abandon(id);
  expect(told).toEqual([GONE]);
  expect(peer.gone).toEqual([id]);
});

test('a client that goes after its reply is nobody any more', () => {
  told.length = 0;
  const peer = new Peer();
  const id = peer.waiting.open(done);
  peer.waiting.settle(id, DONE);
  peer.abandon(id);
  expect(told).toEqual([DONE]);
  expect(peer.gone).toEqual([]);
});

test('at the end whoever still waits learns that the outcome is unknown; who asks then waits', () => {
  told.length = 0;
  const { waiting } = new Peer();
  waiting.open((reply) => {
    done(reply);
    waiting.open(done);
  });
  waiting.open(done);
  waiting.settleAll();
  expect(told).toEqual([GONE, GONE]);
  expect(waiting.size).toBe(1);
});

test('a promise is kept by the reply', async () => {
  const peer = new Peer();
  const reply = promised(peer, STATUS, { timeoutMs: 1 });
  peer.waiting.settle(peer.last, DONE);
  expect(await reply).toEqual(DONE);
});

/** One who asks, and may leave. */
class Guest implements Asker {
  gone = false;
  private told: (() => void) | undefined;

  whenGone(told: (() => void) | undefined): void {
    this.told = told;
  }

  leave(): void {
    this.gone = true;
    this.told?.();
  }
}

test('who leaves gives a promise up at once', async () => {
  const peer = new Peer();
  const asker = new Guest();
  const reply = promised(peer, STATUS, { timeoutMs: 1, asker });
  asker.leave();
  expect(await reply).toEqual(GONE);
  expect(peer.gone).toEqual([peer.last]);
});

test('who leaves after the reply gives nothing up', async () => {
  const peer = new Peer();
  const asker = new Guest();
  const reply = promised(peer, STATUS, { timeoutMs: 1, asker });
  peer.waiting.settle(peer.last, DONE);
  asker.leave();
  expect(await reply).toEqual(DONE);
  expect(peer.gone).toEqual([]);
});

test('what was given up before is not asked', async () => {
  const peer = new Peer();
  const asker = new Guest();
  asker.leave();
  expect(await promised(peer, STATUS, { timeoutMs: 1, asker })).toMatchObject({ kind: 'no_quorum' });
  expect(peer.last).toBe(0);
});
