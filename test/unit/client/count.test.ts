/** Where counts begin and end (T1, T4). */
import { describe, expect, test } from 'vitest';
import { countOf, givenUpAt, leftOf, marginOf, wasSuspended } from '../../../src/client/count.ts';

const at = (mono: number, wall = mono) => ({ mono, wall });

describe('a count begins', () => {
  test('at the send, however late the answer is', () => {
    expect(countOf(at(100), 0, 900, 10_000).from.mono).toBe(100);
  });

  test('later by what the request had waited at the peer, less the margin between two clocks', () => {
    expect(countOf(at(100), 1_010, 5_000, 10_000).from.mono).toBe(1_100);
  });

  test('never after the answer came', () => {
    expect(countOf(at(100), 60_000, 5_000, 10_000).from.mono).toBe(5_000);
  });
});

describe('a count ends', () => {
  test('a tenth before the lease does, at most 2 s', () => {
    expect(marginOf(1_000)).toBe(100);
    expect(marginOf(60_000)).toBe(2_000);
    const count = countOf(at(0), 0, 5, 10_000);
    expect(givenUpAt(count)).toBe(9_000);
    expect(leftOf(count, at(8_999))).toBe(1);
    expect(leftOf(count, at(9_000))).toBe(0);
    expect(leftOf(count, at(20_000))).toBe(0);
  });

  test('never, if there is no lease', () => {
    const count = countOf(at(0), 0, 5, Number.POSITIVE_INFINITY);
    expect(leftOf(count, at(1e12))).toBe(Number.POSITIVE_INFINITY);
  });

  test('when the wall clock outran the monotonic one by more than 1 s and 1%', () => {
    const count = countOf(at(0), 0, 5, 1e9);
    expect(wasSuspended(count, at(1_000, 2_009))).toBe(false);
    expect(wasSuspended(count, at(1_000, 2_011))).toBe(true);
    expect(leftOf(count, at(1_000, 2_011))).toBe(0);
    expect(leftOf(count, at(1_000, -50_000))).toBeGreaterThan(0);
  });

  test('when the machine was suspended between the grant and the answer', () => {
    // Granted 5 s after the send; the machine slept for 60 s of wall time before the answer was read.
    const count = countOf(at(0, 0), 5_050, 4_000, 30_000);
    expect(count.from.mono).toBe(4_000);
    expect(leftOf(count, at(4_000, 64_000))).toBe(0);
  });
});
