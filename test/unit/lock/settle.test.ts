/** Who is granted in the very change that frees a semaphore's permits (L3, L10), and how long it is one. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll } from '../../../src/lock/event.ts';
import { inOrder } from '../../../src/lock/queue.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { values } from '../../../src/lock/tree.ts';
import {
  AT,
  AWAY,
  acquire,
  ended,
  GATEWAY,
  id,
  LAST,
  LEASE,
  lease,
  NEW_LEASE,
  of,
  permit,
  promoted,
  scope,
  session,
  unclaimed,
  waiter,
} from './scene.ts';

const S = session('s');
const sweep = (who = S) => ({ kind: 'sweep', session: who, at: AT }) as const;
const release = (name: string) =>
  ({ kind: 'release', lockId: id(name), gateway: null, force: null, at: AT }) as const;
const waits = (name: string, arrival: number, more = {}) => waiter(id(name), arrival, { ...of(4), ...more });
const has = (name: string, slot: number, more = {}) => permit(id(name), 4, slot, 20 + slot, more);
/** Granted, and yet to be claimed. */
const pending = (name: string, slot: number, arrival: number, more = {}) =>
  unclaimed(waits(name, arrival, more), 20 + slot, { slot });

function apply(state: LockState, ...commands: readonly Command[]): LockState {
  let next = state;
  for (const command of commands) next = evolveAll(next, decide(next, command, NEW_LEASE).events);
  return next;
}

const slots = ({ holders }: LockState) =>
  Object.fromEntries(holders.map(({ lockId, slot }) => [lockId, slot]));
const queue = (state: LockState) => inOrder(state.queue, 99).map(({ lockId }) => lockId);
const away = (state: LockState) => [...values(state.parked)].map(({ lockId }) => lockId);

describe('what frees permits grants them to the head of the queue in the same change', () => {
  const inS = { session: S };
  const full = [has('d', 3, inS), has('b', 1), has('a', 0, inS), has('c', 2)];

  test('two at once, the lowest slot to the first', () => {
    const state = scope({ holders: full, waits: [waits('w1', 1), waits('w2', 2), waits('w3', 3)] });
    const { outcome, events } = decide(state, sweep(), NEW_LEASE);
    expect(outcome).toEqual({ kind: 'swept' });
    expect(events).toEqual([
      ended(id('d'), 'crashed'),
      ended(id('a'), 'crashed'),
      promoted(id('w1'), LAST + 1, GATEWAY, 0),
      promoted(id('w2'), LAST + 2, GATEWAY, 3),
    ]);
    const next = evolveAll(state, events);
    expect(slots(next)).toEqual({ b: 1, c: 2, w1: 0, w2: 3 });
    expect([next.token, queue(next)]).toEqual([LAST + 2, ['w3']]);
  });

  test('no more than wait', () => {
    const state = scope({ holders: full, waits: [waits('w1', 1)] });
    expect(slots(apply(state, sweep()))).toEqual({ b: 1, c: 2, w1: 0 });
  });

  test('in the order of classes, not of arrival', () => {
    const high = waits('w2', 2, { priority: 'high' });
    const state = scope({ holders: full, waits: [waits('w1', 1), high, waits('w3', 3)] });
    expect(slots(apply(state, sweep()))).toEqual({ b: 1, c: 2, w2: 0, w1: 3 });
  });

  test('past nobody who was overtaken sixteen times', () => {
    const low = waits('low', 1, { priority: 'low' });
    const state = scope({ holders: full, waits: [low, waits('w2', 2), waits('w3', 3)] });
    expect(slots(apply(state, release('c')))).toEqual({ a: 0, b: 1, w2: 2, d: 3 });
    const risen = scope({ holders: full, waits: [low, waits('w2', 85)], passed: Array(16).fill(80) });
    expect(slots(apply(risen, release('c')))).toEqual({ a: 0, b: 1, low: 2, d: 3 });
  });

  test.each<[string, Command]>([
    ['a release', release('b')],
    ['a release by force', { ...release('b'), force: { by: 'ops', reason: 'stuck' } }],
    ['an expiry', { kind: 'expire', lockId: id('b'), leaseId: LEASE, at: AT }],
  ])('%s', (_, command) => {
    const state = scope({ holders: full, waits: [waits('w1', 1, { session: session('t') })] });
    const next = apply(state, command);
    expect(slots(next)).toEqual({ a: 0, w1: 1, c: 2, d: 3 });
    expect(next.holders.at(-1)).toEqual(
      permit(id('w1'), 4, 1, LAST + 1, {
        session: session('t'),
        leaseMs: 30_000,
        leaseId: NEW_LEASE,
        at: AT,
      }),
    );
  });

  test('all of them to a queue that waited for as many', () => {
    const dying = [3, 1, 0, 2].map((slot) => has(`old ${slot}`, slot, inS));
    const crowd = [1, 2, 3, 4, 5].map((arrival) => waits(`w${arrival}`, arrival));
    const next = apply(scope({ holders: dying, waits: crowd }), sweep());
    expect(slots(next)).toEqual({ w1: 0, w2: 1, w3: 2, w4: 3 });
    expect(queue(next)).toEqual(['w5']);
  });
});

describe('a place that is taken up again', () => {
  const back = acquire({ ...of(4), lockId: id('k'), holder: 'holder of k', wait: true, gateway: AWAY });

  test('is granted at once if a slot is free, the lowest', () => {
    const state = scope({ holders: [has('b', 1), has('d', 3)], parked: [waits('k', 1)] });
    const { outcome, events } = decide(state, back, NEW_LEASE);
    expect(events.slice(1)).toEqual([promoted(id('k'), LAST + 1, AWAY, 0)]);
    expect(outcome).toMatchObject({ kind: 'granted', repeat: true, grant: { slot: 0, token: LAST + 1 } });
  });

  test('waits ahead of who came later if none is', () => {
    const holders = [has('a', 0), has('b', 1), has('c', 2), has('d', 3)];
    const state = scope({ holders, parked: [waits('k', 1)], waits: [waits('w', 5)] });
    const next = apply(state, back);
    expect(queue(next)).toEqual(['k', 'w']);
    expect(slots(apply(next, release('c')))).toEqual({ a: 0, b: 1, k: 2, d: 3 });
  });
});

describe('permits that nobody claimed', () => {
  const holders = [
    pending('x', 2, 1),
    has('b', 1),
    pending('y', 0, 2),
    pending('z', 3, 3, { gateway: AWAY }),
  ];
  const state = scope({ holders, waits: [waits('w1', 4, { gateway: AWAY }), waits('w2', 5)] });

  test('go back with the gateway, and their slots to who waits elsewhere', () => {
    for (const command of [
      sweep(GATEWAY),
      { kind: 'expire', lockId: id('x'), leaseId: LEASE, at: AT } as const,
    ]) {
      const { events } = decide(state, command, NEW_LEASE);
      expect(events).toEqual([{ kind: 'deserted', gateway: GATEWAY }, promoted(id('w1'), LAST + 1, AWAY, 0)]);
      const next = evolveAll(state, events);
      expect(slots(next)).toEqual({ w1: 0, b: 1, z: 3 });
      expect([away(next), queue(next)]).toEqual([['w2', 'x', 'y'], []]);
    }
  });

  test('one by one, if their clients are away', () => {
    const next = apply(state, { kind: 'park', lockId: id('x'), gateway: GATEWAY, at: AT });
    expect(slots(next)).toEqual({ y: 0, b: 1, w1: 2, z: 3 });
    expect([away(next), queue(next)]).toEqual([['x'], ['w2']]);
  });

  test('keep slot and token when they are claimed, or extended', () => {
    const claim = { kind: 'claim', lockId: id('x'), gateway: GATEWAY, at: AT } as const;
    const extend = { kind: 'extend', lockId: id('y'), leaseMs: 50_000, replaces: null } as const;
    const next = apply(state, claim, extend);
    expect(slots(next)).toEqual(slots(state));
    expect(next.holders.map(({ token, unclaimed }) => [token, unclaimed === null])).toEqual([
      [22, true],
      [21, true],
      [20, true],
      [23, false],
    ]);
  });
});

describe('a scope is a semaphore of as many permits as its first acquire said', () => {
  const take = (name: string, how = {}) =>
    acquire({ lockId: id(name), holder: 'the same', seen: 0, wait: true, ...how });
  const asked = (state: LockState, how: object) => decide(state, take('another', how), lease('l')).outcome;

  test('for one holder name as for many', () => {
    const state = apply(EMPTY, take('a', of(2)), take('b', of(2)), take('c', of(2)));
    expect(slots(state)).toEqual({ a: 0, b: 1 });
    expect(state.holders.map(({ holder, token }) => [holder, token])).toEqual([
      ['the same', 1],
      ['the same', 2],
    ]);
    expect(queue(state)).toEqual(['c']);
  });

  test('until nobody holds, waits or is kept a place', () => {
    const state = apply(EMPTY, take('a', of(1)), take('b', of(1)));
    const parked = apply(state, { kind: 'park', lockId: id('b'), gateway: GATEWAY, at: AT });
    const kept = apply(parked, release('a'));
    expect([slots(kept), queue(kept), away(kept)]).toEqual([{}, [], ['b']]);
    for (const one of [state, parked, kept]) {
      expect(asked(one, of(2))).toEqual({ kind: 'misfit', permits: 1 });
      expect(asked(one, { mode: 'write' })).toEqual({ kind: 'misfit', permits: 1 });
    }
    const free = apply(kept, { kind: 'reap', lockId: id('b'), at: AT });
    expect(asked(free, of(5))).toMatchObject({ kind: 'granted', grant: { slot: 0, token: 2, permits: 5 } });
    expect(asked(free, { mode: 'read' })).toMatchObject({
      kind: 'granted',
      grant: { permits: 0, token: 2 },
    });
  });

  test('and a lock until then', () => {
    const state = apply(EMPTY, take('r', { mode: 'read' }), take('w', { holder: 'another' }));
    const written = apply(state, release('r'));
    for (const one of [state, written]) expect(asked(one, of(1))).toEqual({ kind: 'misfit', permits: 0 });
    expect(asked(apply(written, release('w')), of(3))).toMatchObject({ kind: 'granted', grant: { slot: 0 } });
  });
});
