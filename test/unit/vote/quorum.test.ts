import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  count,
  majority,
  reachedByMajority,
  type Tally,
  tally,
  VOTERS_MAX,
} from '../../../src/vote/quorum.ts';

/** The slow way. */
const ones = (mask: number) => [...(mask >>> 0).toString(2)].filter((bit) => bit === '1').length;

describe('majorities', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [10, 6],
    [31, 16],
  ])('of %i voters are %i', (voters, least) => {
    expect(majority(voters)).toBe(least);
  });

  test('any two meet, and one voter less may not', () => {
    for (let n = 1; n <= 8; n++) {
      const sets = Array.from({ length: 2 ** n }, (_, mask) => mask);
      const quorums = sets.filter((mask) => count(mask) >= majority(n));
      for (const a of quorums) for (const b of quorums) expect(a & b).not.toBe(0);
      const smaller = sets.filter((mask) => count(mask) >= majority(n) - 1);
      expect(smaller.some((a) => smaller.some((b) => (a & b) === 0))).toBe(true);
    }
    for (let n = 1; n <= VOTERS_MAX; n++) expect(2 * majority(n)).toBeGreaterThan(n);
  });

  test('voters are counted as a slower count does, up to the last bit of a mask', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** VOTERS_MAX - 1 }), (mask) => {
        expect(count(mask)).toBe(ones(mask));
      }),
    );
    expect([count(0), count(2 ** VOTERS_MAX - 1), count(1 << 30)]).toEqual([0, 31, 1]);
  });
});

describe('tally', () => {
  /** Tries every answer that the silent voters may yet give. */
  function byForce(voters: number, yes: number, no: number): Tally {
    const all = 2 ** voters - 1;
    const silent = all & ~yes & ~no;
    let [wins, losses] = [0, 0];
    for (let more = silent; ; more = (more - 1) & silent) {
      if (ones(yes | more) * 2 > voters) wins++;
      else losses++;
      if (more === 0) break;
    }
    return losses === 0 ? 'won' : wins === 0 ? 'lost' : 'pending';
  }

  test('is what every possible rest would say', () => {
    for (let n = 1; n <= 6; n++) {
      for (let yes = 0; yes < 2 ** n; yes++) {
        for (let no = 0; no < 2 ** n; no++) {
          expect([n, yes, no, tally(n, yes, no)]).toEqual([n, yes, no, byForce(n, yes, no)]);
        }
      }
    }
  });

  test('never changes once it is decided', () => {
    const masks = fc.array(fc.tuple(fc.nat(9), fc.boolean()), { maxLength: 10 });
    fc.assert(
      fc.property(masks, (answers) => {
        let [yes, no] = [0, 0];
        let decided: Tally = 'pending';
        for (const [voter, agrees] of answers) {
          if (((yes | no) >> voter) & 1) continue;
          if (agrees) yes |= 1 << voter;
          else no |= 1 << voter;
          const now = tally(10, yes, no);
          if (decided !== 'pending') expect(now).toBe(decided);
          decided = now;
        }
      }),
    );
  });

  test('an even split is lost, not pending for ever', () => {
    expect(tally(4, 0b0011, 0b1100)).toBe('lost');
    expect(tally(4, 0b0011, 0b0100)).toBe('pending');
    expect(tally(4, 0b1011, 0b0100)).toBe('won');
  });
});

describe('reachedByMajority', () => {
  test('is the value in the middle of a sorted list', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { minLength: 1, maxLength: VOTERS_MAX }), (reached) => {
        const sorted = [...reached].sort((a, b) => b - a);
        expect(reachedByMajority(reached)).toBe(sorted[majority(reached.length) - 1]);
      }),
    );
  });

  test.each([
    [[5, 0, 0], 0],
    [[5, 3, 0], 3],
    [[5, 3, 4], 4],
    [[7, 7, 0, 0], 0],
    [[7, 7, 6, 0], 6],
  ])('of %j it is %i', (reached, value) => {
    expect(reachedByMajority(reached)).toBe(value);
  });
});
