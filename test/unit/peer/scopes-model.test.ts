/**
 * Random use of a voter's scopes beside a plain table: whatever freezes, thaws and leaves, each scope is there once and
 * as it was left, and each lease is handed over in the millisecond in which it is over (T3).
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFree, type LockState } from '../../../src/lock/state.ts';
import { held as grant, id, scope as stateOf, waiter } from '../lock/scene.ts';
import { free } from './seat.ts';
import { heldFor, Shelf } from './shelf.ts';

type Use =
  | { readonly what: 'turn'; readonly scope: string; readonly state: LockState }
  | { readonly what: 'get' | 'peek' | 'state'; readonly scope: string }
  | { readonly what: 'freeze' | 'all' }
  | { readonly what: 'wait'; readonly ms: number };

const SCOPES = ['a', 'b', 'c', 'd', 'e', 'f'];
const scope = fc.constantFrom(...SCOPES);
/** Whole milliseconds, the margin included: ages are frozen as such. */
const leaseMs = fc.constantFrom(0, 100, 300, 1_000, 2_500, 4_000, 9_000, 20_000);
const reads = stateOf({ holders: [grant(id('r'), 'read', 1, { leaseMs: 0 })] });
const waits = stateOf({
  holders: [grant(id('h'), 'write', 1, { leaseMs: 0 })],
  waits: [waiter(id('w'), 1)],
});
const state = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(leaseMs, fc.nat(99)).map(([ms, n]) => heldFor(ms, `lock ${n}`)) },
  { weight: 2, arbitrary: fc.nat(99).map(free) },
  { weight: 1, arbitrary: fc.constantFrom(reads, waits) },
);
const use: fc.Arbitrary<Use> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ what: fc.constant('turn' as const), scope, state }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constantFrom('get' as const, 'peek', 'state'), scope }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constantFrom('freeze' as const, 'freeze', 'all') }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 99, 500, 2_000, 7_000),
    }),
  },
);

interface Known {
  readonly state: LockState;
  readonly since: number;
}

/** When it is over, or Infinity. */
function overOf({ state: { holders }, since }: Known): number {
  const [first] = holders;
  return first === undefined || first.leaseMs === 0 ? Number.POSITIVE_INFINITY : since + first.leaseMs * 1.01;
}

test('each scope is there once, as it was left, and due when it is over', () => {
  const met = { frozen: 0, due: 0, forgotten: 0 };
  fc.assert(
    fc.property(fc.array(use, { maxLength: 60, size: 'max' }), (uses) => {
      const shelf = new Shelf();
      shelf.forgets = true;
      const table = new Map<string, Known>();
      const turn = (name: string, to: LockState) => {
        shelf.turns(shelf.scopes.get(name), to);
        table.set(name, { state: to, since: shelf.now });
      };
      for (const one of uses) {
        switch (one.what) {
          case 'turn':
            turn(one.scope, one.state);
            break;
          case 'get':
            expect(shelf.scopes.get(one.scope).register.state).toEqual(
              table.get(one.scope)?.state ?? free(0),
            );
            if (!table.has(one.scope)) table.set(one.scope, { state: free(0), since: shelf.now });
            break;
          case 'peek':
          case 'state': {
            const entry = one.what === 'peek' ? shelf.scopes.peek(one.scope)?.register.state : undefined;
            const found = one.what === 'peek' ? entry : shelf.scopes.state(one.scope);
            if (found !== undefined) expect(found).toEqual(table.get(one.scope)!.state);
            else expect(isFree(table.get(one.scope)?.state ?? free(0))).toBe(true); // it is on disk only
            break;
          }
          case 'freeze':
            met.forgotten += shelf.scopes.forgetFree();
            met.frozen += SCOPES.length - shelf.warm(...SCOPES).length;
            break;
          case 'wait': {
            const until = shelf.now + one.ms;
            const over = [...table].filter(([, known]) => overOf(known) <= until);
            const due = over.map(([name, known]) => `${name} at ${overOf(known)}`);
            shelf.wait(one.ms, (entry) => {
              // A timer that was set for a former lease fires in vain, once.
              if (overOf(table.get(entry.scope)!) > shelf.now) shelf.handed.pop();
              else turn(entry.scope, free(7));
            });
            expect(shelf.due().sort()).toEqual(due.sort());
            met.due += due.length;
          }
        }
        const listed = [...shelf.scopes.all()];
        const names = listed.map(([name]) => name);
        expect([new Set(names).size, shelf.scopes.size]).toEqual([names.length, names.length]);
        for (const [name, register] of listed) {
          const known = table.get(name)!;
          expect(register.state).toEqual(known.state);
          expect(register.noted).toEqual(known.state.holders.map(() => known.since));
        }
        for (const [name, known] of table) {
          if (!isFree(known.state)) expect(names).toContain(name);
          expect(shelf.scopes.nextWake).toBeLessThanOrEqual(overOf(known));
        }
      }
    }),
    { numRuns: 300, seed: 8 },
  );
  expect(Math.min(met.frozen, met.due, met.forgotten)).toBeGreaterThan(200);
});
