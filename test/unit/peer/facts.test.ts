/** Events in the words of a watcher: each change of who holds, waits or is kept is told once, with whom it concerned. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/lock/decide.ts';
import { EMPTY } from '../../../src/lock/state.ts';
import { factsOf } from '../../../src/peer/facts.ts';
import { play, scene } from '../lock/moves.ts';
import {
  AT,
  AWAY,
  acquire,
  ended,
  GATEWAY,
  held,
  id,
  NEW_LEASE,
  promoted,
  scope,
  session,
  unclaimed,
  waiter,
} from '../lock/scene.ts';
import { inWords, Retold } from './retold.ts';

test('whatever happens, the facts make of each state the next', () => {
  fc.assert(
    fc.property(scene, ({ worn, moves }) => {
      let token = -1;
      for (const { before, events, after } of play(worn, moves)) {
        const facts = factsOf(before, events);
        const retold = new Retold(before);
        for (const fact of facts) retold.take(fact);
        expect(retold.picture).toBe(new Retold(after).picture);
        // Every token and every ending is told, in order.
        const tokens = facts.filter(({ kind }) => ['granted', 'promoted', 'converted'].includes(kind));
        for (const fact of tokens) {
          expect(fact.token).toBeGreaterThan(token);
          token = fact.token;
        }
        expect(tokens.length).toBe(after.token - before.token);
        const endings = facts
          .filter(({ kind }) => kind === 'ended')
          .map(({ lockId, ending }) => [lockId, ending]);
        const count = after.retirements - before.retirements;
        expect(endings.length).toBe(count);
        const ring = [...after.retired].map(({ lockId, ending }) => [lockId, ending]);
        expect(endings.slice(-ring.length || undefined).slice(-count || undefined)).toEqual(
          count === 0 ? [] : ring.slice(-count),
        );
      }
    }),
  );
});

const A = id('a');
const B = id('b');

describe('a fact tells whom it concerned', () => {
  test('a grant and a place, as they are then', () => {
    const { events } = decide(EMPTY, acquire({ lockId: A, holder: 'alice', reason: 'why' }), NEW_LEASE);
    expect(factsOf(EMPTY, events)).toMatchObject([
      { kind: 'granted', lockId: 'a', token: 1, of: { holder: 'alice', reason: 'why', leaseId: NEW_LEASE } },
    ]);
  });

  test('an ending: the lock or the place as it was', () => {
    const state = scope({ holders: [held(A, 'write', 41)], waits: [waiter(B, 1)] });
    const facts = factsOf(state, [ended(A, 'forced', 'x: y'), ended(B, 'cancelled')]);
    expect(facts).toMatchObject([
      { kind: 'ended', token: 41, of: { lockId: 'a', token: 41 }, ending: 'forced', note: 'x: y' },
      { kind: 'ended', token: 0, of: { lockId: 'b', arrival: 1 }, ending: 'cancelled', note: null },
    ]);
  });

  test('the end of what was never there has nobody', () => {
    expect(factsOf(EMPTY, [ended(A, 'cancelled')])).toMatchObject([{ kind: 'ended', of: null, token: 0 }]);
  });

  test('promotions in a row, each with its own grant', () => {
    const state = scope({ waits: [waiter(A, 1, { mode: 'read' }), waiter(B, 2, { mode: 'read' })] });
    const facts = factsOf(state, [promoted(A, 42), promoted(B, 43)]);
    expect(inWords(facts)).toEqual(['promoted a 42', 'promoted b 43']);
    expect(facts.map(({ of }) => of?.holder)).toEqual([waiter(A, 1).holder, waiter(B, 2).holder]);
  });

  test('a place that is counted to another gateway is no news; one that is taken up again is', () => {
    const moved = { kind: 'moved', lockId: A, gateway: AWAY, repeat: 1 } as const;
    expect(factsOf(scope({ waits: [waiter(A, 1)] }), [moved])).toEqual([]);
    expect(inWords(factsOf(scope({ parked: [waiter(A, 1)] }), [moved]))).toEqual(['queued a']);
  });

  test('all places of a gateway that is dead are kept, and its upgrade is over', () => {
    const state = scope({
      holders: [held(A, 'read', 40), held(id('c'), 'read', 41)],
      waits: [waiter(B, 1), waiter(id('d'), 2, { gateway: AWAY })],
      upgrade: { lockId: A, gateway: GATEWAY },
    });
    const facts = factsOf(state, [{ kind: 'deserted', gateway: GATEWAY }]);
    expect(inWords(facts)).toEqual(['stays a 40', 'kept b']);
  });

  test('what was not claimed is kept a place', () => {
    const state = scope({ holders: [unclaimed(waiter(A, 1), 41)] });
    expect(inWords(factsOf(state, [{ kind: 'parked', lockId: A }]))).toEqual(['kept a']);
    expect(inWords(factsOf(state, [{ kind: 'claimed', lockId: A, leaseId: NEW_LEASE, at: AT }]))).toEqual([
      'claimed a 41',
    ]);
  });

  test('an event about nobody tells nothing', () => {
    for (const kind of ['parked', 'extended', 'claimed'] as const) {
      const event = { kind, lockId: A, leaseId: NEW_LEASE, leaseMs: 1, at: AT };
      expect(factsOf(EMPTY, [event])).toEqual([]);
    }
    expect(factsOf(EMPTY, [{ kind: 'deserted', gateway: session('g') }])).toEqual([]);
  });
});
