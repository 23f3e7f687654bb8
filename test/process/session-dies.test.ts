/** One session with many locks: its death ends all of them, and hands each on to whoever waits, in one ttl. */
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node, until } from './cluster.ts';
import { clock } from './count.ts';
import { Holder } from './holders.ts';
import { takeTurn, waitersAre } from './turns.ts';

const BEAT_MS = 400;
const TTL_MS = 3 * BEAT_MS;
const SLACK_MS = 1_500;
const LOCKS = 20;

let cluster: Cluster;
let holder: Holder | undefined;
afterEach(async () => {
  await holder?.stop();
  await cluster?.stop();
});

test('kill -9 of a holder of 20 locks, 10 of which others wait for', async () => {
  cluster = await Cluster.start(3);
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  const scopes = Array.from({ length: LOCKS }, (_, i) => `session/${i}`);
  const wanted = scopes.slice(0, LOCKS / 2);
  holder = await Holder.start({
    port: p1.port,
    scopes,
    holder: 'many',
    beatMs: BEAT_MS,
    session: true,
    resource: null,
  });
  const turns = wanted.map((scope) => takeTurn(cluster, [p2], { scope, holder: 'next', timeout: '60s' }));
  for (const scope of wanted) await waitersAre(cluster, p3, scope, 1);
  for (const scope of scopes) {
    const { body } = await cluster.lock(p3, { scope, action: 'status' });
    expect(body.holders).toMatchObject([{ holder: 'many', session: expect.any(String) }]);
  }

  const killedAt = clock();
  holder.signal('SIGKILL');
  const freed = scopes.slice(LOCKS / 2).map((scope) =>
    until(`${scope} is free`, async () => {
      const { body } = await cluster.lock(p3, { scope, action: 'status' });
      return body.status === 'free';
    }).then(() => clock()),
  );
  const granted = await Promise.all(turns);
  const ends = await Promise.all(freed);
  const slowest = Math.max(...granted.map(({ at }) => at), ...ends) - killedAt;
  console.log(`all ${LOCKS} were free or handed on ${Math.round(slowest)} ms after the kill`);
  for (const { at, token } of granted) {
    expect(token).toBe(2);
    expect(at).toBeGreaterThanOrEqual(holder.until);
  }
  for (const at of ends) expect(at).toBeGreaterThanOrEqual(holder.until);
  expect(slowest).toBeLessThan(TTL_MS * 1.01 + SLACK_MS);
});
