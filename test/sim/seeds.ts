/**
 * Runs a range of seeds as a test: none may fail, and most must have meant something.
 */
import { expect } from 'vitest';
import { runSeed } from './run.ts';

/** At least this share of runs must have seen enough grants and faults. */
const MEANINGFUL = 0.7;

/** @param share one of two: even seeds or odd ones, so that two workers can run them side by side. */
export function runSeeds(first: number, runs: number, share: 0 | 1): void {
  const totals = new Map<string, number>();
  let passed = 0;
  let done = 0;
  for (let seed = first + share; seed < first + runs; seed += 2) {
    const result = runSeed(seed);
    done++;
    if (result.verdict === 'violation') {
      expect.fail(`seed=${seed} ${result.detail}\n  replay: npm run sim -- --seed ${seed} --trace`);
    }
    if (result.verdict === 'passed') passed++;
    for (const [kind, n] of result.counts) totals.set(kind, (totals.get(kind) ?? 0) + n);
  }
  expect(passed / done).toBeGreaterThan(MEANINGFUL);
  // Each kind of fault really happened, and so did what they are there to disturb.
  for (const kind of [
    'crash',
    'pause',
    'cut',
    'dropped',
    'slow disk',
    'wipe',
    'forgot',
    'lost reply',
    'client died',
  ]) {
    expect(totals.get(kind) ?? 0, kind).toBeGreaterThan(done / 50);
  }
  for (const kind of [
    'told granted',
    'told busy',
    'told ended',
    'told already_held',
    'told no_quorum',
    'lapsed',
    'told waiting',
    'told deadlock',
    'waited in vain',
    'hung up',
    'opened',
    'beat',
    'converting converted',
    'force',
    'watched promoted',
    'watched kept',
    'watched ended',
    'watched compared',
    'told misfit',
  ]) {
    expect(totals.get(kind) ?? 0, kind).toBeGreaterThan(done / 50);
  }
}
