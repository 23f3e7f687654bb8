import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashText, lineOf } from '../../../src/peer/placement.ts';

const SCOPES = 10_000;
/** Two ways in which people name scopes; neither is random. */
const NAMINGS: readonly (readonly [string, (i: number) => string])[] = [
  ['orders/17', (i) => `orders/${i}`],
  ['0017', (i) => String(i).padStart(4, '0')],
  ['tenant-3/job-5/run', (i) => `tenant-${i % 100}/job-${Math.floor(i / 100)}/run`],
];
const ROSTERS: readonly (readonly [string, (i: number) => string])[] = [
  ['p1, p2, ...', (i) => `p${i + 1}`],
  ['lock-a.example.org, ...', (i) => `lock-${String.fromCharCode(97 + i)}.example.org`],
];

const hashes = (names: readonly string[]) => names.map(hashText);

/** How many scopes each voter is at this place in the line of. */
function sharesAt(place: number, voters: readonly number[], scope: (i: number) => string): number[] {
  const shares = voters.map(() => 0);
  for (let i = 0; i < SCOPES; i++) shares[lineOf(scope(i), voters)[place]!]!++;
  return shares;
}

describe.each(ROSTERS)('voters named %s', (_, voterName) => {
  describe.each(NAMINGS)('scopes named %s', (_example, scope) => {
    test.each([3, 4, 5, 10])('each of %i voters is home to its share, within 15%%', (n) => {
      const voters = hashes(Array.from({ length: n }, (_each, i) => voterName(i)));
      for (const share of sharesAt(0, voters, scope)) {
        expect(share).toBeGreaterThan((SCOPES / n) * 0.85);
        expect(share).toBeLessThan((SCOPES / n) * 1.15);
      }
    });

    test('a voter that leaves moves its own scopes only, to the next in line, and spreads them evenly', () => {
      const n = 5;
      const names = Array.from({ length: n }, (_each, i) => voterName(i));
      const voters = hashes(names);
      const lines = Array.from({ length: SCOPES }, (_each, i) => lineOf(scope(i), voters));
      for (let gone = 0; gone < n; gone++) {
        const rest = names.filter((_name, i) => i !== gone);
        const left = hashes(rest);
        const moved = new Map<string, number>();
        for (const [i, before] of lines.entries()) {
          const after = lineOf(scope(i), left).map((voter) => rest[voter]!);
          const expected = before.filter((voter) => voter !== gone).map((voter) => names[voter]!);
          if (after.join() !== expected.join()) expect(after).toEqual(expected);
          if (before[0] === gone) moved.set(after[0]!, (moved.get(after[0]!) ?? 0) + 1);
        }
        const all = [...moved.values()].reduce((sum, count) => sum + count, 0);
        expect(moved.size).toBe(n - 1);
        for (const count of moved.values()) {
          expect(count).toBeGreaterThan((all / (n - 1)) * 0.75);
          expect(count).toBeLessThan((all / (n - 1)) * 1.25);
        }
      }
    });
  });
});

describe('the line of a scope', () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 31 });

  test('is an order of all voters, the same each time', () => {
    fc.assert(
      fc.property(fc.string(), names, (scope, voters) => {
        const line = lineOf(scope, hashes(voters));
        expect([...line].sort((a, b) => a - b)).toEqual(voters.map((_, i) => i));
        expect(lineOf(scope, hashes(voters))).toEqual(line);
      }),
    );
  });

  test('does not depend on the order of the roster', () => {
    const both = names
      .filter((voters) => new Set(hashes(voters)).size === voters.length)
      .chain((voters) =>
        fc.tuple(fc.constant(voters), fc.shuffledSubarray(voters, { minLength: voters.length })),
      );
    fc.assert(
      fc.property(fc.string(), both, (scope, [one, other]) => {
        const lineIn = (voters: readonly string[]) =>
          lineOf(scope, hashes(voters)).map((voter) => voters[voter]);
        expect(lineIn(other)).toEqual(lineIn(one));
      }),
    );
  });

  test('is what it always was: peers of two versions share a mesh', () => {
    const voters = hashes(['p1', 'p2', 'p3', 'p4', 'p5']);
    expect(voters[0]).toBe(hashText('p1'));
    expect(
      ['orders/42', 'a', 'größe/日本', ''].map((scope) => lineOf(scope, voters).join('')),
    ).toMatchInlineSnapshot(`
      [
        "42130",
        "34021",
        "14023",
        "12304",
      ]
    `);
  });
});
