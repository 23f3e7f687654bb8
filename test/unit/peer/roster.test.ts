import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  firstRoster,
  identityOf,
  indexOf,
  meshIdOf,
  namesOf,
  textOfRoster,
} from '../../../src/peer/roster.ts';

const voter = (name: string) => ({ name, identity: `id of ${name}` });

describe('roster', () => {
  test('is sorted by name, whatever the order it was heard in', () => {
    const roster = firstRoster([voter('p3'), voter('p1'), voter('p10')]);
    expect(namesOf(roster)).toEqual(['p1', 'p10', 'p3']);
    expect(roster.epoch).toBe(1);
    expect([indexOf(roster, 'p3'), indexOf(roster, 'p2')]).toEqual([2, -1]);
    expect([identityOf(roster, 'p3'), identityOf(roster, 'p2')]).toEqual(['id of p3', undefined]);
  });

  test('holds 1 to 31 voters, each once', () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => voter(`p${i}`));
    expect(() => firstRoster([])).toThrow('not 0');
    expect(() => firstRoster(many(32))).toThrow('not 32');
    expect(firstRoster(many(31)).voters).toHaveLength(31);
    expect(() => firstRoster([voter('p1'), voter('p2'), voter('p1')])).toThrow('p1 is in the roster twice');
  });

  test('the mesh id is the hash of what the voters are, and of nothing else they carry', () => {
    const roster = firstRoster([{ ...voter('p1'), address: 'elsewhere' } as ReturnType<typeof voter>]);
    expect(meshIdOf(roster, (text) => `#${text}`)).toBe('#[1,["p1","id of p1"]]');
  });

  test('different voters have different texts', () => {
    const voters = fc.uniqueArray(fc.record({ name: fc.string(), identity: fc.string() }), {
      selector: ({ name }) => name,
      minLength: 1,
      maxLength: 5,
    });
    const sorted = (of: { name: string; identity: string }[]) =>
      of.map(({ name, identity }) => [name, identity]).sort((a, b) => (a[0]! < b[0]! ? -1 : 1));
    fc.assert(
      fc.property(voters, voters, (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(textOfRoster(firstRoster(a)) === textOfRoster(firstRoster(b))).toBe(same);
      }),
    );
  });
});
