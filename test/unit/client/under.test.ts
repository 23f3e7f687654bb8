/** Work under a lock: it is released whatever happens, and the right error wins. */
import { expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import { LockLostError } from '../../../src/client/errors.ts';
import { under } from '../../../src/client/under.ts';
import { lockWish } from '../../../src/client/wishes.ts';
import { atDesk } from './desk.ts';

async function scene() {
  const at = atDesk();
  return { ...at, lock: await acquire(at.core, lockWish('s', { timeout: '5s' })) };
}

test('what the work returns is returned, once the lock is released', async () => {
  const { desk, lock } = await scene();
  const work = async ({ signal, fencingToken }: { signal: AbortSignal; fencingToken: number }) => {
    expect(desk.holders('s')).toHaveLength(1);
    return [signal.aborted, fencingToken];
  };
  expect(await under(lock, work)).toEqual([false, 1]);
  expect(desk.holders('s')).toEqual([]);
});

test.each<[string, () => unknown]>([
  ['rejects', () => Promise.reject(new Error('mine'))],
  [
    'throws',
    () => {
      throw new Error('mine');
    },
  ],
])('what the work %s is thrown, once the lock is released', async (_how, work) => {
  const { desk, lock } = await scene();
  await expect(under(lock, work)).rejects.toThrow('mine');
  expect(desk.holders('s')).toEqual([]);
});

test('work that outlived its lock is told so', async () => {
  const { clock, lock } = await scene();
  await expect(under(lock, () => clock.pass(4_600))).rejects.toBeInstanceOf(LockLostError);
});

test('a loss that only the mesh knows of is told as well', async () => {
  const { desk, lock } = await scene();
  await expect(under(lock, () => desk.force('s'))).rejects.toBeInstanceOf(LockLostError);
});

test("the work's own error wins over the loss", async () => {
  const { clock, lock } = await scene();
  const work = async () => {
    await clock.pass(4_600);
    throw new Error('mine');
  };
  await expect(under(lock, work)).rejects.toThrow('mine');
});

test('a release that no peer takes does not undo the work', async () => {
  const { clock, desk, lock } = await scene();
  desk.byHand.add('release');
  const done = under(lock, () => 'done');
  await clock.pass(5_100);
  expect(await done).toBe('done');
});
