/**
 * 20 clients on 5 real peers take and release few locks 5,000 times while peers are killed at random. Most of the
 * times they wait in the queue, else they ask again and again.
 * By the holders' own clocks no two holds of a scope overlap, and tokens strictly grow.
 */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { Random } from '../sim/random.ts';
import { type Answer, Cluster } from './cluster.ts';

const CLIENTS = 20;
const PAIRS = 5_000;
const SCOPES = 4;
const LEASE_MS = 4_000;
const WAIT_MS = 1_000;

interface Hold {
  readonly token: number;
  readonly from: number;
  readonly to: number;
}

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('no overlap and growing tokens while peers are killed', { timeout: 240_000 }, async () => {
  cluster = await Cluster.start(5);
  const holds = new Map<string, Hold[]>();
  const counts = { pairs: 0, busy: 0, unknown: 0, lapsed: 0, kills: 0 };
  let stop = false;

  const nodeFor = (i: number) => cluster.nodes[i % cluster.nodes.length]!;
  const client = async (index: number) => {
    let turn = index;
    while (counts.pairs < PAIRS && !stop) {
      const scope = `storm/${(turn * 7 + index) % SCOPES}`;
      const lock_id = randomUUID();
      const wait = turn % 4 === 0 ? {} : { wait: `${WAIT_MS}ms` };
      // The lease began after this, whichever attempt was granted, and however long it had waited.
      const sent = performance.now();
      let granted: Answer | undefined;
      for (let attempt = 0; attempt < 4 && granted === undefined; attempt++) {
        const body = {
          scope,
          action: 'lock',
          lock_id,
          holder: `c${index}`,
          timeout: `${LEASE_MS}ms`,
          repeat: attempt,
          ...wait,
        };
        const answer = await cluster.lock(nodeFor(turn++), body, 3_000).catch(() => undefined);
        if (answer?.status === 200 || answer?.status === 423 || answer?.status === 409) granted = answer;
        else if (answer?.body?.code === 'no_quorum' && attempt === 0) granted = answer;
        else {
          counts.unknown++;
          await sleep(20 + ((turn * 17) % 50));
        }
      }
      if (granted?.status !== 200 || granted.body.lock_id !== lock_id) {
        counts.busy++;
        await sleep(1 + ((turn * 13) % 10));
        continue;
      }
      // The holder counts its lease from before the first send, and stops before it sends the release.
      const from = performance.now();
      const until = sent + LEASE_MS;
      await sleep(turn % 3);
      const to = Math.min(performance.now(), until);
      if (to > from) {
        const list = holds.get(scope) ?? [];
        list.push({ token: granted.body.fencing_token, from, to });
        holds.set(scope, list);
      } else counts.lapsed++;
      for (let attempt = 0; attempt < 6; attempt++) {
        const answer = await cluster
          .lock(nodeFor(turn++), { scope, action: 'unlock', lock_id }, 3_000)
          .catch(() => undefined);
        if (answer !== undefined && answer.status < 500) break;
      }
      counts.pairs++;
    }
  };

  const killer = async () => {
    const random = new Random(Date.now());
    while (counts.pairs < PAIRS && !stop) {
      await sleep(random.between(200, 1_500));
      const first = random.below(5);
      const victims = [first, ...(random.chance(0.3) ? [(first + 1 + random.below(4)) % 5] : [])];
      await Promise.all(victims.map((i) => cluster.kill(nodeFor(i))));
      counts.kills += victims.length;
      await sleep(random.between(0, 1_000));
      for (const i of victims) cluster.launch(nodeFor(i));
      await cluster.ready();
    }
  };

  const started = Date.now();
  const timer = setTimeout(() => {
    stop = true;
  }, 180_000);
  await Promise.all([...Array.from({ length: CLIENTS }, (_, i) => client(i)), killer()]);
  clearTimeout(timer);
  console.log(`storm: ${JSON.stringify(counts)} in ${((Date.now() - started) / 1000).toFixed(1)} s`);

  expect(counts.pairs).toBeGreaterThanOrEqual(PAIRS);
  expect(counts.kills).toBeGreaterThan(3);
  for (const [scope, list] of holds) {
    list.sort((a, b) => a.from - b.from);
    for (let i = 1; i < list.length; i++) {
      const before = list[i - 1]!;
      const after = list[i]!;
      expect(after.token, `${scope}: tokens grow`).toBeGreaterThan(before.token);
      expect(after.from, `${scope}: token ${after.token} overlaps ${before.token}`).toBeGreaterThanOrEqual(
        before.to,
      );
    }
  }
});
