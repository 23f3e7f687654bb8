/** The even seeds of the range that every change must pass; the other half runs beside it. */
import { test } from 'vitest';
import { runSeeds } from './seeds.ts';

test('no violation in 2,000 even seeds', () => {
  runSeeds(1, 4_000, 0);
});
