/**
 * A holder that stands still for longer than its lease, and then goes on: it knows by its own clock that it lost
 * before it does anything, is told so by the mesh, and what it writes all the same is refused where it is written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node } from './cluster.ts';
import { clock } from './count.ts';
import { Holder } from './holders.ts';
import { Resource } from './resource.ts';
import { takeTurn, waitersAre } from './turns.ts';

const BEAT_MS = 300;
const TTL_MS = 3 * BEAT_MS;
const SLACK_MS = 1_500;

let cluster: Cluster;
let holder: Holder | undefined;
let resource: Resource | undefined;
afterEach(async () => {
  await holder?.stop();
  await resource?.stop();
  await cluster?.stop();
});

test('SIGSTOP for three leases, then SIGCONT', async () => {
  cluster = await Cluster.start(3);
  resource = await Resource.start();
  const [p1, p2] = cluster.nodes as [Node, Node];
  const scope = 'stopped';
  holder = await Holder.start({
    port: p1.port,
    scopes: [scope],
    holder: 'stopped',
    beatMs: BEAT_MS,
    session: false,
    resource: resource.port,
  });
  const { token } = await holder.hear('held');
  await holder.hear('wrote');
  const waiting = takeTurn(cluster, [p2], { scope, holder: 'next', timeout: '60s' });
  await waitersAre(cluster, p2, scope, 1);

  const stoppedAt = clock();
  holder.signal('SIGSTOP');
  const turn = await waiting;
  expect(turn.at - stoppedAt).toBeLessThan(TTL_MS * 1.01 + SLACK_MS);
  expect(turn.token).toBeGreaterThan(token);
  expect(resource.write({ token: turn.token, writer: 'next' })).toBe(true);
  await sleep(Math.max(0, stoppedAt + 3 * TTL_MS - clock()));
  const before = holder.said.length;
  const continuedAt = clock();
  holder.signal('SIGCONT');

  const told = await holder.hear('told');
  const late = await holder.hear('late write');
  const after = holder.said.slice(before).map(({ event }) => event);
  console.log(`stopped for ${Math.round(continuedAt - stoppedAt)} ms; then: ${after.join(', ')}`);
  // Answers to what had left before it was stopped may still come in.
  const did = after.filter((event) => event !== 'beat' && event !== 'wrote');
  expect(did).toEqual(['lost', 'told', 'late write']);
  expect(told).toMatchObject({ status: 409, code: 'stale_grant' });
  expect(holder.until, 'its count ended before the next one held').toBeLessThanOrEqual(turn.at);

  expect(late.status).toBe(409);
  expect(resource.refused.at(-1)).toEqual({ token, writer: 'stopped' });
  // One more may have been stopped between the look at its clock and the socket: that is what tokens are for.
  expect(resource.refused.length).toBeLessThanOrEqual(2);
  const from = resource.taken.findIndex((write) => write.token === turn.token);
  expect(from).toBeGreaterThan(0);
  expect(resource.taken.slice(from).every((write) => write.writer === 'next')).toBe(true);
});
