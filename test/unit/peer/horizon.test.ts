/** horizon.ts by itself: when it is raised, by which batch, and what need wait no longer then (V8). */
import { expect, test } from 'vitest';
import { Horizon } from '../../../src/peer/horizon.ts';
import { HORIZON_STRIDE_ROUNDS as STRIDE } from '../../../src/vote/limits.ts';
import { ballot } from './seat.ts';

const prepare = (round: number) => ({ kind: 'prepare', scope: 's', ballot: ballot(round) }) as const;

test('it is what was on disk, and nothing is to be written', () => {
  const horizon = new Horizon(7);
  expect([horizon.durable, horizon.in(1), horizon.isAwaited]).toEqual([7, 0, false]);
  expect(horizon.flushed(1)).toEqual([]);
  expect(horizon.durable).toBe(7);
});

test('a message waits for the batch that raises it, not for one before', () => {
  const horizon = new Horizon(0);
  horizon.hold(2, prepare(5), 3);
  expect([horizon.in(2), horizon.in(3), horizon.in(4), horizon.isAwaited]).toEqual([0, 5 + STRIDE, 0, true]);
  expect([horizon.flushed(2), horizon.durable]).toEqual([[], 0]);
  expect(horizon.flushed(3)).toEqual([{ from: 2, message: prepare(5) }]);
  expect([horizon.durable, horizon.isAwaited, horizon.flushed(3)]).toEqual([5 + STRIDE, false, []]);
});

test('all that wait are let go at once, in the order of their coming', () => {
  const horizon = new Horizon(0);
  horizon.hold(2, prepare(5), 1);
  horizon.hold(1, prepare(6), 1);
  expect(horizon.flushed(1).map(({ from }) => from)).toEqual([2, 1]);
});

test('raised again before the first batch has landed: those who wait go with the later one', () => {
  const horizon = new Horizon(0);
  horizon.hold(2, prepare(5), 1);
  horizon.hold(1, prepare(5 + 2 * STRIDE), 2);
  expect([horizon.in(1), horizon.in(2)]).toEqual([0, 5 + 3 * STRIDE]);
  expect([horizon.flushed(1), horizon.durable]).toEqual([[], 0]);
  expect(horizon.flushed(2).length).toBe(2);
  expect(horizon.durable).toBe(5 + 3 * STRIDE);
});

test('ahead of need: past the half of the stride, once', () => {
  const horizon = new Horizon(STRIDE);
  horizon.aheadOfNeed(STRIDE / 2, 1);
  expect(horizon.in(1)).toBe(0);
  horizon.aheadOfNeed(STRIDE / 2 + 1, 1);
  expect(horizon.in(1)).toBe(STRIDE / 2 + 1 + STRIDE);
  horizon.aheadOfNeed(STRIDE / 2 + 9, 2);
  expect([horizon.in(1), horizon.in(2)]).toEqual([STRIDE / 2 + 1 + STRIDE, 0]);
  expect(horizon.flushed(1)).toEqual([]);
  expect(horizon.durable).toBe(STRIDE / 2 + 1 + STRIDE);
});

test('it never falls', () => {
  const horizon = new Horizon(5 * STRIDE);
  horizon.hold(1, prepare(1), 1); // of no need, yet harmless
  horizon.flushed(1);
  expect(horizon.durable).toBe(5 * STRIDE);
});
