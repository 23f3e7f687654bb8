import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pauseMs } from '../../../src/mesh/dialer.ts';
import { REDIAL_LEAST_MS, REDIAL_MOST_MS } from '../../../src/mesh/limits.ts';

test('pauses are drawn from all of a range that doubles up to a bound', () => {
  const most = () => 1;
  expect([0, 1, 2, 3, 4, 5, 6, 1_000].map((attempts) => pauseMs(attempts, most))).toEqual([
    50, 100, 200, 400, 800, 1_600, 2_000, 2_000,
  ]);
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (attempts, drawn) => {
      const pause = pauseMs(attempts, () => drawn);
      expect(pause).toBeGreaterThanOrEqual(0);
      expect(pause).toBeLessThanOrEqual(
        Math.min(REDIAL_MOST_MS, REDIAL_LEAST_MS * 2 ** Math.min(attempts, 30)),
      );
    }),
  );
});
