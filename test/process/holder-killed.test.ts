/** A holder that is killed without a word: whoever is next holds within the ttl of its heartbeats, and not before. */
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node } from './cluster.ts';
import { clock } from './count.ts';
import { Holder } from './holders.ts';
import { scopeAt, takeTurn, waitersAre } from './turns.ts';

const BEAT_MS = 300;
const TAKEOVER_MS = 3 * BEAT_MS * 1.01;
/** For what a busy machine adds: an expiry and a claim are three votes. */
const SLACK_MS = 1_500;

let cluster: Cluster;
let holders: Holder[] = [];
afterEach(async () => {
  await Promise.all(holders.map((holder) => holder.stop()));
  holders = [];
  await cluster?.stop();
});

test('kill -9 of three holders at once, one at each peer', async () => {
  cluster = await Cluster.start(3);
  const scopes = cluster.nodes.map((home, i) => scopeAt(cluster, home, `killed/${i}`));
  holders = await Promise.all(
    scopes.map((scope, i) =>
      Holder.start({
        port: cluster.nodes[i]!.port,
        scopes: [scope],
        holder: 'victim',
        beatMs: BEAT_MS,
        session: false,
        resource: null,
      }),
    ),
  );
  const others = [];
  for (const scope of scopes) {
    const lines = [];
    for (let i = 0; i < 3; i++) {
      const via = [cluster.nodes[i] as Node];
      const turn = takeTurn(cluster, via, { scope, holder: `next-${i}`, timeout: '60s' });
      turn.catch(() => undefined); // who waits to the end goes down with the mesh
      lines.push(turn);
      await waitersAre(cluster, via[0]!, scope, i + 1);
    }
    others.push(lines);
  }
  // It lives on its heartbeats alone: nobody was let in while it beat.
  const killedAt = clock();
  for (const holder of holders) holder.signal('SIGKILL');
  const took: number[] = [];
  for (const [i, [first]] of others.entries()) {
    const turn = await first!;
    took.push(Math.round(turn.at - killedAt));
    expect(turn.token).toBe(2);
    expect(turn.at, 'nobody is let in while the dead one may count').toBeGreaterThanOrEqual(
      holders[i]!.until,
    );
    expect(turn.at - killedAt).toBeLessThan(TAKEOVER_MS + SLACK_MS);
    const { body } = await cluster.lock(cluster.nodes[0]!, { scope: scopes[i], action: 'status' });
    expect(body.holders).toMatchObject([{ holder: 'next-0', fencing_token: 2 }]);
    expect(body.waiters.map(({ holder }: { holder: string }) => holder)).toEqual(['next-1', 'next-2']);
  }
  console.log(`killed holders were followed after ${took.join(', ')} ms`);
});
