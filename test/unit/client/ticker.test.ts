/** One timer for everything that is held. */
import { expect, test } from 'vitest';
import { TICK_MS, Ticker, type Ticking } from '../../../src/client/ticker.ts';
import { HandClock } from './hand-clock.ts';

function scene() {
  const clock = new HandClock();
  const ticker = new Ticker(clock);
  const start = clock.now();
  const item = (holds: boolean, next: number) => {
    const ticks: number[] = [];
    const one: Ticking = {
      holds,
      tick: ({ mono }) => {
        ticks.push(mono - start);
        return mono + next;
      },
    };
    return { one, ticks };
  };
  return { clock, ticker, item, start };
}

test('each is looked at when it wants to be, and at least each tick', async () => {
  const { clock, ticker, item, start } = scene();
  const [slow, fast] = [item(true, 1e9), item(true, 200)];
  ticker.add(slow.one, start + 1e9);
  await clock.pass(2 * TICK_MS);
  expect(slow.ticks).toEqual([500, 1_000]);
  ticker.add(fast.one, start + 1_100);
  await clock.pass(600);
  expect(fast.ticks).toEqual([1_100, 1_300, 1_500]);
  ticker.delete(fast.one);
  ticker.delete(slow.one);
  await clock.pass(10_000);
  expect(slow.ticks.at(-1)).toBeLessThan(1_600);
});

test('the process is kept while anything holds', async () => {
  const { clock, ticker, item, start } = scene();
  const [idle, busy] = [item(false, 1e9), item(true, 1e9)];
  ticker.add(idle.one, start + 1e9);
  expect(clock.holding).toBe(0);
  ticker.add(busy.one, start + 1e9);
  expect(clock.holding).toBe(1);
  await clock.pass(3 * TICK_MS);
  expect(clock.holding).toBe(1);
  ticker.delete(busy.one);
  await clock.pass(TICK_MS);
  expect(clock.holding).toBe(0);
  expect(idle.ticks.length).toBeGreaterThan(2);
});
