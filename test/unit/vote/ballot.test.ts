import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Ballot,
  compareBallots,
  compareStamps,
  endOfRound,
  isEndOfRound,
  leaseIdOf,
  maxBallot,
  NO_BALLOT,
  sameBallot,
} from '../../../src/vote/ballot.ts';

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 1, maxLength: 3 });
/** From few values, so that two often share some of them. */
const ballot: fc.Arbitrary<Ballot> = fc.record({
  round: fc.integer({ min: 1, max: 4 }),
  peer: hex,
  boot: fc.oneof(fc.nat(3), fc.constant(2 ** 40 + 5)),
});
const any = fc.oneof(
  { arbitrary: ballot, weight: 8 },
  { arbitrary: fc.nat(4).map(endOfRound), weight: 1 },
  { arbitrary: fc.constant(NO_BALLOT), weight: 1 },
);

describe('ballots are totally ordered', () => {
  test('one of two is less, or they are the same', () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        const order = compareBallots(a, b);
        expect(Math.sign(compareBallots(b, a))).toBe(-Math.sign(order) + 0);
        expect(order === 0).toBe(sameBallot(a, b));
        expect(order === 0).toBe(a.round === b.round && a.peer === b.peer && a.boot === b.boot);
        expect(maxBallot(a, b)).toEqual(order >= 0 ? a : b);
        expect(compareBallots(maxBallot(a, b), maxBallot(b, a))).toBe(0);
      }),
    );
  });

  test('what is less than a lesser one is less', () => {
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        const [low, middle, high] = [a, b, c].sort(compareBallots) as [Ballot, Ballot, Ballot];
        expect(compareBallots(low, middle)).toBeLessThanOrEqual(0);
        expect(compareBallots(middle, high)).toBeLessThanOrEqual(0);
        expect(compareBallots(low, high)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('the round counts before the peer, the peer before the boot', () => {
    const b = (round: number, peer: string, boot: number): Ballot => ({ round, peer, boot });
    const sorted = [b(1, 'a', 9), b(1, 'b', 1), b(1, 'b', 2), b(2, 'a', 1)];
    expect([...sorted].reverse().sort(compareBallots)).toEqual(sorted);
  });

  test('the end of a round is above that round and below the next', () => {
    fc.assert(
      fc.property(ballot, (a) => {
        const end = endOfRound(a.round);
        expect(compareBallots(a, end)).toBeLessThan(0);
        expect(compareBallots(end, { ...a, round: a.round + 1 })).toBeLessThan(0);
        expect(compareBallots(endOfRound(a.round - 1), a)).toBeLessThan(0);
        expect(compareBallots(NO_BALLOT, a)).toBeLessThan(0);
        expect([isEndOfRound(end), isEndOfRound(a), isEndOfRound(NO_BALLOT)]).toEqual([true, false, false]);
      }),
    );
    expect(compareBallots(NO_BALLOT, endOfRound(0))).toBeLessThan(0);
  });
});

describe('stamps', () => {
  const stamp = fc.tuple(ballot, fc.nat(3));

  test('the ballot counts before the version', () => {
    fc.assert(
      fc.property(stamp, stamp, ([a, va], [b, vb]) => {
        const order = compareStamps(a, va, b, vb);
        expect(Math.sign(order)).toBe(Math.sign(compareBallots(a, b) || va - vb));
        expect(Math.sign(compareStamps(b, vb, a, va))).toBe(-Math.sign(order) + 0);
      }),
    );
  });

  test('different stamps make different lease ids', () => {
    fc.assert(
      fc.property(stamp, stamp, ([a, va], [b, vb]) => {
        expect(leaseIdOf(a, va) === leaseIdOf(b, vb)).toBe(compareStamps(a, va, b, vb) === 0);
      }),
    );
  });
});
