/** A register as one short text, and back (cold.ts): nothing is lost but less than a millisecond of age. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NOBODY } from '../../../src/lock/queue.ts';
import { Ring } from '../../../src/lock/ring.ts';
import { EMPTY, isFree } from '../../../src/lock/state.ts';
import { type Figures, freeze, thaw } from '../../../src/peer/cold.ts';
import { overAt, type Register } from '../../../src/vote/acceptor.ts';
import { leaseIdOf } from '../../../src/vote/ballot.ts';
import { ballot, register as stored } from '../arbitraries.ts';
import { held, id, lease, permit, scope, unclaimed, waiter } from '../lock/scene.ts';

const millis = fc.oneof(fc.nat(300_000), fc.double({ min: 0, max: 1e9, noNaN: true })).map((ms) => ms + 0);
const figures: fc.Arbitrary<Figures> = fc.tuple(fc.nat(), fc.nat(), fc.nat(), millis);
const second = fc.oneof(fc.constant(-1), fc.nat());

/** Nobody waits for it. Some of its leases were set by its newest change. */
const register: fc.Arbitrary<Register> = fc
  .record({
    stored,
    other: fc.option(ballot),
    noted: fc.array(millis, { minLength: 3, maxLength: 3 }),
    newest: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  })
  .map(({ stored: { ballot, version, state }, other, noted, newest }) => {
    const own = leaseIdOf(ballot, version);
    const holders = state.holders.map((grant, i) => (newest[i] ? { ...grant, leaseId: own } : grant));
    const rests =
      state === EMPTY ? EMPTY : { ...state, holders, queue: NOBODY, parked: undefined, upgrade: null };
    const promised = other ?? ballot;
    return { promised, ballot, version, state: rests, noted: noted.slice(0, holders.length), write: 7 };
  });

describe('whatever it holds', () => {
  test('comes back as it was, to a millisecond of age, and as something on disk', () => {
    fc.assert(
      fc.property(register, figures, second, (frozen, its, due) => {
        const back = thaw(freeze(frozen, its, due));
        const noted = frozen.noted.map((at) => Math.ceil(at));
        expect(back).toEqual({ register: { ...frozen, noted, write: 0 }, figures: its, due });
        expect(isFree(back.register.state)).toBe(isFree(frozen.state));
      }),
      { numRuns: 1_000 },
    );
  });

  test('no lease ends sooner than it would have, nor a millisecond later', () => {
    fc.assert(
      fc.property(register, (frozen) => {
        const back = thaw(freeze(frozen, [0, 0, 0, 0], -1)).register;
        for (let i = 0; i < frozen.noted.length; i++) {
          if (overAt(frozen, i) === Number.POSITIVE_INFINITY) continue;
          expect(back.noted[i]).toBeGreaterThanOrEqual(frozen.noted[i]!);
          expect(back.noted[i]! - frozen.noted[i]!).toBeLessThanOrEqual(1);
          expect(overAt(back, i)).toBeGreaterThanOrEqual(overAt(frozen, i));
        }
      }),
    );
  });

  test('is touched by it no more than by being looked at, and is the same text again', () => {
    fc.assert(
      fc.property(register, (frozen) => {
        const before = structuredClone(frozen);
        const text = freeze(frozen, [1, 2, 3, 4.5], 9);
        expect(frozen).toEqual(before);
        expect(freeze(thaw(text).register, [1, 2, 3, 4.5], 9)).toBe(text);
      }),
    );
  });
});

const B = { round: 12, peer: '0123456789abcdef', boot: 123_456_789_012 };
const OWN = leaseIdOf(B, 41);
const LOCK = id('0199a3f2-1c2d-7abc-8def-0123456789ab');
const typical = held(LOCK, 'write', 1, {
  holder: 'p1-82398c57c2-1',
  reason: null,
  leaseId: OWN,
  at: 1_790_000_000_000,
});
const state = { ...EMPTY, token: typical.token, holders: [typical] };
const lock: Register = { promised: B, ballot: B, version: 41, state, noted: [1_234.5], write: 3 };
const NO_FIGURES: Figures = [0, 0, 0, 0];

describe('what it takes', () => {
  test('a lock as most are: much less than 400 characters, each of one byte', () => {
    const text = freeze(lock, NO_FIGURES, 1_700);
    expect(text.length).toBeLessThan(250);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
  });

  test('one that many held before it: its lock ids, and little more', () => {
    const retired = Array.from({ length: 64 }, (_, i) => {
      return { lockId: id(`${LOCK.slice(0, -2)}${i + 10}`), ending: 'released', token: i, note: null };
    });
    const worn = { ...lock, state: { ...state, retired: Ring.of(retired as never), retirements: 64 } };
    expect(freeze(worn, NO_FIGURES, 1_700).length).toBeLessThan(64 * (LOCK.length + 10) + 250);
  });

  test('the lease that its newest change has set is not written; others are', () => {
    expect(freeze(lock, NO_FIGURES, -1)).not.toContain(OWN);
    const older = leaseIdOf(B, 40);
    const holders = [{ ...typical, mode: 'read' as const }, held(id('r'), 'read', 1, { leaseId: older })];
    const text = freeze({ ...lock, noted: [1, 2], state: { ...state, holders } }, NO_FIGURES, -1);
    expect([text.includes(OWN), text.includes(older)]).toEqual([false, true]);
    const { holders: back } = thaw(text).register.state;
    expect(back.map(({ leaseId }) => leaseId)).toEqual([OWN, older]);
  });

  test('a lease of the same version in another ballot is another lease', () => {
    const others = lease(leaseIdOf({ ...B, boot: 1 }, 41));
    const holders = [{ ...typical, leaseId: others }];
    const back = thaw(freeze({ ...lock, state: { ...state, holders } }, NO_FIGURES, -1));
    expect(back.register.state.holders[0]!.leaseId).toBe(others);
  });

  test('a promise is written only where it is another ballot than the accepted one', () => {
    const promised = { ...B, round: 13 };
    const same = freeze(lock, NO_FIGURES, -1);
    const other = freeze({ ...lock, promised }, NO_FIGURES, -1);
    expect([same.split(B.peer).length, other.split(B.peer).length]).toEqual([2, 3]);
    expect([thaw(same).register.promised, thaw(other).register.promised]).toEqual([B, promised]);
  });
});

test('permits keep their slots, and a promotion that was not claimed its place', () => {
  const waits = waiter(id('w'), 7, { reason: 'ünd so', session: 's' as never });
  for (const holders of [
    [permit(id('a'), 3, 2, 5), permit(id('b'), 3, 0, 6)],
    [unclaimed(waits, 41)],
    [unclaimed(waiter(id('p'), 7, { mode: 'permit', permits: 3 }), 41, { permits: 3, slot: 1 })],
  ]) {
    const rests = scope({ holders });
    const noted = holders.map((_, i) => i);
    const back = thaw(freeze({ ...lock, state: rests, noted }, NO_FIGURES, -1)).register;
    expect(back.state).toEqual(rests);
  }
});
