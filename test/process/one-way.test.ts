/**
 * The gateway of a holder is cut off in one direction: its heartbeats fail, its own clock tells it that it lost
 * before anybody else is granted, and after the cut all goes on as before.
 */
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node, until } from './cluster.ts';
import { clock } from './count.ts';
import { Holder } from './holders.ts';
import { TcpProxy } from './proxy.ts';
import { endTurn, takeTurn, waitersAre } from './turns.ts';

const BEAT_MS = 300;
const TTL_MS = 3 * BEAT_MS;
/** A link is dropped when a ping had no answer for 1.5 s; until then heartbeats that nobody hears answered may arrive. */
const NOTICED_MS = 2_000;
const SLACK_MS = 2_000;

let cluster: Cluster;
let holder: Holder | undefined;
let proxies: TcpProxy[] = [];
afterEach(async () => {
  await holder?.stop();
  await cluster?.stop();
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  proxies = [];
});

/** p1 and the others meet through proxies only: one in front of it, and one in front of each other for what it dials. */
async function start(): Promise<void> {
  cluster = await Cluster.start(3, { start: false });
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  proxies = await Promise.all(cluster.nodes.map(({ port }) => TcpProxy.start(port)));
  const [q1, q2, q3] = proxies.map(({ port }) => `127.0.0.1:${port}`);
  const direct = `p1=${q1},p2=127.0.0.1:${p2.port},p3=127.0.0.1:${p3.port}`;
  cluster.launch(p2, direct, ['--advertise', q2!]);
  cluster.launch(p3, direct, ['--advertise', q3!]);
  await until('p2 and p3 have a link', async () => {
    const answer = await cluster.get(p2, '/api/v1.0/peers').catch(() => undefined);
    return answer?.body?.peers?.find(({ name }: { name: string }) => name === 'p3')?.state === 'alive';
  });
  cluster.launch(p1, `p1=${q1},p2=${q2},p3=${q3}`, ['--advertise', q1!]);
  await cluster.ready();
}

function cut(what: 'p1 says' | 'p1 hears'): void {
  const [q1, q2, q3] = proxies as [TcpProxy, TcpProxy, TcpProxy];
  q1.cut(what === 'p1 says' ? 'to client' : 'to target');
  for (const proxy of [q2, q3]) proxy.cut(what === 'p1 says' ? 'to target' : 'to client');
}

test.each(['p1 says', 'p1 hears'] as const)('what %s is lost', async (what) => {
  await start();
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  const scope = 'one-way';
  holder = await Holder.start({
    port: p1.port,
    scopes: [scope],
    holder: 'cut off',
    beatMs: BEAT_MS,
    session: false,
    resource: null,
  });
  const waiting = takeTurn(cluster, [p2], { scope, holder: 'next', timeout: '60s' });
  waiting.catch(() => undefined);
  await waitersAre(cluster, p3, scope, 1);

  const cutAt = clock();
  cut(what);
  const turn = await waiting;
  const lost = await holder.hear('lost');
  const lostMs = Math.round(lost.until - cutAt);
  console.log(
    `lost by its clock after ${lostMs} ms, the next granted after ${Math.round(turn.at - cutAt)} ms`,
  );
  expect(lost.until, 'the holder knew before').toBeLessThanOrEqual(turn.at);
  expect(lost.until - cutAt).toBeLessThanOrEqual(TTL_MS);
  expect(turn.at - cutAt).toBeLessThan(NOTICED_MS + TTL_MS * 1.01 + SLACK_MS);
  const failed = holder.said.filter(
    ({ event, at, status }) => event === 'told' || (at > cutAt && status !== 200),
  );
  expect(failed.length, 'its heartbeats failed').toBeGreaterThan(0);
  expect((await holder.hear('told')).status).not.toBe(200);
  await until('p1 knows that it is alone', async () => (await cluster.get(p1, '/readyz')).status === 503);

  for (const proxy of proxies) proxy.heal();
  await cluster.ready();
  const again = takeTurn(cluster, [p1], { scope, holder: 'again', timeout: '60s' });
  again.catch(() => undefined);
  await waitersAre(cluster, p2, scope, 1);
  await endTurn(cluster, [p2], scope, turn.lockId);
  expect((await again).token).toBeGreaterThan(turn.token);
});
