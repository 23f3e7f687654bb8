/** Two states in the words of a watcher: whatever lay between them, the facts lead from the one to the other. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { RETIRED_RING } from '../../../src/lock/ring.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { differenceOf } from '../../../src/peer/difference.ts';
import { play, scene } from '../lock/moves.ts';
import { AT, ended, held, id, NEW_LEASE, promoted, scope, unclaimed, waiter } from '../lock/scene.ts';
import { inWords, Retold } from './retold.ts';

test('whatever happens in between, the facts make of the first state the second', () => {
  fc.assert(
    fc.property(scene, fc.nat(100), fc.nat(100), ({ worn, moves }, from, length) => {
      const states = [...play(worn, moves)].map(({ after }) => after);
      const before = states[Math.min(from, states.length - 1)] ?? EMPTY;
      const after = states[Math.min(from + length, states.length - 1)] ?? before;
      const facts = differenceOf(before, after);
      const retold = new Retold(before);
      for (const fact of facts) retold.take(fact);
      expect(retold.picture).toBe(new Retold(after).picture);
      let token: number = before.token;
      for (const fact of facts) {
        if (fact.kind !== 'granted' && fact.kind !== 'promoted' && fact.kind !== 'converted') continue;
        expect(fact.token).toBeGreaterThan(token);
        token = fact.token;
      }
      const endings = facts.filter(({ ending }) => ending !== null).map(({ lockId }) => lockId);
      const ended = after.retired.newest(after.retirements - before.retirements);
      expect(endings).toEqual(ended.map(({ lockId }) => lockId));
    }),
    { numRuns: 300 },
  );
});

const A = id('a');
const B = id('b');
const C = id('c');

/** What is told of these events by comparing. */
function told(before: LockState, ...events: LockEvent[]): string[] {
  return inWords(differenceOf(before, evolveAll(before, events)));
}

describe('what is told of the past', () => {
  test('nothing of what did not change', () => {
    const state = scope({ holders: [held(A, 'write', 41)], waits: [waiter(B, 1)] });
    expect(told(state)).toEqual([]);
  });

  test('a hand-off, and one that came and went in it', () => {
    const state = scope({ holders: [held(A, 'write', 41)], waits: [waiter(B, 1), waiter(C, 2)] });
    const events = [ended(A, 'released'), promoted(B, 42), ended(B, 'expired'), promoted(C, 43)];
    expect(told(state, ...events)).toEqual([
      'released a 41',
      'promoted b 42',
      'expired b 42',
      'promoted c 43',
    ]);
  });

  test('one that came and went unseen is told by its end, before which it was granted', () => {
    const grant = held(B, 'write', 42);
    const facts = differenceOf(EMPTY, evolveAll(EMPTY, [{ kind: 'granted', grant }, ended(B, 'released')]));
    expect(inWords(facts)).toEqual(['granted b 42', 'released b 42']);
    expect(facts.map(({ of }) => of)).toEqual([null, null]);
  });

  test('an extension, a claim, a conversion', () => {
    const state = scope({
      holders: [held(A, 'read', 40), unclaimed(waiter(B, 1, { mode: 'read' }), 41), held(C, 'read', 39)],
    });
    expect(
      told(
        state,
        { kind: 'extended', lockId: A, leaseMs: 9, leaseId: NEW_LEASE },
        { kind: 'claimed', lockId: B, leaseId: NEW_LEASE, at: AT },
        { kind: 'converted', lockId: C, mode: 'read', token: 42 as never, gateway: null },
      ),
    ).toEqual(['converted c 42', 'extended a 40', 'claimed b 41']);
  });

  test('a promotion that was not claimed, and the next one of the same place', () => {
    const state = scope({ holders: [unclaimed(waiter(A, 1), 41)] });
    const back = [{ kind: 'parked', lockId: A } as const];
    expect(told(state, ...back)).toEqual(['kept a']);
    const again = { kind: 'moved', lockId: A, gateway: waiter(A, 1).gateway, repeat: 1 } as const;
    expect(told(state, ...back, again)).toEqual(['queued a']);
    expect(told(state, ...back, again, promoted(A, 42))).toEqual(['promoted a 42']);
  });

  test('a place that was not there before is told to wait before it is told to be kept', () => {
    expect(told(EMPTY, { kind: 'queued', waiter: waiter(A, 1) }, { kind: 'parked', lockId: A })).toEqual([
      'queued a',
      'kept a',
    ]);
  });

  test('waiters in the order in which they came', () => {
    const queued = (lockId: string, arrival: number) =>
      ({ kind: 'queued', waiter: waiter(id(lockId), arrival) }) as const;
    expect(told(EMPTY, queued('z', 1), queued('m', 2), queued('a', 3))).toEqual([
      'queued z',
      'queued m',
      'queued a',
    ]);
  });

  test('what the ring has forgotten has ended somehow', () => {
    const state = scope({ holders: [held(A, 'write', 41)], waits: [waiter(B, 1)], parked: [waiter(C, 2)] });
    const many = Array.from({ length: RETIRED_RING }, (_, i) => ended(id(`x${i}`), 'cancelled'));
    const facts = told(state, ended(A, 'released'), ended(B, 'cancelled'), ended(C, 'crashed'), ...many);
    expect(facts.slice(0, 4)).toEqual([
      'ended somehow a 41',
      'ended somehow b',
      'ended somehow c',
      'cancelled x0',
    ]);
    expect(facts.length).toBe(3 + RETIRED_RING);
  });
});
