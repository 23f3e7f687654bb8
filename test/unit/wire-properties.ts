/** The two properties that every codec of the wire has. */
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { expect, test } from 'vitest';
import { WireError } from '../../src/lock/plain.ts';
import { anyValue, mutated } from './arbitraries.ts';
import { sameTrees } from './lock/same.ts';

expect.addEqualityTesters([sameTrees]);

const packr = new Packr({ useRecords: false });

export function roundTrip<T>(
  name: string,
  values: fc.Arbitrary<T>,
  toWire: (value: T) => unknown,
  fromWire: (u: unknown) => T,
): void {
  test(`${name}: decoding what was encoded gives the same value, through bytes too`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const wire = toWire(value);
        expect(fromWire(wire)).toEqual(value);
        expect(fromWire(packr.unpack(packr.pack(wire)))).toEqual(value);
      }),
    );
  });

  test(`${name}: longer arrays, from a newer version, are taken`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const wire = toWire(value);
        if (Array.isArray(wire)) expect(fromWire([...wire, 'new', null, 7])).toEqual(value);
      }),
    );
  });

  test(`${name}: garbage gives a value that can be encoded and decoded again, or a WireError`, () => {
    const garbage = fc.oneof(
      { weight: 1, arbitrary: anyValue },
      { weight: 6, arbitrary: mutated(values.map(toWire)) },
    );
    fc.assert(
      fc.property(garbage, (u) => {
        let value: T;
        try {
          value = fromWire(u);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
          expect((error as WireError).field).not.toBe('');
          return;
        }
        expect(fromWire(toWire(value))).toEqual(value);
      }),
      { numRuns: 1_000 },
    );
  });
}
