/** Seeds that once ended in a violation, each beside what it was about; longer soaks found them. */
import { expect, test } from 'vitest';
import { runSeed } from './run.ts';

test.each([
  [
    110_019_240,
    'a gateway that stood still gives back what it is granted after its client was told that it ended',
  ],
])('seed %i: %s', (seed) => {
  const { verdict, detail } = runSeed(seed);
  expect(`${verdict} ${detail}`).toMatch(/^(?!violation)/);
});
