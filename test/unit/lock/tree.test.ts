/** Trees beside plain arrays that are sorted each time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  first,
  get,
  type Node,
  rank,
  remove,
  set,
  sizeOf,
  type Tree,
  values,
} from '../../../src/lock/tree.ts';
import { entriesOf } from './same.ts';

type Numbers = Tree<number, string>;

interface Step {
  readonly key: number;
  readonly value: string | null;
}

/** Few keys, so that they meet; in a run, as arrivals come; or all over the place. */
const key = fc.oneof(fc.nat(30), fc.nat(100_000));
const steps = fc.oneof(
  fc.array(fc.record({ key, value: fc.option(fc.string(), { freq: 2 }) }), { maxLength: 200, size: 'max' }),
  fc.nat(400).map((n) => Array.from({ length: n }, (_, i): Step => ({ key: i, value: `${i}` }))),
  fc.nat(400).map((n) => Array.from({ length: n }, (_, i): Step => ({ key: n - i, value: `${i}` }))),
  fc
    .nat(200)
    .map((n) =>
      Array.from(
        { length: 2 * n },
        (_, i): Step => (i < n ? { key: i, value: '' } : { key: i - n, value: null }),
      ),
    ),
);

function step(tree: Numbers, { key, value }: Step): Numbers {
  return value === null ? remove(tree, key) : set(tree, key, value);
}

function* sidesOf(tree: Numbers): Generator<[number, number]> {
  if (tree === undefined) return;
  yield [sizeOf(tree.left) + 1, sizeOf(tree.right) + 1];
  yield* sidesOf(tree.left);
  yield* sidesOf(tree.right);
}

describe('a tree beside a sorted array', () => {
  test('holds the same entries in the same order, and answers alike', () => {
    fc.assert(
      fc.property(steps, fc.array(key, { maxLength: 5 }), (all, probes) => {
        let tree: Numbers;
        const naive = new Map<number, string>();
        for (const one of all) {
          const before = tree;
          const was = all.length < 60 ? entriesOf(before) : undefined;
          tree = step(tree, one);
          if (was !== undefined) expect(entriesOf(before)).toEqual(was);
          if (one.value === null && !naive.has(one.key)) expect(tree).toBe(before);
          if (one.value === null) naive.delete(one.key);
          else naive.set(one.key, one.value);
          expect(sizeOf(tree)).toBe(naive.size);
        }
        const sorted = [...naive].sort(([a], [b]) => a - b);
        expect(entriesOf(tree)).toEqual(sorted);
        expect([...values(tree)]).toEqual(sorted.map(([, value]) => value));
        expect(first(tree)).toBe(sorted[0]?.[1]);
        for (const probe of [...probes, ...sorted.map(([at]) => at)]) {
          expect(get(tree, probe)).toBe(naive.get(probe));
          expect(rank(tree, probe)).toBe(sorted.filter(([at]) => at < probe).length);
        }
        expect(rank(tree, Number.NEGATIVE_INFINITY)).toBe(0);
        expect(rank(tree, Number.POSITIVE_INFINITY)).toBe(sorted.length);
      }),
    );
  });

  test('neither side of any node is more than three times as heavy as the other, and sizes are right', () => {
    fc.assert(
      fc.property(steps, (all) => {
        let tree: Numbers;
        for (const one of all) tree = step(tree, one);
        for (const [left, right] of sidesOf(tree)) {
          expect(left).toBeLessThanOrEqual(3 * right);
          expect(right).toBeLessThanOrEqual(3 * left);
        }
        expect(sizeOf(tree)).toBe(entriesOf(tree).length);
      }),
    );
  });

  test('texts are in the order of <, whatever their letters', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 60 }), (texts) => {
        let tree: Tree<string, string>;
        for (const text of texts) tree = set(tree, text, text);
        expect([...values(tree)]).toEqual([...new Set(texts)].sort());
      }),
    );
  });
});

test('a change of 10,000 entries makes a path of new nodes and keeps all others', () => {
  let tree: Numbers;
  for (let i = 0; i < 10_000; i++) tree = set(tree, i * 2, `${i}`);
  const old = new Set(nodesOf(tree));
  for (const key of [-1, 0, 9_999, 10_000, 19_998, 19_999]) {
    for (const changed of [set(tree, key, 'new'), remove(tree, key)]) {
      const made = nodesOf(changed).filter((node) => !old.has(node)).length;
      expect(made).toBeLessThanOrEqual(40);
    }
  }
});

function nodesOf(tree: Numbers): Node<number, string>[] {
  return tree === undefined ? [] : [tree, ...nodesOf(tree.left), ...nodesOf(tree.right)];
}
