/** One acquire, from the call to the lock or to the certainty that there is none. */
import { expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import {
  BusyError,
  DeadlockError,
  InvalidRequestError,
  LockLostError,
  NoQuorumError,
  OutcomeUnknownError,
} from '../../../src/client/errors.ts';
import type { AcquireOptions } from '../../../src/client/types.ts';
import { lockWish } from '../../../src/client/wishes.ts';
import { atDesk, locked, stateOf } from './desk.ts';
import { settled } from './hand-clock.ts';

type Scene = ReturnType<typeof atDesk>;

const take = ({ core }: Scene, options: AcquireOptions = {}, scope = 's') =>
  acquire(core, lockWish(scope, options));

const LOCK_ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';

test('what is said is sent, under one session that is opened first', async () => {
  const at = atDesk();
  const options = { wait: '2s', timeout: '40s', lockType: 'read', priority: 'high', reason: 'why' } as const;
  const [a, b] = await Promise.all([take(at, options), take(at, { lockId: LOCK_ID.toUpperCase() }, 't')]);
  expect(at.desk.kinds()).toEqual(['open', 'acquire', 'acquire']);
  expect(at.desk.all('acquire')[0]!.message).toMatchObject({
    scope: 's',
    mode: 'read',
    permits: 0,
    waitMs: 2_000,
    leaseMs: 40_000,
    priority: 'high',
    reason: 'why',
    session: 'session-1',
    repeat: 0,
  });
  expect(b.lockId).toBe(LOCK_ID);
  expect(a.holder).toMatch(/^me-[0-9a-f]{10}-1$/);
  expect(b.holder).not.toBe(a.holder);
});

test('two acquires in one process exclude each other', async () => {
  const at = atDesk();
  const first = await take(at);
  const error = await take(at).catch((reason) => reason);
  expect(error).toBeInstanceOf(BusyError);
  expect(error).toMatchObject({ code: 'busy', certainty: 'definite', scope: 's', queuePosition: 1 });
  expect(error.holders[0]).toMatchObject({ holder: first.holder, lock_id: first.lockId });
  const waiting = take(at, { wait: '10s' });
  await at.clock.pass(3_000);
  await first.release();
  const second = await waiting;
  expect(second.fencingToken).toBe(2);
  expect(second.waitedMs).toBe(3_000);
});

test('the count of one who waited begins where the peer says, not at the answer', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire');
  const waiting = take(at, { wait: '1m', timeout: '8s' });
  await at.clock.pass(5_000);
  at.desk.grant(at.desk.last('acquire'), { leaseMs: 8_000, waitedMs: 4_040 });
  const lock = await waiting;
  expect(lock.remainingMs()).toBe(6_200);
});

test('a copy that failed over counts from its own send', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire');
  const waiting = take(at, { timeout: '6s' });
  await at.clock.pass(2_000);
  at.desk.last('acquire').break();
  await at.clock.pass(500);
  const copy = at.desk.last('acquire');
  expect(copy).toMatchObject({ peer: 'p2', message: { repeat: 1 } });
  expect((copy.message as { lockId: string }).lockId).toBe(
    (at.desk.all('acquire')[0]!.message as { lockId: string }).lockId,
  );
  at.desk.grant(copy, { leaseMs: 6_000 });
  expect((await waiting).remainingMs()).toBe(4_900);
});

test('what set no lease is extended first, and counted from that', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire').add('extend');
  const taking = take(at, { timeout: '8s' });
  await at.clock.pass(1_000);
  at.desk.grant(at.desk.last('acquire'), { leaseMs: 8_000, sets: false });
  await at.clock.pass(1_000);
  expect(await stateOf(taking)).toBe('open');
  const extension = at.desk.last('extend');
  expect(extension.message).toMatchObject({ scope: 's', leaseMs: 8_000, holder: null });
  at.desk.grant(extension, { leaseMs: 8_000 });
  expect((await taking).remainingMs()).toBe(6_200);
});

test('a holder name that holds already is busy, for its lock is not ours', async () => {
  const at = atDesk();
  const first = await take(at, { holder: 'both' });
  const error = await take(at, { holder: 'both' }).catch((reason) => reason);
  expect(error).toBeInstanceOf(BusyError);
  expect(error.message).toContain(first.lockId);
  expect(first.held).toBe(true);
});

test('the same lock id again is the same lock', async () => {
  const at = atDesk();
  const [first, same] = await Promise.all([take(at, { lockId: LOCK_ID }), take(at, { lockId: LOCK_ID })]);
  expect(same).toBe(first);
  expect(await take(at, { lockId: LOCK_ID })).toBe(first);
  await first.release();
  expect(at.desk.holders('s')).toEqual([]);
  await expect(take(at, { lockId: LOCK_ID })).rejects.toBeInstanceOf(LockLostError);
});

test('an abort gives the place up, there and here', async () => {
  const at = atDesk();
  const first = await take(at);
  const { signal, abort } = control();
  const waiting = take(at, { wait: '1m', signal });
  await settled();
  expect(at.desk.waiters('s')).toBe(1);
  const asked = at.desk.last('acquire');
  abort('no longer');
  await expect(waiting).rejects.toBe('no longer');
  expect(asked.gone).toBe(true);
  await settled();
  expect(at.desk.last('cancel').message).toMatchObject({ scope: 's', lockId: lockIdOf(asked) });
  await first.release();
  expect(at.desk.holders('s')).toEqual([]);
});

test('what was granted while it was aborted is released', async () => {
  const at = atDesk();
  await (await take(at, {}, 'warm')).release();
  at.desk.byHand.add('acquire');
  const { signal, abort } = control();
  const taking = take(at, { signal });
  await settled();
  at.desk.decide(at.desk.last('acquire')); // its answer arrives in the same turn, and late
  abort(new Error('late'));
  await taking.catch(() => undefined);
  at.desk.byHand.add('cancel');
  const other = control();
  const second = take(at, { signal: other.signal }, 't');
  await settled();
  const granted = at.desk.last('acquire');
  other.abort('now');
  await expect(second).rejects.toBe('now');
  await settled();
  at.desk.last('cancel').answer(locked({ sets: false }));
  await settled();
  expect(at.desk.last('release').message).toMatchObject({ scope: 't', lockId: lockIdOf(granted) });
});

test('a signal that is aborted already sends nothing', async () => {
  const at = atDesk();
  await expect(take(at, { signal: AbortSignal.abort('never') })).rejects.toBe('never');
  expect(at.desk.log).toEqual([]);
});

test('no answer in time: unknown, and given up at the mesh', async () => {
  const at = atDesk();
  await (await take(at, {}, 'warm')).release();
  at.desk.byHand.add('acquire');
  const taking = take(at).catch((error) => error);
  await at.clock.pass(5_100);
  const error = await taking;
  expect(error).toBeInstanceOf(OutcomeUnknownError);
  expect(error).toMatchObject({ certainty: 'indefinite', scope: 's' });
  expect(at.desk.last('cancel').message).toMatchObject({ lockId: lockIdOf(at.desk.last('acquire')) });
});

test('no peer takes it: certainly nothing happened, and nothing is given up', async () => {
  const at = atDesk();
  await (await take(at, {}, 'warm')).release();
  at.desk.byHand.add('acquire');
  const taking = take(at).catch((error) => error);
  for (let i = 0; i < 60; i++) {
    at.desk.last('acquire').break(false);
    await at.clock.pass(100);
  }
  const error = await taking;
  expect(error).toBeInstanceOf(NoQuorumError);
  expect(error.certainty).toBe('definite');
  expect(at.desk.all('acquire').every(({ message }) => 'repeat' in message && message.repeat === 0)).toBe(
    true,
  );
  expect(at.desk.all('cancel')).toEqual([]);
});

test.each([
  ['deadlock', DeadlockError],
  ['invalid_request', InvalidRequestError],
])('%s is final', async (code, Class) => {
  const at = atDesk();
  at.desk.byHand.add('acquire');
  const taking = take(at, { wait: '1m' });
  await settled();
  at.desk.last('acquire').refuse(code);
  await expect(taking).rejects.toBeInstanceOf(Class);
  expect(at.desk.all('acquire')).toHaveLength(1);
});

test('a dead session is replaced, and the acquire begins anew under another lock id', async () => {
  const at = atDesk();
  const old = await take(at, {}, 'old');
  at.desk.sessions.clear(); // it died, and nobody here knows
  const lock = await take(at);
  expect(at.desk.all('open')).toHaveLength(2);
  expect(lock.held).toBe(true);
  expect(old.held, 'its session is the dead one').toBe(false);
  const [, asked, again] = at.desk.all('acquire');
  expect(lockIdOf(again!)).not.toBe(lockIdOf(asked!));
  expect(again!.message).toMatchObject({ session: 'session-1' });
});

test('a session that lapses while it waits: it waits anew, under the next session', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire').add('beat');
  const waiting = take(at, { wait: '5m' });
  await at.clock.pass(9_500);
  expect(at.desk.all('open')).toHaveLength(2);
  const [asked, again] = at.desk.all('acquire');
  expect(asked!.gone).toBe(true);
  expect(at.desk.last('cancel').message).toMatchObject({ lockId: lockIdOf(asked!) });
  expect((again!.message as { waitMs: number }).waitMs, 'what is left of it').toBe(291_000);
  at.desk.grant(again!);
  expect((await waiting).held).toBe(true);
});

test('a grant of which little is left is extended first, and counted from that', async () => {
  const at = atDesk();
  at.desk.byHand.add('acquire');
  const taking = take(at, { timeout: '2s', wait: '1s' });
  await at.clock.pass(1_300);
  const late = at.desk.last('acquire');
  late.at = at.clock.now(); // it was granted at once; its answer took that long
  at.desk.decide(late);
  const lock = await taking;
  expect(at.desk.last('extend').message).toMatchObject({ leaseMs: 2_000, lockId: lockIdOf(late) });
  expect(lock.remainingMs()).toBe(1_800);
});

test('after a wait of hours 1% of it is more than the lease, and the lock is held all the same', async () => {
  const at = atDesk();
  const first = await take(at);
  const waiting = take(at, { wait: '5h' });
  await at.clock.pass(4 * 3_600_000);
  await first.release();
  const lock = await waiting;
  expect(lock).toMatchObject({ held: true, fencingToken: 2 });
  expect(at.desk.last('extend').message).toMatchObject({ lockId: lock.lockId });
});

test('a grant that ended before it came is asked for anew', async () => {
  const at = atDesk();
  await (await take(at, {}, 'warm')).release();
  at.desk.byHand.add('acquire').add('extend');
  const taking = take(at, { timeout: '2s', wait: '1s' });
  await at.clock.pass(1_900);
  at.desk.grant(at.desk.last('acquire'), { leaseMs: 2_000 });
  await settled();
  at.desk.last('extend').refuse('stale_grant');
  await settled();
  expect(at.desk.last('cancel').message).toMatchObject({ lockId: lockIdOf(at.desk.all('acquire')[1]!) });
  expect(at.desk.all('acquire')).toHaveLength(3);
  at.desk.decide(at.desk.last('acquire'));
  expect((await taking).held).toBe(true);
});

test('opening the session fails: so does the acquire, after its time', async () => {
  const at = atDesk();
  at.desk.byHand.add('open');
  const taking = take(at).catch((error) => error);
  for (let i = 0; i < 60; i++) {
    at.desk.last('open').refuse('no_quorum');
    await at.clock.pass(100);
  }
  expect(await taking).toBeInstanceOf(NoQuorumError);
  expect(at.desk.all('acquire')).toEqual([]);
});

test('a closed client acquires nothing', async () => {
  const at = atDesk();
  await at.core.close();
  await expect(take(at)).rejects.toMatchObject({ code: 'closed', certainty: 'definite' });
});

function lockIdOf({ message }: { message: object }): string {
  return (message as { lockId: string }).lockId;
}

function control() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason: unknown) => controller.abort(reason) };
}
