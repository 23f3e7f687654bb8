/** A semaphore, and what of it is told apart from a lock. */
import { expect, test } from 'vitest';
import { BusyError, InvalidRequestError } from '../../../src/client/errors.ts';
import { Permits } from '../../../src/client/semaphore.ts';
import { atDesk } from './desk.ts';

test('as many as there are permits, each in a slot of its own', async () => {
  const { core, desk } = atDesk();
  const semaphore = new Permits(core, 's', 2);
  const [a, b] = [await semaphore.acquire(), await semaphore.tryAcquire()];
  expect([a, b].map((permit) => [permit!.lockType, permit!.slot, permit!.fencingToken])).toEqual([
    ['permit', 0, 1],
    ['permit', 1, 2],
  ]);
  expect(desk.last('acquire').message).toMatchObject({ mode: 'permit', permits: 2, waitMs: 0 });
  expect(await semaphore.tryAcquire()).toBeNull();
  await expect(semaphore.acquire()).rejects.toBeInstanceOf(BusyError);
  await a.release();
  expect(await semaphore.withPermit({ reason: 'x' }, ({ slot }) => slot)).toBe(0);
  expect(await semaphore.withPermit(({ slot }) => slot)).toBe(0);
  expect(desk.holders('s')).toEqual([b!.lockId]);
});

test.each([0, 1.5, 1_025, '3', undefined])('%j permits are refused', (permits) => {
  expect(() => new Permits(atDesk().core, 's', permits as number)).toThrow(InvalidRequestError);
});
