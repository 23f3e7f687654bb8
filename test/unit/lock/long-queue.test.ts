/** What a change costs in a queue of thousands, counted in objects rather than in time. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll } from '../../../src/lock/event.ts';
import { join, NOBODY } from '../../../src/lock/queue.ts';
import type { LockState, Priority, Waiter } from '../../../src/lock/state.ts';
import type { Node, Tree } from '../../../src/lock/tree.ts';
import { AT, acquire, GATEWAY, held, ID, id, NEW_LEASE, scope, waiter } from './scene.ts';

const LENGTH = 10_000;
const PRIORITIES: readonly Priority[] = ['high', 'normal', 'low'];
/** For each of two trees a path, of which each level may make two nodes more where it is balanced. */
const NODES_MAX = 150;

const crowd = Array.from({ length: LENGTH }, (_, i) =>
  waiter(id(`${(i * 7_919) % LENGTH}`), i + 1, { priority: PRIORITIES[i % 3]! }),
);
const long: LockState = {
  ...scope({ holders: [held(ID, 'write', 41)] }),
  queue: crowd.reduce(join, NOBODY),
  arrivals: LENGTH,
};

function nodesOf({ queue, parked }: LockState): Set<object> {
  const nodes = new Set<object>();
  const walk = (tree: Tree<string | number, Waiter>): void => {
    if (tree === undefined) return;
    nodes.add(tree);
    walk((tree as Node<string | number, Waiter>).left);
    walk((tree as Node<string | number, Waiter>).right);
  };
  for (const tree of [...queue.lines, queue.byId, parked]) walk(tree);
  return nodes;
}

describe('a change of a scope for which ten thousand wait', () => {
  const old = nodesOf(long);
  const middle = crowd[LENGTH / 2]!;
  const { lockId } = middle;
  const at = { lockId, at: AT };

  test.each<[string, Command, number]>([
    ['one more', acquire({ lockId: id('new'), holder: 'x', wait: true }), LENGTH + 1],
    ['the next is granted', { kind: 'release', lockId: ID, gateway: null, force: null, at: AT }, LENGTH - 1],
    ['one gives up', { kind: 'cancel', ...at, gateway: null, token: long.holders[0]!.former }, LENGTH - 1],
    ['one is away', { kind: 'park', ...at, gateway: GATEWAY }, LENGTH - 1],
    ['one asks elsewhere', { ...acquire({ lockId, holder: middle.holder, wait: true, repeat: 3 }) }, LENGTH],
  ])('makes a path of new nodes: %s', (_, command, length) => {
    const after = evolveAll(long, decide(long, command, NEW_LEASE).events);
    expect(after).not.toBe(long);
    expect(after.queue.byId!.size).toBe(length);
    const made = [...nodesOf(after)].filter((node) => !old.has(node)).length;
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThanOrEqual(NODES_MAX);
  });
});
