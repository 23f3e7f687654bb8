/**
 * Waiters that died do not hold up those behind them: all of one gateway cost one claim window at most, and nobody
 * who is gone is shown as the holder for longer.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Cluster, type Node } from './cluster.ts';
import { clock } from './count.ts';
import { endTurn, scopeAt, type Turn, takeTurn, waitersAre } from './turns.ts';

const DOOMED = 20;
const LIVE = 5;
/** At least this; longer where votes took more than a tenth of it. */
const CLAIM_MS = 2_000;
const MARGIN = 1.01;
const SLACK_MS = 1_000;
/** Well below a claim window, well above the few votes that it takes. */
const TOLD_MS = 1_500;
/** Where the home died too, the next in line ends the claim window one step later. */
const LINE_STEP_MS = 1_000;

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

/** One who holds at p3, DOOMED who wait at p1, and behind them LIVE who wait at p3. */
async function fill(scope: string, gone: AbortSignal) {
  const [p1, , p3] = cluster.nodes as [Node, Node, Node];
  setMaxListeners(0, gone);
  const first = await takeTurn(cluster, [p3], { scope, holder: 'first', timeout: '60s' });
  for (let i = 0; i < DOOMED; i++) {
    const body = { scope, action: 'lock', holder: `doomed-${i}`, wait: '60s', timeout: '60s' };
    // Every other one chose its lock id, so that its place is kept; the rest can never be asked for again.
    const id = i % 2 === 0 ? {} : { lock_id: randomUUID() };
    cluster.lock(p1, { ...body, ...id }, 70_000, gone).catch(() => undefined);
    await waitersAre(cluster, p3, scope, i + 1);
  }
  const live: Promise<Turn>[] = [];
  for (let i = 0; i < LIVE; i++) {
    const turn = takeTurn(cluster, [p3], { scope, holder: `live-${i}`, timeout: '60s' });
    turn.catch(() => undefined);
    live.push(turn);
    await waitersAre(cluster, p3, scope, DOOMED + i + 1);
  }
  return { first, live };
}

/** For how long dead ones were shown as holders, and the claim window that they were shown with. */
interface Dead {
  readonly shownMs: number;
  readonly claimMs: number;
}

/** Looks who holds until somebody who lives does. */
async function watchDead(scope: string, from: number): Promise<Dead> {
  let shownMs = 0;
  let claimMs = CLAIM_MS;
  for (;;) {
    const asked = clock();
    const { body } = await cluster.lock(cluster.nodes[1]!, { scope, action: 'status' });
    const holder: string = body.holders?.[0]?.holder ?? '';
    if (holder.startsWith('live')) return { shownMs, claimMs };
    if (holder.startsWith('doomed')) {
      shownMs = asked - from;
      claimMs = body.holders[0].timeout_ms;
    }
    if (asked - from > 20_000) throw new Error(`after 20 s ${scope} is held by ${holder}`);
    await sleep(20);
  }
}

/** The live ones take their turns in order. */
async function all(scope: string, live: readonly Promise<Turn>[]): Promise<void> {
  let token = 0;
  for (const pending of live) {
    const turn = await pending;
    expect(turn.token).toBeGreaterThan(token);
    token = turn.token;
    await endTurn(cluster, [cluster.nodes[1]!], scope, turn.lockId);
  }
}

test('20 of 25 waiters die while the lock is released', async () => {
  cluster = await Cluster.start(3);
  const scope = scopeAt(cluster, cluster.nodes[1]!, 'dead');
  const gone = new AbortController();
  const { first, live } = await fill(scope, gone.signal);
  const released = endTurn(cluster, [cluster.nodes[2]!], scope, first.lockId);
  const releasedAt = clock();
  gone.abort();
  const { shownMs } = await watchDead(scope, releasedAt);
  const next = await live[0]!;
  await released;
  const tookMs = next.at - releasedAt;
  console.log(`next after ${Math.round(tookMs)} ms; the dead were shown for ${Math.round(shownMs)} ms`);
  // Their connections told that they left: nobody has to wait for a claim that never comes.
  expect(tookMs).toBeLessThan(TOLD_MS);
  expect(shownMs).toBeLessThan(TOLD_MS);
  await all(scope, live);
});

test('they die together with their gateway, so that nobody can tell', async () => {
  cluster = await Cluster.start(3);
  const [p1, p2] = cluster.nodes as [Node, Node];
  const gone = new AbortController();
  const scopes = [scopeAt(cluster, p2, 'silent'), scopeAt(cluster, p1, 'silent')];
  const filled = await Promise.all(scopes.map((scope) => fill(scope, gone.signal)));
  await cluster.kill(p1);
  gone.abort();
  const releasedAt = clock();
  const released = scopes.map((scope, i) => endTurn(cluster, [p2], scope, filled[i]!.first.lockId));
  const watched = scopes.map((scope) => watchDead(scope, releasedAt));
  for (const [i, whose] of ['another peer', 'the dead peer'].entries()) {
    const next = await filled[i]!.live[0]!;
    const { shownMs, claimMs } = await watched[i]!;
    const tookMs = next.at - releasedAt;
    const times = [tookMs, shownMs, claimMs].map(Math.round);
    console.log(
      `home at ${whose}: next after ${times[0]} ms; dead shown for ${times[1]} ms, to claim in ${times[2]}`,
    );
    // The promotion that nobody could claim was seen: else this shows nothing.
    expect(next.token).toBeGreaterThan(filled[i]!.first.token + 1);
    const bound = claimMs * MARGIN + SLACK_MS + (i === 0 ? 0 : LINE_STEP_MS);
    expect(claimMs).toBeGreaterThanOrEqual(CLAIM_MS);
    expect(tookMs).toBeLessThan(bound);
    expect(shownMs).toBeLessThan(bound);
  }
  await Promise.all(released);
  await Promise.all(scopes.map((scope, i) => all(scope, filled[i]!.live)));
});
