/** Waiting over HTTP: a connection that closes leaves the queue, a poll keeps its place, a priority goes first. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem, status } from '../../src/api/answers.ts';
import { ask, lock, shown } from './asks.ts';
import { Up, until } from './up.ts';

let up: Up;
beforeAll(async () => {
  up = await Up.start(3);
});
afterAll(async () => {
  await up?.stop();
});

test.each([
  ['made up by the peer', () => ({})],
  ['that the client chose', () => ({ lock_id: randomUUID() })],
])('a closed connection leaves the queue at once; lock id %s', async (name, id) => {
  const took: number[] = [];
  for (let i = 0; i < 3; i++) {
    const scope = `closed/${name}/${i}`;
    await lock(up.url(1), { scope, holder: 'holds' });
    const gone = new AbortController();
    const stays = new AbortController();
    const waiter = (holder: string, signal: AbortSignal, peer: number) =>
      ask(up.url(peer), { scope, holder, wait: '60s', ...id() }, signal).catch(() => undefined);
    void waiter('leaves', gone.signal, 2);
    await shown(up.url(1), scope, ['leaves']);
    void waiter('stays', stays.signal, 3);
    await shown(up.url(1), scope, ['leaves', 'stays']);

    const closedAt = performance.now();
    gone.abort();
    const answer = await shown(up.url(1), scope, ['stays']);
    took.push(performance.now() - closedAt);
    expect(status.parse(answer).waiters[0]).toMatchObject({ holder: 'stays', queue_position: 1 });
    expect(answer.contention).toMatchObject({ waiters: 1 });
    stays.abort();
    await shown(up.url(1), scope, []);
  }
  console.log(`gone from the queue after ${took.map(Math.round).join(', ')} ms`);
  expect(Math.max(...took)).toBeLessThan(1_000);
  // A look each second would find it too, a second after it came: at once is sooner.
  expect(Math.min(...took)).toBeLessThan(400);
});

test('the connection of a waiter stays open, and answers the moment that the lock is released', async () => {
  const scope = 'open';
  const held = await lock(up.url(1), { scope, holder: 'holds' });
  const waiting = ask(up.url(2), { scope, holder: 'next', wait: '60s', timeout: '5s' });
  await shown(up.url(3), scope, ['next']);
  const releasedAt = performance.now();
  expect((await ask(up.url(3), { scope, action: 'unlock', lock_id: held.lock_id })).status).toBe(200);
  const { status: code, body } = await waiting;
  // Far less than a look each second: the news came by itself.
  expect(performance.now() - releasedAt).toBeLessThan(800);
  expect(code).toBe(200);
  expect(body).toMatchObject({ holder: 'next', fencing_token: held.fencing_token + 1, timeout_ms: 5_000 });
  expect(body.waited_ms).toBeGreaterThan(0);
});

test('a wait that is over is busy, and leaves nothing behind', async () => {
  const scope = 'over';
  await lock(up.url(1), { scope, holder: 'holds' });
  const began = performance.now();
  const { status: code, body } = await ask(up.url(2), { scope, holder: 'gives up', wait: '700ms' });
  expect(performance.now() - began).toBeGreaterThanOrEqual(690);
  expect(code).toBe(423);
  expect(problem.parse(body)).toMatchObject({ code: 'busy', certainty: 'definite', queue_position: 1 });
  await shown(up.url(3), scope, []);
});

test('a poll answers 423 waiting, and its repeat keeps the place', async () => {
  const scope = 'polled';
  const held = await lock(up.url(1), { scope, holder: 'holds' });
  const lock_id = randomUUID();
  const mine = { scope, holder: 'polls', wait: '60s', poll: '300ms', lock_id };
  const first = await ask(up.url(2), mine);
  expect(first.status).toBe(423);
  expect(first.type).toMatch(/^application\/problem\+json/);
  expect(problem.parse(first.body)).toMatchObject({
    code: 'waiting',
    certainty: 'definite',
    lock_id,
    queue_position: 1,
    holders: [{ holder: 'holds' }],
  });
  expect(first.retryAfter).toMatch(/^\d+$/);

  // Somebody who comes while nobody asks for the place is still behind it.
  const behind = new AbortController();
  const second = ask(up.url(1), { scope, holder: 'behind', wait: '60s' }, behind.signal);
  second.catch(() => undefined);
  await until('it waits', async () => {
    const { body } = await ask(up.url(1), { scope, action: 'status' });
    return body.waiters.some(({ holder }: { holder: string }) => holder === 'behind');
  });
  for (const [i, peer] of [3, 1, 2].entries()) {
    const again = await ask(up.url(peer), { ...mine, repeat: i + 1 });
    expect(again.status).toBe(423);
    expect(again.body).toMatchObject({ code: 'waiting', lock_id, queue_position: 1 });
  }
  const last = ask(up.url(3), { ...mine, poll: '30s', repeat: 4 });
  await shown(up.url(2), scope, ['polls', 'behind']);
  await ask(up.url(2), { scope, action: 'unlock', lock_id: held.lock_id });
  expect((await last).body).toMatchObject({
    status: 'locked',
    lock_id,
    fencing_token: held.fencing_token + 1,
  });
  await ask(up.url(2), { scope, action: 'unlock', lock_id });
  expect((await second).body).toMatchObject({ holder: 'behind', fencing_token: held.fencing_token + 2 });
});

test('high goes before normal and low, whenever it came, and is told queue_position 1', async () => {
  const scope = 'priorities';
  const held = await lock(up.url(1), { scope, holder: 'holds' });
  const order: string[] = [];
  const waiting = [];
  const names: string[] = [];
  for (const [i, priority] of ['low', 'normal', 'normal', 'high'].entries()) {
    const holder = `${priority}-${i}`;
    const body = { scope, holder, priority, reason: `because ${i}`, wait: '60s' };
    waiting.push(
      ask(up.url(1 + (i % 3)), body).then(async ({ body: { lock_id, status: state } }) => {
        if (state === 'locked') order.push(holder);
        await ask(up.url(1), { scope, action: 'unlock', lock_id });
      }),
    );
    names.push(holder);
    await until(`${holder} waits`, async () => {
      const { body: seen } = await ask(up.url(1), { scope, action: 'status' });
      return seen.waiters.length === i + 1;
    });
  }
  const expected = ['high-3', 'normal-1', 'normal-2', 'low-0'];
  const seen = await shown(up.url(2), scope, expected);
  expect(seen.waiters[0]).toMatchObject({ priority: 'high', reason: 'because 3', queue_position: 1 });
  expect(seen.waiters.map((one: { queue_position: number }) => one.queue_position)).toEqual([1, 2, 3, 4]);
  const polled = await ask(up.url(3), {
    scope,
    holder: 'asks',
    priority: 'high',
    wait: '60s',
    poll: '100ms',
  });
  expect(polled.body).toMatchObject({ code: 'waiting', queue_position: 2 });
  expect((await ask(up.url(3), { scope, action: 'cancel', lock_id: polled.body.lock_id })).status).toBe(200);
  await ask(up.url(1), { scope, action: 'unlock', lock_id: held.lock_id });
  await Promise.all(waiting);
  expect(order).toEqual(expected);
});
