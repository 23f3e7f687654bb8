/**
 * A peer is killed through which many wait: whoever repeats its lock id at another peer keeps its place.
 * The waits are granted in the order in which they arrived, each once, with growing tokens.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node } from './cluster.ts';
import { clock } from './count.ts';
import { endTurn, scopeAt, takeTurn, waitersAre } from './turns.ts';

const WAITERS = 50;

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

test.each([
  ['that is not the home of the scope, and they come back at once', 1, false],
  ['that is the home of the scope, and they come back when its session has ended', 0, true],
])('kill -9 of a gateway of 50 waiters, %s', async (_, home, late) => {
  cluster = await Cluster.start(3);
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  const scope = scopeAt(cluster, cluster.nodes[home]!, 'gateway');
  const first = await takeTurn(cluster, [p2], { scope, holder: 'first', timeout: '60s' });
  const ids: string[] = [];
  const order: number[] = [];
  const tokens: number[] = [];
  const tries: number[] = [];
  const clients = [];
  let comeBack = () => {};
  const ended = new Promise<void>((resolve) => {
    comeBack = resolve;
  });
  const again = late ? { again: () => ended } : {};
  for (let i = 0; i < WAITERS; i++) {
    const lockId = randomUUID();
    ids.push(lockId);
    const client = async () => {
      const nodes = i % 2 === 0 ? [p1, p2, p3] : [p1, p3, p2];
      const body = { scope, holder: `w${i}`, timeout: '30s' };
      const turn = await takeTurn(cluster, nodes, body, { lockId, ...again });
      order.push(i);
      tokens.push(turn.token);
      tries.push(turn.tries);
      await endTurn(cluster, [p2, p3], scope, lockId);
    };
    const turns = client();
    turns.catch(() => undefined);
    clients.push(turns);
    await waitersAre(cluster, p2, scope, i + 1);
  }
  await cluster.kill(p1);
  const killedAt = clock();
  if (late) {
    // Their places are kept all the same, for they may be anywhere.
    await waitersAre(cluster, p2, scope, 0);
    comeBack();
  }
  await waitersAre(cluster, p2, scope, WAITERS);
  const released = await endTurn(cluster, [p3], scope, first.lockId);
  expect(released.status).toBe(200);
  await Promise.all(clients);
  console.log(
    `${WAITERS} were granted within ${Math.round(clock() - killedAt)} ms, with up to ${Math.max(...tries)} requests each`,
  );
  expect(order).toEqual(ids.map((_, i) => i));
  expect(Math.min(...tries), 'all had to ask again').toBeGreaterThan(1);
  // One token each: nobody was granted twice, and nobody who was gone in between.
  expect(tokens).toEqual(ids.map((_, i) => first.token + 1 + i));
  const { body } = await cluster.lock(p3, { scope, action: 'status' });
  expect(body).toMatchObject({ status: 'free', waiters: [], fencing_token: first.token + WAITERS });
});
