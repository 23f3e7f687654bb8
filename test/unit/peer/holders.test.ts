/** How many locks a holder name has (holders.ts): never fewer than the registers say, whatever becomes of them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Grant, LockState } from '../../../src/lock/state.ts';
import { Holders } from '../../../src/peer/holders.ts';
import { hashText } from '../../../src/peer/placement.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { held, id, scope, unclaimed, waiter } from '../lock/scene.ts';

const NAMES = ['alice', 'bob', 'cleo'];

/** A voter's registers, as far as their holders go. */
class Ledger {
  readonly holders = new Holders();
  readonly gone: string[] = [];
  private readonly entries = new Map<string, Entry>();

  entry(of: string): Entry {
    let entry = this.entries.get(of);
    if (entry === undefined) {
      entry = { register: { state: scope({}) }, holds: 0, heldMs: 0 } as unknown as Entry;
      this.entries.set(of, entry);
    }
    return entry;
  }

  /** The scope is held by these from now on. */
  turn(of: string, grants: readonly Grant[], now = 250): void {
    const entry = this.entry(of);
    const before: LockState = entry.register.state;
    entry.register.state = scope({ holders: grants });
    const noted = before.holders.map(() => 100);
    this.holders.changed(entry, before, noted, now, ({ lockId }) => this.gone.push(lockId));
  }

  /** How many grants the registers have under a name. */
  count(name: string): number {
    const all = [...this.entries.values()].flatMap(({ register }) => register.state.holders);
    return all.filter(({ holder }) => holder === name).length;
  }
}

const grantOf = (lockId: string, holder: string) => held(id(lockId), 'read', 1, { holder });

test('each name is counted as its registers say, however they change', () => {
  const grants = fc.uniqueArray(
    fc.tuple(fc.constantFrom('1', '2', '3', '4', '5', '6'), fc.constantFrom(...NAMES)),
    { selector: ([lockId]) => lockId, maxLength: 6 },
  );
  const turns = fc.array(fc.tuple(fc.constantFrom('x', 'y'), grants), { maxLength: 12, size: 'max' });
  let renamed = 0;
  fc.assert(
    fc.property(turns, (all) => {
      const ledger = new Ledger();
      for (const [of, drawn] of all) {
        const before = ledger.entry(of).register.state.holders;
        const now = drawn.map(([lockId, holder]) => grantOf(lockId, holder));
        // What was not chosen may have had a lock id under another name.
        renamed += now.filter((one) => before.some((was) => isRenamed(was, one))).length;
        ledger.turn(of, now);
        for (const name of NAMES) expect(ledger.holders.of(name)).toBe(ledger.count(name));
      }
    }),
    { numRuns: 500, seed: 3 },
  );
  expect(renamed).toBeGreaterThan(100);
});

function isRenamed(was: Grant, is: Grant): boolean {
  return was.lockId === is.lockId && was.holder !== is.holder;
}

describe('a lock id that is held under another name than before', () => {
  test('is counted under that one, and is not gone', () => {
    const ledger = new Ledger();
    ledger.turn('x', [grantOf('a', 'alice')]);
    ledger.turn('x', [grantOf('a', 'bob')]);
    expect(NAMES.map((name) => ledger.holders.of(name))).toEqual([0, 1, 0]);
    const { holds, heldMs } = ledger.entry('x');
    expect([ledger.gone, holds, heldMs]).toEqual([[], 0, 0]);
    ledger.turn('x', []);
    expect(NAMES.map((name) => ledger.holders.of(name))).toEqual([0, 0, 0]);
    expect(ledger.gone).toEqual(['a']);
  });
});

test('names with one hash are counted together: more than each has, never less', () => {
  const bucket = hashText('alice') % 65_536;
  let other = 0;
  while (hashText(`n${other}`) % 65_536 !== bucket) other++;
  const ledger = new Ledger();
  ledger.turn('x', [grantOf('a', 'alice'), grantOf('b', `n${other}`)]);
  expect([ledger.holders.of('alice'), ledger.holders.of(`n${other}`)]).toEqual([2, 2]);
  ledger.turn('x', [grantOf('a', 'alice')]);
  expect(ledger.holders.of('alice')).toBe(1);
});

test('who is gone is told once for each, with how long it held; who never claimed is told, and held nothing', () => {
  const ledger = new Ledger();
  const promoted = unclaimed(waiter(id('d'), 1, { holder: 'bob', mode: 'read' }), 4);
  ledger.turn('x', [grantOf('a', 'alice'), grantOf('b', 'bob'), promoted]);
  ledger.turn('x', [grantOf('b', 'bob')], 400);
  const { holds, heldMs } = ledger.entry('x');
  expect([ledger.gone, holds, heldMs]).toEqual([['a', 'd'], 1, 300]);
});

test('what was noted in the next millisecond, as a frozen lease is, was held for none', () => {
  const ledger = new Ledger();
  ledger.turn('x', [grantOf('a', 'alice')]);
  ledger.turn('x', [], 99.5);
  expect(ledger.entry('x')).toMatchObject({ holds: 1, heldMs: 0 });
});

test('a start counts what is held on its disk', () => {
  const holders = new Holders();
  for (const name of ['alice', 'bob', 'alice']) holders.came(grantOf('a', name));
  expect(NAMES.map((name) => holders.of(name))).toEqual([2, 1, 0]);
});
