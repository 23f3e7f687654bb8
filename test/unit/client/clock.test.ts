/** The clocks of this machine. */
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/client/clock.ts';

test('the monotonic clock goes on, and the wall clock with it', async () => {
  const [mono, wall] = [systemClock.now(), systemClock.wall()];
  await new Promise<void>((resolve) => systemClock.after(20, resolve));
  const passed = systemClock.now() - mono;
  expect(passed).toBeGreaterThanOrEqual(19);
  expect(Math.abs(systemClock.wall() - wall - passed)).toBeLessThan(500);
});

test('a timer that was stopped does not fire, and one for months does not fire at once', async () => {
  let fired = 0;
  const stops = [0, 1, 2 ** 40].map((ms) => systemClock.after(ms, () => fired++));
  stops[0]!();
  stops[1]!();
  await new Promise<void>((resolve) => systemClock.after(30, resolve));
  expect(fired).toBe(0);
  stops[2]!();
});

test('only a timer in the foreground keeps the process running', () => {
  const count = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = count();
  const stopBackground = systemClock.after(60_000, () => undefined, true);
  expect(count()).toBe(before);
  const stop = systemClock.after(60_000, () => undefined);
  expect(count()).toBe(before + 1);
  stop();
  stopBackground();
  expect(count()).toBe(before);
});
