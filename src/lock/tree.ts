/**
 * Ordered maps that never change: setting or removing a key makes a new map that shares all but a path with the
 * old one, so that a queue of thousands costs a change no more than a few dozen small objects.
 * Always true: keys are in order (by `<`); neither side of a node is more than three times as large as the other.
 * Source: weight-balanced trees, S. Adams (1992), with the balance of Y. Hirai and K. Yamamoto, "Balancing
 * weight-balanced trees" (2011).
 */
export interface Node<K extends string | number, V> {
  readonly key: K;
  readonly value: V;
  readonly size: number;
  readonly left: Tree<K, V>;
  readonly right: Tree<K, V>;
}

/** A map; undefined is the empty one. */
export type Tree<K extends string | number, V> = Node<K, V> | undefined;

const SIDE_MAX = 3;
const SINGLE_MAX = 2;

export function sizeOf<K extends string | number, V>(tree: Tree<K, V>): number {
  return tree === undefined ? 0 : tree.size;
}

export function get<K extends string | number, V>(tree: Tree<K, V>, key: K): V | undefined {
  let at = tree;
  while (at !== undefined && at.key !== key) at = key < at.key ? at.left : at.right;
  return at?.value;
}

/** The entry with the least key, or undefined. */
export function first<K extends string | number, V>(tree: Tree<K, V>): V | undefined {
  let at = tree;
  while (at?.left !== undefined) at = at.left;
  return at?.value;
}

/** How many keys are less than this one, which need not be in the map. */
export function rank<K extends string | number, V>(tree: Tree<K, V>, key: K): number {
  let before = 0;
  let at = tree;
  while (at !== undefined) {
    if (at.key < key) {
      before += sizeOf(at.left) + 1;
      at = at.right;
    } else at = at.left;
  }
  return before;
}

export function set<K extends string | number, V>(tree: Tree<K, V>, key: K, value: V): Tree<K, V> {
  if (tree === undefined) return { key, value, size: 1, left: undefined, right: undefined };
  if (key === tree.key) return { ...tree, value };
  return key < tree.key
    ? balanced(tree.key, tree.value, set(tree.left, key, value), tree.right)
    : balanced(tree.key, tree.value, tree.left, set(tree.right, key, value));
}

/** The map without this key; the same map if it is not there. */
export function remove<K extends string | number, V>(tree: Tree<K, V>, key: K): Tree<K, V> {
  if (tree === undefined) return undefined;
  if (key < tree.key) {
    const left = remove(tree.left, key);
    return left === tree.left ? tree : balanced(tree.key, tree.value, left, tree.right);
  }
  if (key > tree.key) {
    const right = remove(tree.right, key);
    return right === tree.right ? tree : balanced(tree.key, tree.value, tree.left, right);
  }
  if (tree.left === undefined) return tree.right;
  if (tree.right === undefined) return tree.left;
  let next = tree.right;
  while (next.left !== undefined) next = next.left;
  return balanced(next.key, next.value, tree.left, remove(tree.right, next.key));
}

/** The values in the order of their keys. */
export function* values<K extends string | number, V>(tree: Tree<K, V>): Generator<V> {
  const path: Node<K, V>[] = [];
  for (let at = tree; at !== undefined || path.length > 0; ) {
    for (; at !== undefined; at = at.left) path.push(at);
    const node = path.pop()!;
    yield node.value;
    at = node.right;
  }
}

function node<K extends string | number, V>(
  key: K,
  value: V,
  left: Tree<K, V>,
  right: Tree<K, V>,
): Node<K, V> {
  return { key, value, size: sizeOf(left) + sizeOf(right) + 1, left, right };
}

function weight<K extends string | number, V>(tree: Tree<K, V>): number {
  return sizeOf(tree) + 1;
}

/** A node whose one side may be one too heavy. */
function balanced<K extends string | number, V>(
  key: K,
  value: V,
  left: Tree<K, V>,
  right: Tree<K, V>,
): Node<K, V> {
  if (weight(right) > SIDE_MAX * weight(left)) {
    const { left: inner, right: outer } = right!;
    if (weight(inner) < SINGLE_MAX * weight(outer)) {
      return node(right!.key, right!.value, node(key, value, left, inner), outer);
    }
    return node(
      inner!.key,
      inner!.value,
      node(key, value, left, inner!.left),
      node(right!.key, right!.value, inner!.right, outer),
    );
  }
  if (weight(left) > SIDE_MAX * weight(right)) {
    const { left: outer, right: inner } = left!;
    if (weight(inner) < SINGLE_MAX * weight(outer)) {
      return node(left!.key, left!.value, outer, node(key, value, inner, right));
    }
    return node(
      inner!.key,
      inner!.value,
      node(left!.key, left!.value, outer, inner!.left),
      node(key, value, inner!.right, right),
    );
  }
  return node(key, value, left, right);
}
