/** The queue beside a list that is walked and sorted anew for every question, with a counter for each who waits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  aheadOf,
  classOf,
  everybody,
  findWaiter,
  inOrder,
  join,
  leave,
  lengthOf,
  NOBODY,
  nextOf,
  overtake,
  PASSED_MAX,
  type Queue,
} from '../../../src/lock/queue.ts';
import type { LockId, Priority, Waiter } from '../../../src/lock/state.ts';
import { waiter as base } from './scene.ts';

const STRENGTH: Record<Priority, number> = { high: 0, normal: 1, low: 2 };
const priority = fc.constantFrom<Priority>('high', 'normal', 'low');

type Step =
  | { readonly kind: 'comes'; readonly priority: Priority; readonly times: number }
  /** Comes and is granted at once, ahead of whoever waits. */
  | { readonly kind: 'passes'; readonly times: number }
  /** The next is granted, for good or until it comes back to its place. */
  | { readonly kind: 'next' | 'in vain'; readonly times: number }
  /** Whoever is at that place of the list goes, for good or until it comes back. */
  | { readonly kind: 'goes' | 'away'; readonly at: number }
  | { readonly kind: 'back'; readonly at: number };

const times = fc.oneof(fc.constant(1), fc.nat(20));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('comes' as const), priority, times }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('passes' as const), times }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('next' as const, 'in vain' as const), times }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('goes' as const, 'away' as const), at: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('back' as const), at: fc.nat() }) },
);

class List {
  readonly line: { readonly one: Waiter; overtaken: number }[] = [];
  readonly absent: Waiter[] = [];
  /** Grants that came after somebody who waits. */
  granted: number[] = [];
  arrivals = 0;

  get sorted() {
    const key = ({ one, overtaken }: (typeof this.line)[number]) =>
      this.rise(one.priority, overtaken) * 1e9 + one.arrival;
    return [...this.line].sort((a, b) => key(a) - key(b));
  }

  rise(priority: Priority, overtaken: number): number {
    let strength = STRENGTH[priority];
    for (let left = overtaken; left >= 16 && strength > 0; left -= 16) strength--;
    return strength;
  }

  /** As somebody who is not in the line would stand in it. */
  remembered(arrival: number): number {
    return this.granted.filter((later) => later > arrival).length;
  }

  grant(arrival: number): void {
    for (const place of this.line) if (place.one.arrival < arrival) place.overtaken++;
    this.granted.push(arrival);
    this.forget();
  }

  /** Out of the line, who is not granted. */
  take(index: number): Waiter {
    const { one } = this.line.splice(index, 1)[0]!;
    this.forget();
    return one;
  }

  forget(): void {
    this.granted = this.granted.filter((later) => this.line.some(({ one }) => one.arrival < later));
  }
}

function check(queue: Queue, list: List): void {
  const { sorted } = list;
  const order = sorted.map(({ one }) => one);
  expect(inOrder(queue, 1_000)).toEqual(order);
  expect(inOrder(queue, 3)).toEqual(order.slice(0, 3));
  expect(nextOf(queue)).toBe(order[0]);
  expect(lengthOf(queue)).toBe(order.length);
  expect(new Set(everybody(queue))).toEqual(new Set(order));
  expect(queue === NOBODY).toBe(order.length === 0);
  expect(queue.passed.length).toBeLessThanOrEqual(PASSED_MAX);
  for (const [i, { one, overtaken }] of sorted.entries()) {
    expect(findWaiter(queue, one.lockId)).toBe(one);
    expect(classOf(queue, one.priority, one.arrival)).toBe(list.rise(one.priority, overtaken));
    expect(aheadOf(queue, one.priority, one.arrival)).toBe(i);
  }
  const strangers = [list.arrivals + 1, ...list.absent.map(({ arrival }) => arrival)];
  for (const arrival of strangers) {
    for (const wanted of ['high', 'normal', 'low'] as const) {
      const strength = list.rise(wanted, list.remembered(arrival));
      const ahead = sorted.filter(({ one, overtaken }) => {
        const its = list.rise(one.priority, overtaken);
        return its < strength || (its === strength && one.arrival < arrival);
      });
      expect(aheadOf(queue, wanted, arrival)).toBe(ahead.length);
    }
  }
}

describe('a queue beside a list', () => {
  test('has the same order, places and next one, after every step', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const list = new List();
        let queue = NOBODY;
        for (const one of steps) {
          for (let time = 0; time < ('times' in one ? one.times : 1); time++) queue = take(one, queue, list);
          check(queue, list);
          for (const { one, overtaken } of list.line) {
            if (overtaken >= 16) met.add(`${one.priority} overtaken ${overtaken >= 32 ? 'twice ' : ''}often`);
          }
        }
      }),
      { numRuns: 150, seed: 1 },
    );
    expect([...met].sort()).toEqual([
      'high overtaken often',
      'high overtaken twice often',
      'low overtaken often',
      'low overtaken twice often',
      'normal overtaken often',
      'normal overtaken twice often',
    ]);
  });

  function take(step: Step, queue: Queue, list: List): Queue {
    switch (step.kind) {
      case 'comes': {
        const arrival = ++list.arrivals;
        const one = base(`w${arrival}` as LockId, arrival, { priority: step.priority });
        list.line.push({ one, overtaken: 0 });
        return join(queue, one);
      }
      case 'passes': {
        if (list.line.length === 0) return queue;
        const arrival = ++list.arrivals;
        list.grant(arrival);
        return overtake(queue, arrival);
      }
      case 'next':
      case 'in vain': {
        const next = list.sorted[0];
        if (next === undefined) return queue;
        list.take(list.line.indexOf(next));
        list.grant(next.one.arrival);
        if (step.kind === 'in vain') list.absent.push(next.one);
        return overtake(leave(queue, next.one), next.one.arrival);
      }
      case 'goes':
      case 'away': {
        if (list.line.length === 0) return queue;
        const gone = list.take(step.at % list.line.length);
        if (step.kind === 'away') list.absent.push(gone);
        return leave(queue, gone);
      }
      case 'back': {
        if (list.absent.length === 0) return queue;
        const one = list.absent.splice(step.at % list.absent.length, 1)[0]!;
        list.line.push({ one, overtaken: list.remembered(one.arrival) });
        return join(queue, one);
      }
    }
  }
});

describe('sixteen times overtaken', () => {
  const crowd = (...waiters: Waiter[]) => waiters.reduce(join, NOBODY);
  const low = base('low' as LockId, 1, { priority: 'low' });
  const high = base('high' as LockId, 100, { priority: 'high' });
  const normal = base('normal' as LockId, 99, { priority: 'normal' });

  test.each([
    [0, ['high', 'normal', 'low']],
    [15, ['high', 'normal', 'low']],
    [16, ['high', 'low', 'normal']],
    [31, ['high', 'low', 'normal']],
    [32, ['low', 'high', 'normal']],
    [99, ['low', 'high', 'normal']],
  ])('after %i later ones: %j', (times, order) => {
    let queue = crowd(low, normal, high);
    for (let i = 0; i < times; i++) queue = overtake(queue, 2 + (i % 90));
    expect(inOrder(queue, 9).map(({ lockId }) => lockId)).toEqual(order);
  });

  test('one that came before overtakes nobody', () => {
    let queue = crowd(normal, high);
    for (let i = 0; i < 40; i++) queue = overtake(queue, 50);
    expect(queue.passed).toEqual([]);
  });
});
