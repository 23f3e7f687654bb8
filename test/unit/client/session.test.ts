/** A session: its heartbeats, its count, and what is reconciled with the mesh. */
import { expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import { LockLostError } from '../../../src/client/errors.ts';
import { lockWish } from '../../../src/client/wishes.ts';
import type { SessionLock } from '../../../src/protocol/messages.ts';
import { atDesk, locked, TTL_MS } from './desk.ts';
import { settled } from './hand-clock.ts';

const BEAT_MS = TTL_MS / 3;

async function scene() {
  const at = atDesk();
  const lock = await acquire(at.core, lockWish('s'));
  return { ...at, lock };
}

const entry = (scope: string, lockId: string, token = 1) =>
  ({ scope, lockId, token }) as unknown as SessionLock;

test('a heartbeat each third of the ttl, and what lives with it is held', async () => {
  const { clock, desk, lock } = await scene();
  await clock.pass(BEAT_MS - 10);
  expect(desk.all('beat')).toHaveLength(0);
  await clock.pass(20);
  expect(desk.last('beat').message).toMatchObject({ session: 'session-1', list: true });
  await clock.pass(3 * TTL_MS);
  expect(desk.all('beat').length).toBeGreaterThanOrEqual(9);
  expect(lock.held).toBe(true);
});

test('its count runs from the send of the last heartbeat that was answered', async () => {
  const { clock, desk, lock } = await scene();
  desk.byHand.add('beat');
  await clock.pass(BEAT_MS + 5);
  const sent = desk.last('beat');
  await clock.pass(1_000);
  desk.decide(sent);
  await settled();
  expect(lock.remainingMs()).toBeCloseTo(9_000 - 1_005, -1);
});

test('a heartbeat that a peer does not answer goes to another one', async () => {
  const { clock, desk, lock } = await scene();
  desk.byHand.add('beat');
  await clock.pass(BEAT_MS + 2_000);
  expect(desk.all('beat').map(({ peer, gone }) => [peer, gone])).toEqual([
    ['p1', true],
    ['p2', false],
  ]);
  desk.decide(desk.last('beat'));
  desk.byHand.delete('beat');
  await clock.pass(TTL_MS);
  expect(lock.held).toBe(true);
});

test('no heartbeat is answered: everything is lost, a margin before the mesh would end it', async () => {
  const { clock, desk, core, lock } = await scene();
  const other = await acquire(core, lockWish('t', { timeout: 'none' }));
  const { signal } = lock;
  desk.byHand.add('beat');
  await clock.pass(8_990);
  expect([lock.held, other.held]).toEqual([true, true]);
  await clock.pass(20);
  expect(signal.aborted).toBe(true);
  expect([lock.held, other.held]).toEqual([false, false]);
  desk.decide(desk.last('beat'));
  await settled();
  expect(lock.held, 'a lapse is final').toBe(false);
  const next = await acquire(core, lockWish('u'));
  expect(desk.all('open')).toHaveLength(2);
  expect(next.held).toBe(true);
});

test('the mesh says that it is dead: everything is lost at once', async () => {
  const { clock, desk, lock } = await scene();
  const { signal } = lock;
  desk.sessions.clear();
  await clock.pass(BEAT_MS + 5);
  expect(signal.reason).toBeInstanceOf(LockLostError);
  expect(signal.reason.message).toMatch(/dead/);
  expect(lock.held).toBe(false);
});

test('what is listed twice and not known is ended: cancelled, and released if it was granted', async () => {
  const { clock, desk, lock } = await scene();
  desk.byHand.add('cancel');
  desk.listed = [entry('s', lock.lockId), entry('left-over', 'x'), entry('waits', 'y', 0)];
  await clock.pass(BEAT_MS + 5);
  expect(desk.all('cancel')).toEqual([]);
  desk.listed = [entry('s', lock.lockId), entry('left-over', 'x'), entry('new', 'z')];
  await clock.pass(BEAT_MS + 5);
  expect(desk.all('cancel').map(({ message }) => message)).toMatchObject([
    { scope: 'left-over', lockId: 'x' },
  ]);
  desk.last('cancel').answer(locked({ sets: false }));
  await settled();
  expect(desk.last('release').message).toMatchObject({ scope: 'left-over', lockId: 'x' });
  expect(lock.held).toBe(true);
});

test('what is held and twice not listed is asked for, and lost only if a vote says so', async () => {
  const { clock, desk, lock } = await scene();
  desk.listed = [];
  await clock.pass(BEAT_MS + 5);
  expect(desk.all('status')).toEqual([]);
  await clock.pass(BEAT_MS + 5);
  expect(desk.last('status').message).toMatchObject({ scope: 's' });
  await clock.pass(1_000);
  expect(lock.held, 'the list was behind').toBe(true);
  const { signal } = lock;
  desk.force('s');
  await clock.pass(2 * BEAT_MS);
  expect(signal.aborted).toBe(true);
});

test('a list that was asked for before a lock was held says nothing of it', async () => {
  const { clock, desk, core } = await scene();
  desk.byHand.add('beat');
  desk.listed = [];
  await clock.pass(BEAT_MS + 5);
  const { length } = desk.log;
  const later = await acquire(core, lockWish('later'));
  desk.decide(desk.last('beat'));
  desk.byHand.delete('beat');
  await clock.pass(BEAT_MS + 5);
  const asked = desk.log.slice(length).map(({ message }) => message);
  expect(asked.filter(({ kind }) => kind === 'status')).toMatchObject([{ scope: 's' }]);
  expect(later.held).toBe(true);
});

test('an answer that comes after the count ran out while the process stood still changes nothing', async () => {
  const { clock, desk, lock } = await scene();
  desk.byHand.add('beat');
  await clock.pass(BEAT_MS + 5);
  clock.stall(6_000);
  desk.decide(desk.last('beat')); // its own count would run for 3 s more
  expect(lock.held).toBe(false);
});

test('a lock that was lost is left alone as long as its holder may need to stop', async () => {
  const at = atDesk({ ttl: '1s' });
  await acquire(at.core, lockWish('other'));
  const short = await acquire(at.core, lockWish('s', { timeout: '7s' }));
  await at.clock.pass(6_350);
  expect(short.held).toBe(false);
  await at.clock.pass(1_900);
  expect(at.desk.holders('s')).toEqual([short.lockId]);
  // This mesh forgot to end it: once its lease is over for sure it is a stranger like any other.
  await at.clock.pass(1_000);
  expect(at.desk.holders('s')).toEqual([]);
});

test('without locks it is closed after a while, and the process is not kept for it', async () => {
  const { clock, desk, lock } = await scene();
  expect(clock.holding).toBeGreaterThan(0);
  await lock.release();
  await clock.pass(600);
  expect(clock.holding).toBe(0);
  await clock.pass(28_000);
  expect(desk.all('close')).toEqual([]);
  await clock.pass(3_000);
  expect(desk.last('close').message).toMatchObject({ session: 'session-1' });
  const beats = desk.all('beat').length;
  await clock.pass(20_000);
  expect(desk.all('beat')).toHaveLength(beats);
});

test('with thousands of locks the list is asked for now and then only', async () => {
  const { clock, desk, core } = await scene();
  await Promise.all(Array.from({ length: 1_001 }, (_, i) => acquire(core, lockWish(`s${i}`))));
  await clock.pass(11 * BEAT_MS);
  const lists = desk.all('beat').map(({ message }) => 'list' in message && message.list);
  expect(lists.filter((list) => list)).toHaveLength(1);
});
