/** The end of a client. */
import { expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import { acquireAll } from '../../../src/client/multi.ts';
import { lockWish, multiWish } from '../../../src/client/wishes.ts';
import { atDesk } from './desk.ts';
import { settled } from './hand-clock.ts';

test('close gives up what is under way, releases all, and closes sessions and sockets', async () => {
  const { core, desk, clock } = atDesk();
  const locks = await Promise.all(['a', 'b'].map((scope) => acquire(core, lockWish(scope))));
  const multi = await acquireAll(core, ['m', 'n'], multiWish({}));
  const waiting = acquire(core, lockWish('a', { wait: '1m' })).catch((error) => error);
  await settled();
  const closing = core.close();
  expect(core.close()).toBe(closing);
  await closing;
  expect(await waiting).toMatchObject({ code: 'closed' });
  expect(locks.map(({ held }) => held)).toEqual([false, false]);
  expect(locks.every(({ signal }) => !signal.aborted)).toBe(true);
  expect(multi.held).toBe(false);
  for (const scope of ['a', 'b', 'm', 'n']) expect(desk.holders(scope)).toEqual([]);
  expect(desk.sessions.size).toBe(0);
  expect(desk.closed).toBe(true);
  expect(clock.holding).toBe(0);
});

test('it ends even if no peer answers, after the time of a request', async () => {
  const { core, desk, clock } = atDesk();
  await acquire(core, lockWish('a'));
  desk.byHand.add('release').add('close');
  let over = false;
  const closing = core.close().then(() => {
    over = true;
  });
  await clock.pass(5_100);
  await clock.pass(5_100);
  expect(over).toBe(true);
  await closing;
});

test('a session that is being opened is closed as well', async () => {
  const { core, desk } = atDesk();
  desk.byHand.add('open');
  const taking = acquire(core, lockWish('a')).catch((error) => error);
  await settled();
  const closing = core.close();
  desk.decide(desk.last('open'));
  await closing;
  expect(await taking).toMatchObject({ code: 'closed' });
  expect(desk.sessions.size).toBe(0);
});
