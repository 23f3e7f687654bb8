/** Trees are the same if they hold the same entries: their shape tells how they came about, and is nobody's business. */
import type { expect } from 'vitest';
import type { Node } from '../../../src/lock/tree.ts';

type Tester = Parameters<typeof expect.addEqualityTesters>[0][number];
type AnyNode = Node<string | number, unknown>;

export const sameTrees: Tester = function (a, b, testers) {
  return isNode(a) && isNode(b) ? this.equals(entriesOf(a), entriesOf(b), testers) : undefined;
};

function isNode(u: unknown): u is AnyNode {
  return typeof u === 'object' && u !== null && 'size' in u && 'left' in u && 'right' in u;
}

/** Keys and values in order, by recursion rather than by the code under test. */
export function entriesOf(tree: AnyNode | undefined): [string | number, unknown][] {
  if (tree === undefined) return [];
  return [...entriesOf(tree.left), [tree.key, tree.value], ...entriesOf(tree.right)];
}
