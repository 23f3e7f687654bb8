/**
 * Events over HTTP, of a real mesh: who watches at one peer is told what happens through the others, each change
 * once and in order, also while the home of the scope is killed.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import type { EventBody } from '../../src/api/answers-events.ts';
import { hashText, lineOf } from '../../src/peer/placement.ts';
import { ask, lock } from './asks.ts';
import { Stream } from './stream.ts';
import { alive, Up, until } from './up.ts';

const PEERS = ['p1', 'p2', 'p3'];
const CLIENTS = 4;

let up: Up;
let streams: Stream[] = [];
afterEach(async () => {
  for (const stream of streams) stream.stop();
  streams = [];
  await up?.stop();
});

async function watch(peer: number, scope: string): Promise<Stream> {
  const stream = new Stream(up.url(peer), scope);
  streams.push(stream);
  await until(`p${peer} tells of ${scope}`, () => stream.events.length > 0);
  return stream;
}

/** A scope whose home is that peer, 1 for p1. */
function scopeAt(peer: number): string {
  const hashes = PEERS.map(hashText);
  for (let i = 0; ; i++) if (lineOf(`events/${i}`, hashes)[0] === peer - 1) return `events/${i}`;
}

test('a stream at one peer tells what is done through the others', async () => {
  up = await Up.start(3);
  const scope = 'db-migration';
  const one = await watch(1, scope);
  const held = await lock(up.url(2), { scope, holder: 'first', reason: 'why' });
  const waiting = ask(up.url(3), { scope, holder: 'second', wait: '30s', timeout: '60s' });
  await until('it waits', () => one.told.includes('queued -'));
  await ask(up.url(2), { scope, action: 'unlock', lock_id: held.lock_id });
  const { body } = await waiting;
  await ask(up.url(1), { scope, action: 'unlock', force: true, holder: 'ops', reason: 'stuck' });
  await until('all is told', () => one.events.at(-1)?.event === 'lost');
  expect(one.told).toEqual([
    'watching 0',
    'granted 1',
    'queued -',
    'released 1',
    'promoted 2',
    'claimed 2',
    'lost 2',
  ]);
  expect(one.events[1]).toMatchObject({ holder: 'first', lock_id: held.lock_id, reason: 'why' });
  expect(one.events[4]).toMatchObject({ holder: 'second', lock_id: body.lock_id, claimed: false });
  expect(one.events[6]).toMatchObject({ holder: 'second', cause: 'forced', by: 'ops', reason: 'stuck' });

  const late = await watch(2, scope);
  expect(late.events[0]).toMatchObject({ event: 'watching', status: 'free', fencing_token: 2 });

  // A peer that stops says so to whoever watches there.
  const pid = up.pidOf('p1');
  process.kill(pid, 'SIGTERM');
  await until('p1 has stopped', () => one.over && !alive(pid));
  expect(one.events.at(-1)).toMatchObject({ event: 'end' });
  expect(one.events.at(-1)!.detail).toMatch(/stopping/);
});

test('the home is killed in the middle: nothing is missing, nothing is told twice, all in order', async () => {
  up = await Up.start(3);
  const scope = scopeAt(1);
  const watchers = [await watch(2, scope), await watch(3, scope)];
  let over = false;
  let turns = 0;

  /** Asks one peer after the other until one of them says yes. */
  const insist = async (index: number, body: object) => {
    for (let i = index; ; i++) {
      const asked = await ask(up.url((i % PEERS.length) + 1), { scope, ...body }).catch(() => undefined);
      if (asked?.status === 200) return asked.body;
      if (asked !== undefined && asked.status === 404) return undefined;
      // A lock that ended before it could be released: its lease was over, or its place given up.
      if (asked?.body.code === 'stale_grant') return undefined;
    }
  };
  const client = async (index: number) => {
    while (!over) {
      const mine = { holder: `c${index}`, lock_id: randomUUID() };
      const got = await insist(index, { ...mine, wait: '20s', timeout: '5s' });
      if (got === undefined) continue;
      turns++;
      await insist(index, { ...mine, action: 'unlock' });
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));

  const enough = (more: number) => {
    const least = turns + more;
    return until(`${least} turns`, () => turns >= least, 60_000);
  };
  await enough(40);
  for (let kill = 0; kill < 2; kill++) {
    const pid = up.pidOf('p1');
    process.kill(pid, 'SIGKILL');
    await enough(20);
    await until('p1 is back', () => up.pidOf('p1') !== pid);
    await enough(20);
  }
  over = true;
  await clients;

  // The mesh comes to rest: then both know of the last token, and of its end.
  const { body: status } = await ask(up.url(2), { scope, action: 'status' });
  const last: number = status.fencing_token;
  await until('the last lock has ended for both', () =>
    watchers.every(({ events }) => events.some((event) => isEnd(event) && event.fencing_token === last)),
  );
  console.log(
    `${turns} turns, ${last} tokens; ${watchers.map(({ events }) => events.length).join(', ')} events`,
  );
  for (const { events, over: broken } of watchers) {
    expect([broken, events[0]!.event]).toEqual([false, 'watching']);
    const grants = events.filter(({ event }) => event === 'granted' || event === 'promoted');
    expect(grants.map((event) => event.fencing_token)).toEqual(Array.from({ length: last }, (_, i) => i + 1));
    const ids = events.map(({ id }) => id!);
    expect(ids).toEqual([...new Set(ids)].sort());
    check(events);
  }
});

function isEnd({ event }: EventBody): boolean {
  return ['released', 'expired', 'lost', 'kept', 'cancelled'].includes(event);
}

/** One writer at a time, each of whom ends (or is kept, unclaimed) before the next one is told. */
function check(events: readonly EventBody[]): void {
  let holds: string | undefined;
  for (const event of events) {
    const { lock_id: lockId } = event;
    const line = JSON.stringify(event);
    if (event.event === 'granted' || event.event === 'promoted') {
      expect(holds, line).toBeUndefined();
      holds = lockId;
    } else if (isEnd(event) && (event.fencing_token != null || holds === lockId)) {
      expect(holds, line).toBe(lockId);
      holds = undefined;
    }
  }
}
