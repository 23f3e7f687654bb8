/**
 * Every checker can fail: a mesh that is given one wrong rule is caught, within a stated number of seeds; and the
 * same seed gives the same run.
 */
import { describe, expect, test } from 'vitest';
import { BROKEN } from './rules.ts';
import { runSeed } from './run.ts';

/** Within how many seeds a wrong rule must be caught. */
const WITHIN = 100;

/** Seeds that are run even after the first catch, to see which checkers catch a rule. */
const AT_LEAST = 12;

const CHECKERS = [
  'chain-broken',
  'delta',
  'ended-early',
  'ended-unasked',
  'granted-again',
  'left-over',
  'no-progress',
  'not-definite',
  'one-writer',
  'order',
  'overtaken',
  'permits',
  'promise-fell',
  'stamp-content',
  'token-order',
  'told',
  'two-holders',
  'unfit-answer',
  'unsettled',
];

/** What takes a rare mishap to show is looked for where it is known to happen. */
const FROM: Readonly<Record<string, number>> = {
  'another-session': 240,
  'converts-any-token': 47_750,
  'counts-from-news': 7_920,
  'extends-unclaimed': 480,
  'never-expires': 15,
  'never-rises': 120,
  'session-unflushed': 100,
};

describe('a wrong rule is caught', () => {
  const seen = new Set<string>();

  for (const [name, rules] of Object.entries(BROKEN)) {
    test(name, () => {
      let first = 0;
      const from = FROM[name] ?? 1;
      for (let seed = from; seed < from + (first > 0 ? AT_LEAST : WITHIN); seed++) {
        const result = runSeed(seed, rules);
        if (result.verdict !== 'violation') continue;
        first = first === 0 ? seed : first;
        seen.add(result.checker);
      }
      expect(first, `${name} was not caught in ${WITHIN} seeds`).toBeGreaterThan(0);
    });
  }

  test('each checker has caught something', () => {
    expect([...seen].filter((checker) => checker !== 'crash').sort()).toEqual(CHECKERS);
  });
});

test('the same seed gives the same run', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const lines: string[] = [];
    const first = runSeed(seed, undefined, (line) => lines.push(line));
    const again: string[] = [];
    const second = runSeed(seed, undefined, (line) => again.push(line));
    expect(again).toEqual(lines);
    expect(second.hash).toBe(first.hash);
    expect(runSeed(seed).hash).toBe(first.hash);
  }
});
