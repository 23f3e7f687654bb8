/**
 * Runs one seed and judges it: passed, vacuous (too little happened to mean anything), or a violation.
 */
import { Violation } from './journal.ts';
import { draw } from './options.ts';
import { REAL, type Rules } from './rules.ts';
import { World } from './world.ts';

export interface Result {
  readonly seed: number;
  readonly verdict: 'passed' | 'vacuous' | 'violation';
  readonly checker: string;
  readonly detail: string;
  /** Hash over all that happened: the same seed gives the same one. */
  readonly hash: number;
  readonly counts: ReadonlyMap<string, number>;
}

const FAULTS = [
  'crash',
  'pause',
  'cut',
  'slow disk',
  'dropped',
  'wipe',
  'forgot',
  'lost reply',
  'hold pause',
  'client died',
];

/** @param print gets a line for everything that happens, if the run is traced. */
export function runSeed(seed: number, rules: Rules = REAL, print?: (line: string) => void): Result {
  const options = draw(seed);
  print?.(JSON.stringify(options));
  const world = new World(options, rules, print);
  let verdict: Result['verdict'] = 'passed';
  let checker = '';
  let detail = '';
  try {
    world.run();
    const faults = FAULTS.reduce((sum, kind) => sum + world.journal.count(kind), 0);
    if (world.journal.count('believes') < 5 || faults === 0) verdict = 'vacuous';
  } catch (error) {
    verdict = 'violation';
    checker = error instanceof Violation ? error.checker : 'crash';
    detail = error instanceof Violation ? error.message : String((error as Error).stack ?? error);
    print?.(`${world.time.now.toFixed(3)} VIOLATION ${detail}`);
  }
  return { seed, verdict, checker, detail, hash: world.journal.hash, counts: world.journal.counts };
}
