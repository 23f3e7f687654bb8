/** What happens to a scope, as it happens. */
import { expect, test } from 'vitest';
import { OverloadedError } from '../../../src/client/errors.ts';
import { Events } from '../../../src/client/events.ts';
import type { LockEvent } from '../../../src/client/types.ts';
import { atDesk } from './desk.ts';
import { settled } from './hand-clock.ts';

const event = (i: number) =>
  ({ kind: 'event', id: 0, body: { id: i, event: 'granted', scope: 's' } }) as const;

function scene(signal?: AbortSignal) {
  const at = atDesk();
  const events = new Events(at.core, 's', signal);
  const seen: LockEvent[] = [];
  return { ...at, events, seen };
}

async function read(events: Events, count: number): Promise<unknown[]> {
  const ids = [];
  for await (const { id } of events) if (ids.push(id) === count) break;
  return ids;
}

test('in their order, read early or late', async () => {
  const { desk, events } = scene();
  for (let i = 0; i < 3; i++) desk.last('watch').answer(event(i));
  const next = [events.next(), events.next(), events.next(), events.next()];
  await settled();
  desk.last('watch').answer(event(3));
  const values = (await Promise.all(next)).map(({ value }) => value.id);
  expect(values).toEqual([0, 1, 2, 3]);
});

test('who stops reading stops the watch', async () => {
  const { desk, events } = scene();
  const reading = read(events, 1);
  desk.last('watch').answer(event(1));
  expect(await reading).toEqual([1]);
  expect(desk.last('watch').gone).toBe(true);
  expect(await events.next()).toMatchObject({ done: true });
});

test('a watch that breaks is begun anew elsewhere, at first at once', async () => {
  const { desk, events, clock } = scene();
  const reading = read(events, 2);
  desk.last('watch').answer(event(1));
  desk.last('watch').break();
  await clock.pass(0);
  expect(desk.all('watch').map(({ peer }) => peer)).toEqual(['p1', 'p2']);
  desk.last('watch').refuse('no_quorum');
  await clock.pass(90);
  expect(desk.all('watch')).toHaveLength(2);
  await clock.pass(20);
  expect(desk.last('watch').peer).toBe('p3');
  desk.last('watch').answer(event(2));
  expect(await reading).toEqual([1, 2]);
});

test('an `end` of one peer is not told: the watch goes on at another one', async () => {
  const { desk, events, clock } = scene();
  const reading = read(events, 1);
  desk.last('watch').answer({ kind: 'event', id: 0, body: { event: 'end', detail: 'It stops.' } });
  await clock.pass(0);
  expect(desk.all('watch').map(({ peer, gone }) => [peer, gone])).toEqual([
    ['p1', true],
    ['p2', false],
  ]);
  desk.last('watch').answer(event(2));
  expect(await reading).toEqual([2]);
});

test('a refusal ends it, after what came before', async () => {
  const { desk, events } = scene();
  desk.last('watch').answer(event(1));
  desk.last('watch').refuse('invalid_request');
  expect((await events.next()).value).toMatchObject({ id: 1 });
  await expect(events.next()).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await events.next()).toMatchObject({ done: true });
});

test('an abort ends it, and so does the end of the client', async () => {
  const controller = new AbortController();
  const aborted = scene(controller.signal);
  const reading = aborted.events.next();
  controller.abort();
  expect(await reading).toMatchObject({ done: true });
  expect(aborted.desk.last('watch').gone).toBe(true);

  const closed = scene();
  const last = closed.events.next();
  await closed.core.close();
  expect(await last).toMatchObject({ done: true });
  expect(closed.desk.last('watch').gone).toBe(true);

  const never = scene(AbortSignal.abort());
  expect(await never.events.next()).toMatchObject({ done: true });
  expect(never.desk.log).toEqual([]);
});

test('a reader that is too slow gets an error, not all the memory', async () => {
  const { desk, events } = scene();
  for (let i = 0; i < 10_001; i++) desk.last('watch').answer(event(i));
  expect(desk.last('watch').gone).toBe(true);
  let read_ = 0;
  const error = await (async () => {
    for await (const _ of events) read_++;
    return undefined;
  })().catch((reason) => reason);
  expect(error).toBeInstanceOf(OverloadedError);
  expect(read_).toBeGreaterThanOrEqual(10_000);
});
