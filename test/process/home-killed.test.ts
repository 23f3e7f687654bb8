/**
 * The home of a scope is killed and comes back, three times, while clients take turns on it through the other peers.
 * By the clients' own counts no two of them hold at once; tokens grow; each of them goes on getting its turns.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node, until } from './cluster.ts';
import { clock } from './count.ts';
import { endTurn, scopeAt, takeTurn } from './turns.ts';

const CLIENTS = 12;
const KILLS = 3;
const LEASE_MS = 10_000;

interface Hold {
  readonly client: number;
  readonly token: number;
  readonly from: number;
  readonly to: number;
}

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

test('12 clients take turns while the home of their scope is killed three times', async () => {
  cluster = await Cluster.start(3);
  const [home, p2, p3] = cluster.nodes as [Node, Node, Node];
  const scope = scopeAt(cluster, home, 'turns');
  const holds: Hold[] = [];
  const afterLast = new Array<number>(CLIENTS).fill(0);
  let kills = 0;
  let over = false;
  let lapsed = 0;

  const client = async (index: number) => {
    const nodes = index % 2 === 0 ? [p2, p3] : [p3, p2];
    while (!over) {
      const body = { scope, holder: `c${index}`, timeout: `${LEASE_MS}ms` };
      const turn = await takeTurn(cluster, nodes, body);
      const from = turn.at;
      await sleep(index % 4);
      // What counts is what the holder may believe: to the end of its count, or to where it gives the lock back.
      const to = Math.min(clock(), turn.until);
      if (to > from) holds.push({ client: index, token: turn.token, from, to });
      else lapsed++;
      if (kills === KILLS) afterLast[index]!++;
      await endTurn(cluster, nodes, scope, turn.lockId);
    }
  };

  const clients = Array.from({ length: CLIENTS }, (_, i) => client(i));
  const ended = Promise.all(clients);
  ended.catch(() => undefined);
  const gaps: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    const before = holds.length;
    await until('all go on', () => holds.length >= before + 4 * CLIENTS);
    await cluster.kill(home);
    const killedAt = clock();
    const held = holds.length;
    await until('it goes on without its home', () => holds.length > held + 1);
    gaps.push(Math.round(clock() - killedAt));
    cluster.launch(home);
    await cluster.ready();
    kills++;
  }
  await until('everybody had a turn after the last kill', () => afterLast.every((count) => count > 0));
  over = true;
  await ended;
  console.log(
    `${holds.length} turns; after each kill the next but one came in ${gaps.join(', ')} ms; ${lapsed} lapsed`,
  );

  holds.sort((a, b) => a.token - b.token);
  for (const [i, after] of holds.entries()) {
    const before = holds[i - 1];
    if (before === undefined) continue;
    expect(after.token, 'no token twice').toBeGreaterThan(before.token);
    expect(after.from, `token ${after.token} overlaps ${before.token}`).toBeGreaterThanOrEqual(before.to);
  }
  const served = new Set(holds.map((hold) => hold.client));
  expect(served.size).toBe(CLIENTS);
});
