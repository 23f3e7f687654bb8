import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap, type Timed } from '../../../src/peer/heap.ts';

interface Item extends Timed {
  readonly name: number;
}

const item = (name: number): Item => ({ name, at: 0, slot: -1 });

/** Few times, so that many are the same. */
const time = fc.oneof({ arbitrary: fc.nat(20), weight: 9 }, { arbitrary: fc.constant(Infinity), weight: 1 });
const action = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('set' as const), name: fc.nat(15), at: time }), weight: 6 },
  { arbitrary: fc.record({ kind: fc.constant('delete' as const), name: fc.nat(15), at: time }), weight: 2 },
  {
    arbitrary: fc.record({ kind: fc.constant('pop' as const), name: fc.nat(15), at: fc.nat(20) }),
    weight: 3,
  },
);

test('does what a list sorted anew each time would', () => {
  const property = fc.property(fc.array(action, { maxLength: 200, size: 'max' }), (actions) => {
    const heap = new Heap<Item>();
    const items = Array.from({ length: 16 }, (_, name) => item(name));
    const model = new Map<Item, number>();
    const first = () => Math.min(Infinity, ...model.values());
    for (const { kind, name, at } of actions) {
      const one = items[name]!;
      if (kind === 'set') {
        heap.set(one, at);
        if (at === Infinity) model.delete(one);
        else model.set(one, at);
      } else if (kind === 'delete') {
        heap.delete(one);
        model.delete(one);
      } else {
        const due = first();
        const popped = heap.pop(at);
        expect(popped !== undefined).toBe(due <= at && model.size > 0);
        if (popped !== undefined) {
          expect(model.get(popped)).toBe(due);
          model.delete(popped);
        }
      }
      if (heap.size !== model.size) throw new Error('size');
      if (heap.firstAt !== first()) throw new Error('first');
      const slots = [...model.keys()].map(({ slot }) => slot).sort((a, b) => a - b);
      if (!slots.every((slot, i) => slot === i)) throw new Error('slots');
      for (const each of items) {
        const fits = model.has(each) ? each.at === model.get(each) : each.slot === -1;
        if (!fits) throw new Error(`item ${each.name}`);
      }
    }
    const rest: number[] = [];
    for (let one = heap.pop(Infinity); one !== undefined; one = heap.pop(Infinity)) rest.push(one.at);
    expect(rest).toEqual([...model.values()].sort((a, b) => a - b));
  });
  fc.assert(property, { numRuns: 300 });
});

test('is empty at first', () => {
  const heap = new Heap<Item>();
  expect([heap.size, heap.firstAt, heap.pop(Infinity)]).toEqual([0, Infinity, undefined]);
  heap.delete(item(1));
  heap.set(item(1), Infinity);
  expect(heap.size).toBe(0);
});

test('gives nothing before it is due', () => {
  const heap = new Heap<Item>();
  const one = item(1);
  heap.set(one, 5);
  expect(heap.pop(4.999)).toBeUndefined();
  expect(heap.pop(5)).toBe(one);
});
