/** A lock, from its grant to its end. */
import { expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import { LockLostError, NoQuorumError } from '../../../src/client/errors.ts';
import type { AcquireOptions } from '../../../src/client/types.ts';
import { lockWish } from '../../../src/client/wishes.ts';
import { atDesk, locked, stateOf } from './desk.ts';
import { settled } from './hand-clock.ts';

type Scene = ReturnType<typeof atDesk>;

const take = ({ core }: Scene, options: AcquireOptions = {}) => acquire(core, lockWish('s', options));

/** Beats are answered, so that the session does not end the lock first. */
async function scene(options: AcquireOptions = {}) {
  const at = atDesk();
  const lock = await take(at, options);
  return { ...at, lock };
}

test('a fixed lease ends a margin early, by the clock of its holder', async () => {
  const { lock, clock, desk } = await scene({ timeout: '8s' });
  const { signal } = lock;
  expect(lock).toMatchObject({ scope: 's', fencingToken: 1, lockType: 'write', slot: 0, held: true });
  expect(lock.remainingMs()).toBe(7_200);
  await clock.pass(7_199);
  expect(lock.held).toBe(true);
  expect(signal.aborted).toBe(false);
  await clock.pass(2);
  expect(signal.aborted).toBe(true);
  expect(signal.reason).toBeInstanceOf(LockLostError);
  expect(lock.held).toBe(false);
  expect(lock.remainingMs()).toBe(0);
  expect(() => lock.assertHeld()).toThrow(LockLostError);
  expect(desk.all('extend')).toEqual([]);
  expect(desk.all('release'), 'what is left of the lease is for who has to stop').toEqual([]);
});

test('each use asks the clock, without waiting for a timer', async () => {
  const { lock, clock } = await scene({ timeout: '8s' });
  clock.stall(7_201);
  expect(lock.held).toBe(false);
  expect(lock.signal.aborted).toBe(true);
});

test('each use asks the clock of the session, too', async () => {
  const { lock, clock } = await scene({ timeout: 'none' });
  clock.stall(8_999);
  expect(lock.held).toBe(true);
  clock.stall(2);
  expect(lock.held).toBe(false);
});

test('auto: an extension that is refused is tried again, after a while', async () => {
  const { lock, clock, desk } = await scene();
  desk.byHand.add('extend');
  await clock.pass(15_001);
  desk.last('extend').refuse('forbidden');
  await clock.pass(1_400);
  expect(desk.all('extend')).toHaveLength(1);
  await clock.pass(200);
  expect(desk.all('extend')).toHaveLength(2);
  desk.decide(desk.last('extend'));
  await clock.pass(20_000);
  expect(lock.held).toBe(true);
});

test('auto: kept alive from half of the lease on, for as long as it is held', async () => {
  const { lock, clock, desk } = await scene();
  await clock.pass(14_999);
  expect(desk.all('extend')).toHaveLength(0);
  await clock.pass(600);
  expect(desk.last('extend').message).toMatchObject({ scope: 's', lockId: lock.lockId, leaseMs: 30_000 });
  await clock.pass(600_000);
  expect(lock.held).toBe(true);
  expect(lock.signal.aborted).toBe(false);
  expect(desk.all('extend').length).toBeGreaterThan(30);
  await lock.release();
  const before = desk.log.length;
  await clock.pass(20_000);
  expect(
    desk
      .kinds()
      .slice(before)
      .every((kind) => kind === 'beat'),
  ).toBe(true);
});

test('auto: an extension that a peer does not answer goes to another one, and the lock is kept', async () => {
  const { lock, clock, desk } = await scene();
  desk.byHand.add('extend');
  await clock.pass(20_000);
  const [first, second] = desk.all('extend');
  expect(first).toMatchObject({ peer: 'p1', gone: true });
  expect(second).toMatchObject({ peer: 'p2' });
  desk.decide(second!);
  await clock.pass(15_000);
  expect(lock.held).toBe(true);
});

test('auto: with no answer at all it is lost when the lease is, by its own count', async () => {
  const { lock, clock, desk } = await scene();
  desk.byHand.add('extend');
  await clock.pass(27_900);
  expect(lock.held).toBe(true);
  await clock.pass(200);
  expect(lock.held).toBe(false);
});

test('a lapse is final: an answer that comes after it changes nothing', async () => {
  const { lock, clock, desk } = await scene({ timeout: '8s' });
  desk.byHand.add('extend');
  await clock.pass(5_000);
  const extended = lock.extend('1m');
  await clock.pass(2_201);
  desk.last('extend').answer(locked({ leaseMs: 60_000 }));
  await expect(extended).rejects.toBeInstanceOf(LockLostError);
  expect(lock.held).toBe(false);
});

test('an extension counts from its own send', async () => {
  const { lock, clock, desk } = await scene({ timeout: '8s' });
  desk.byHand.add('extend');
  const extended = lock.extend('8s');
  await clock.pass(1_000);
  desk.last('extend').answer(locked({ leaseMs: 8_000 }));
  await extended;
  expect(lock.remainingMs()).toBe(6_200);
});

test('of two extensions the longer count is right, whichever answer comes last', async () => {
  const { lock, clock, desk } = await scene({ timeout: '5s' });
  desk.byHand.add('extend');
  const both = [lock.extend('9s')];
  await clock.pass(100);
  both.push(lock.extend('6s'));
  const [long, short] = desk.all('extend');
  long!.answer(locked({ leaseMs: 9_000 }));
  short!.answer(locked({ leaseMs: 6_000 }));
  await Promise.all(both);
  expect(lock.remainingMs()).toBe(8_000);
});

test.each(['stale_grant', 'not_found', 'not_holder'])('the mesh says %s: lost at once', async (code) => {
  const { lock, desk } = await scene();
  const { signal } = lock;
  desk.byHand.add('extend');
  const extended = lock.extend('1m');
  await settled();
  desk.last('extend').refuse(code);
  await expect(extended).rejects.toBeInstanceOf(LockLostError);
  expect(signal.aborted).toBe(true);
  expect(lock.held).toBe(false);
});

test('an extension that no peer answers leaves the former lease', async () => {
  const { lock, clock, desk } = await scene({ timeout: '9s' });
  desk.byHand.add('extend');
  const extended = lock.extend('1m').catch((error) => error);
  await clock.pass(5_100);
  expect(await extended).toMatchObject({ code: 'outcome_unknown', certainty: 'indefinite', scope: 's' });
  expect(lock.held).toBe(true);
});

test('after a suspend nothing is held', async () => {
  const { lock, clock } = await scene();
  const { signal } = lock;
  clock.suspend(900);
  expect(lock.held).toBe(true);
  clock.suspend(200);
  expect(lock.held).toBe(false);
  expect(signal.reason.message).toMatch(/suspended/);
});

test('a suspend is noticed without anybody asking', async () => {
  const { lock, clock } = await scene();
  const { signal } = lock;
  await clock.pass(2_100);
  clock.suspend(5_000);
  await clock.pass(500);
  expect(signal.aborted).toBe(true);
});

test('a lock without an end lives with its session', async () => {
  const { lock, clock, desk } = await scene({ timeout: 'none' });
  expect(desk.last('acquire').message).toMatchObject({ leaseMs: 0 });
  await clock.pass(300_000);
  expect(lock.held).toBe(true);
  desk.byHand.add('beat');
  await clock.pass(10_000);
  expect(lock.held).toBe(false);
});

test('a release is sent once, and its promise is the same', async () => {
  const { lock, desk } = await scene();
  const first = lock.release();
  expect(lock.held).toBe(false);
  expect(lock.release()).toBe(first);
  await first;
  expect(desk.all('release')).toHaveLength(1);
  expect(lock.signal.aborted, 'who releases loses nothing').toBe(false);
  expect(() => lock.assertHeld()).toThrow(/released/);
});

test('a release whose answer is lost is repeated elsewhere', async () => {
  const { lock, desk } = await scene();
  desk.byHand.add('release');
  const released = lock.release();
  await settled();
  desk.last('release').break();
  await settled();
  expect(desk.last('release')).toMatchObject({ peer: 'p2', message: { lockId: lock.lockId } });
  desk.last('release').refuse('not_found'); // the first copy did it, and the mesh has forgotten the lock id
  expect(await stateOf(released)).toBe('done');
});

test('a release of what had ended otherwise says so', async () => {
  const { lock, desk } = await scene();
  desk.force('s');
  const error = await lock.release().catch((reason) => reason);
  expect(error).toBeInstanceOf(LockLostError);
  expect(error).toMatchObject({
    code: 'stale_grant',
    certainty: 'definite',
    scope: 's',
    lockId: lock.lockId,
  });
});

test('a lock that was lost is tidied away, and its release tells the loss', async () => {
  const { lock, clock, desk } = await scene({ timeout: '1s' });
  await clock.pass(950);
  expect(await stateOf(lock.release())).toBeInstanceOf(LockLostError);
  expect(desk.holders('s')).toEqual([]);
});

test('a release that no peer takes', async () => {
  const { lock, clock, desk } = await scene();
  desk.byHand.add('release');
  const released = lock.release().catch((error) => error);
  await settled();
  for (let i = 0; i < 40; i++) {
    desk.last('release').break(false);
    await clock.pass(300);
  }
  expect(await released).toBeInstanceOf(NoQuorumError);
});

test('await using releases', async () => {
  const at = atDesk();
  {
    await using lock = await take(at);
    expect(at.desk.holders('s')).toEqual([lock.lockId]);
  }
  expect(at.desk.holders('s')).toEqual([]);
});

test('await using tells a loss that its user has not been told of, and only that', async () => {
  const quiet = await scene();
  quiet.desk.force('s');
  await expect(quiet.lock[Symbol.asyncDispose]()).rejects.toBeInstanceOf(LockLostError);

  const told = await scene({ timeout: '1s' });
  const { signal } = told.lock;
  await told.clock.pass(950);
  expect(signal.aborted).toBe(true);
  await told.lock[Symbol.asyncDispose]();

  const asked = await scene({ timeout: '1s' });
  await asked.clock.pass(950);
  expect(asked.lock.held).toBe(false); // as `while (lock.held)` does
  await asked.lock[Symbol.asyncDispose]();
});
