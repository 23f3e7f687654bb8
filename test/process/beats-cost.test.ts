/** What signs of life cost: no flush on any peer, however many locks live with the session. */
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node, until } from './cluster.ts';

const LOCKS = 100;
const BEATS = 60;

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

async function flushes(): Promise<number[]> {
  const texts = await Promise.all(cluster.nodes.map((node) => cluster.get(node, '/metrics')));
  return texts.map(({ body }) => Number(/^quorate_flushes_total (\d+)$/m.exec(body)![1]));
}

/** Once nothing more goes to any disk. */
async function settled(): Promise<number[]> {
  let last: number[] = [];
  let same = 0;
  await until('the disks are quiet', async () => {
    const now = await flushes();
    same = now.join() === last.join() ? same + 1 : 0;
    last = now;
    return same >= 10;
  });
  return last;
}

test('60 heartbeats of a session with 100 locks, at all peers, flush nothing', async () => {
  cluster = await Cluster.start(3);
  const [p1] = cluster.nodes as [Node];
  const opened = await cluster.post(p1, '/api/v1.0/sessions', { ttl: '30s', holder: 'many' });
  const { session } = opened.body;
  const before = await flushes();
  const locks = await Promise.all(
    Array.from({ length: LOCKS }, (_, i) =>
      cluster.lock(p1, { scope: `beaten/${i}`, action: 'lock', timeout: 'none', session }),
    ),
  );
  expect(new Set(locks.map(({ status }) => status))).toEqual(new Set([200]));
  const quiet = await settled();
  expect(
    quiet.every((count, i) => count > before[i]!),
    'the counter counts',
  ).toBe(true);

  for (let i = 0; i < BEATS; i++) {
    const path = `/api/v1.0/sessions/${session}/heartbeat`;
    const { status, body } = await cluster.post(cluster.nodes[i % 3]!, path);
    expect(status).toBe(200);
    expect(body.locks.length).toBe(LOCKS);
  }
  expect(await settled()).toEqual(quiet);

  await cluster.lock(p1, { scope: 'one more', action: 'lock', session });
  const after = await settled();
  console.log(`flushes of each peer: ${quiet} for ${LOCKS} locks, 0 for ${BEATS} heartbeats, then ${after}`);
  expect(after.filter((count, i) => count > quiet[i]!).length).toBeGreaterThanOrEqual(2);
});
