import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DURATION_MAX_MS, prettyDuration, readDuration } from '../../../src/api/durations.ts';

describe('readDuration', () => {
  test.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['365d', DURATION_MAX_MS],
    ['0', 0],
    ['0s', 0],
    ['007s', 7_000],
    ['90', 90_000],
    ['0.5', 500],
    ['1.25', 1_250],
    [90, 90_000],
    [0, 0],
    [0.001, 1],
    [2.3, 2_300],
    [1e3, 1_000_000],
  ])('%j is %d ms', (input, ms) => {
    expect(readDuration(input)).toBe(ms);
  });

  test.each([
    ...[
      '',
      ' ',
      '5 s',
      ' 5s',
      '5s ',
      '5s garbage',
      '1h30m',
      'P1D',
      'PT5S',
      '5S',
      '5M',
      '5sec',
      '5w',
      '5y',
      '1y',
    ],
    ...[
      '-5s',
      '+5s',
      '-1',
      '1e3',
      '1e3s',
      '0x10',
      '1_000ms',
      '1,5s',
      '1.5s',
      '1.',
      '.5',
      '1.2345',
      '٣s',
      '5s\n',
    ],
    ...['NaN', 'Infinity', 'auto', 'none', 's', 'ms', '5m s', '99999999999999999s'],
    ...[-1, Number.NaN, Number.POSITIVE_INFINITY, 0.0001, 1.2345],
  ])('%j is no duration', (input) => {
    expect(readDuration(input)).toMatch(/is no duration: write "250ms"/);
  });

  test.each(['366d', '31536001', 31_536_001, '999999999999999d'])('%j is too long', (input) => {
    expect(readDuration(input)).toMatch(/longer than a year/);
  });

  test('every whole number with a unit means itself, whatever the unit', () => {
    const unit = fc.constantFrom(
      ['ms', 1],
      ['s', 1e3],
      ['m', 6e4],
      ['h', 36e5],
      ['d', 864e5],
    ) as fc.Arbitrary<[string, number]>;
    fc.assert(
      fc.property(fc.nat({ max: 300 }), unit, (count, [letters, factor]) => {
        expect(readDuration(`${count}${letters}`)).toBe(count * factor);
        if (letters === 's') {
          expect(readDuration(count)).toBe(count * factor);
          expect(readDuration(String(count))).toBe(count * factor);
        }
      }),
    );
  });

  test('any text gives a whole number of milliseconds in bounds, or a refusal', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'0123456789.smhd -e') }),
      fc.double().map(String),
    );
    fc.assert(
      fc.property(fc.oneof(text, fc.double()), (input) => {
        const ms = readDuration(input);
        if (typeof ms === 'string') return;
        expect(Number.isSafeInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(DURATION_MAX_MS);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('prettyDuration', () => {
  test.each([
    [0, '0ms'],
    [0.4, '0ms'],
    [12.4, '12ms'],
    [999.4, '999ms'],
    [999.6, '1s'],
    [2_300, '2.3s'],
    [30_000, '30s'],
    [59_949, '59.9s'],
    [59_951, '1m'],
    [90_000, '1.5m'],
    [300_000, '5m'],
    [5_400_000, '1.5h'],
    [604_800_000, '7d'],
  ])('%d ms is %s', (ms, text) => {
    expect(prettyDuration(ms)).toBe(text);
  });

  test('what it says is what was meant, within a twentieth', () => {
    const factors: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
    fc.assert(
      fc.property(fc.integer({ min: 10, max: DURATION_MAX_MS }), (ms) => {
        const [, count, unit] = /^([\d.]+)([a-z]+)$/.exec(prettyDuration(ms))!;
        expect(Math.abs((Number(count) * factors[unit!]!) / ms - 1)).toBeLessThan(0.051);
      }),
    );
  });
});
