/**
 * Real peers under fire: kill -9 of one, of a majority and of all, a peer that stands still, lost data, lost
 * answers. What was acknowledged must be there, and what needs a majority must not happen without one.
 */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { type Answer, Cluster, type Node, until } from './cluster.ts';

let cluster: Cluster;
afterEach(async () => {
  await cluster?.stop();
});

const acquire = (scope: string, more: object = {}) => ({ scope, action: 'lock', ...more });

/** Tries through the given peers in turn until the answer has this status. */
async function retry(nodes: readonly Node[], body: unknown, status: number, ms = 20_000): Promise<Answer> {
  let last: Answer | undefined;
  let turn = 0;
  await until(
    `${JSON.stringify(body)} gets ${status}`,
    async () => {
      last = await cluster.lock(nodes[turn++ % nodes.length]!, body).catch(() => undefined);
      return last?.status === status;
    },
    ms,
  );
  return last!;
}

test('kill -9 of one peer: held locks stay held, all goes on, and the peer comes back', async () => {
  cluster = await Cluster.start(3);
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  const granted = await cluster.lock(p1, acquire('kill/one', { holder: 'alice', timeout: '60s' }));
  expect(granted.status).toBe(200);
  expect(granted.body.quorum).toMatch(/^[23]\/3 nodes agreed$/);
  for (const victim of [p1, p2, p3]) {
    await cluster.kill(victim);
    const others = cluster.nodes.filter((node) => node !== victim);
    // Every scope is served within a second or so, whoever its home was.
    for (let i = 0; i < 6; i++) {
      const started = Date.now();
      const { body } = await retry(others, acquire(`kill/one/${victim.name}/${i}`), 200);
      expect(Date.now() - started).toBeLessThan(3_000);
      expect(body.fencing_token).toBe(1);
    }
    expect((await retry(others, acquire('kill/one', { holder: 'bob' }), 423)).body.holders[0].holder).toBe(
      'alice',
    );
    cluster.launch(victim);
    await cluster.ready();
  }
  const released = await retry(
    [p3],
    { scope: 'kill/one', action: 'unlock', lock_id: granted.body.lock_id },
    200,
  );
  expect(released.body.status).toBe('unlocked');
  const next = await retry([p2], acquire('kill/one', { holder: 'bob' }), 200);
  expect(next.body.fencing_token).toBe(granted.body.fencing_token + 1);
});

test('kill -9 of a majority: certain refusals that name who is missing, then everything is there again', async () => {
  cluster = await Cluster.start(3);
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  const granted = await cluster.lock(p1, acquire('kill/two', { holder: 'alice', timeout: 'none' }));
  await cluster.kill(p2);
  await cluster.kill(p3);
  const refused = await retry([p1], acquire('kill/other'), 503);
  expect(['no_quorum', 'outcome_unknown']).toContain(refused.body.code);
  let answer = refused;
  await until('the refusal is certain and names both', async () => {
    answer = await cluster.lock(p1, acquire('kill/other'));
    return answer.body.code === 'no_quorum' && /p2/.test(answer.body.detail) && /p3/.test(answer.body.detail);
  });
  expect(answer.body.certainty).toBe('definite');
  expect((await cluster.get(p1, '/readyz')).status).toBe(503);
  expect((await cluster.get(p1, '/healthz')).status).toBe(200);
  cluster.launch(p2);
  const status = await retry([p1, p2], { scope: 'kill/two', action: 'status' }, 200);
  expect(status.body.holders[0]).toMatchObject({
    holder: 'alice',
    fencing_token: granted.body.fencing_token,
  });
  cluster.launch(p3);
  await cluster.ready();
});

test('kill -9 of all: every acknowledged lock, release and token survives', async () => {
  cluster = await Cluster.start(3);
  const [p1] = cluster.nodes as [Node];
  const held = new Map<string, Answer>();
  for (let i = 0; i < 20; i++) {
    const scope = `kill/all/${i}`;
    const answer = await cluster.lock(
      cluster.nodes[i % 3]!,
      acquire(scope, { holder: 'alice', timeout: 'none' }),
    );
    expect(answer.status).toBe(200);
    if (i % 2 === 0) held.set(scope, answer);
    else await cluster.lock(p1, { scope, action: 'unlock', lock_id: answer.body.lock_id });
  }
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
  for (const node of cluster.nodes) cluster.launch(node);
  await cluster.ready();
  for (let i = 0; i < 20; i++) {
    const scope = `kill/all/${i}`;
    const { body } = await retry(cluster.nodes, { scope, action: 'status' }, 200);
    const before = held.get(scope);
    if (before === undefined) expect(body).toMatchObject({ status: 'free' });
    else expect(body.holders[0]).toMatchObject({ lock_id: before.body.lock_id, fencing_token: 1 });
    if (before !== undefined) continue;
    expect((await retry(cluster.nodes, acquire(scope), 200)).body.fencing_token).toBe(2);
  }
});

test('a peer that stands still for longer than a lease disturbs nobody and believes nothing afterwards', async () => {
  cluster = await Cluster.start(3);
  for (const frozen of cluster.nodes) {
    const others = cluster.nodes.filter((node) => node !== frozen);
    const scope = `freeze/${frozen.name}`;
    const first = await retry([frozen], acquire(scope, { holder: 'alice', timeout: '2s' }), 200);
    cluster.signal(frozen, 'SIGSTOP');
    const busy = await retry(others, acquire(scope, { holder: 'bob', timeout: '60s' }), 423, 5_000);
    expect(busy.body.code).toBe('busy');
    const second = await retry(others, acquire(scope, { holder: 'bob', timeout: '60s' }), 200);
    expect(second.body.fencing_token).toBeGreaterThan(first.body.fencing_token);
    cluster.signal(frozen, 'SIGCONT');
    const seen = await retry([frozen], { scope, action: 'status' }, 200);
    expect(seen.body.holders[0].holder).toBe('bob');
    const late = await retry(
      [frozen],
      { scope, action: 'extend', lock_id: first.body.lock_id, timeout: '2s' },
      409,
    );
    expect(late.body.code).toBe('stale_grant');
  }
});

test('an empty data directory under a known name stays up, does not vote, and says how to mend it', async () => {
  cluster = await Cluster.start(3);
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  await retry([p1], acquire('wipe', { holder: 'alice', timeout: 'none' }), 200);
  await cluster.kill(p3);
  await rm(p3.dir, { recursive: true });
  cluster.launch(p3);
  await until('the wiped peer names the mend', () => /quorate roster replace p3/.test(p3.err + p3.out));
  expect((await cluster.get(p3, '/readyz')).status).toBe(503);
  expect((await cluster.get(p3, '/healthz')).status).toBe(200);
  // It counts for nothing: with one more peer down there is no majority.
  await cluster.kill(p2);
  await until('p1 and the wiped peer are no quorum', async () => {
    const { body } = await cluster.lock(p1, acquire('wipe/other'));
    return body.code === 'no_quorum';
  });
  cluster.launch(p2);
  const status = await retry([p1, p2], { scope: 'wipe', action: 'status' }, 200);
  expect(status.body.holders[0].holder).toBe('alice');
  expect(p3.child, 'the wiped peer is still up').toBeDefined();
});

test('a lost answer, repeated with the same lock_id through another gateway, is the same grant', async () => {
  cluster = await Cluster.start(3);
  for (let i = 0; i < 30; i++) {
    const lock_id = randomUUID();
    const body = { ...acquire(`lost/${i}`, { holder: 'alice', timeout: '60s' }), lock_id };
    const first = cluster.nodes[i % 3]!;
    const other = cluster.nodes[(i + 1) % 3]!;
    // The client gives up after between 0 and 14 ms: before, while or after the vote is on its way.
    const answer = await cluster.lock(first, body, 1 + (i % 15)).catch(() => undefined);
    const again = await retry([other], { ...body, repeat: 1 }, 200);
    expect(again.body.fencing_token).toBe(1);
    expect(again.body.lock_id).toBe(lock_id);
    if (answer?.status === 200) expect(again.body.already_held).toBe(true);
    const third = await retry([cluster.nodes[(i + 2) % 3]!], { ...body, repeat: 2 }, 200);
    expect(third.body).toMatchObject({ fencing_token: 1, already_held: true, lock_id });
  }
});

test('peers that are started late and in any order find each other', async () => {
  cluster = await Cluster.start(3, { start: false });
  const [p1, p2, p3] = cluster.nodes as [Node, Node, Node];
  cluster.launch(p3);
  await until('p3 says who is missing', async () => {
    const answer = await cluster.lock(p3, acquire('late')).catch(() => undefined);
    return answer?.body?.code === 'no_quorum' && /p1/.test(answer.body.detail);
  });
  cluster.launch(p1);
  await until('two of three first voters are no mesh yet', async () => {
    const answer = await cluster.lock(p1, acquire('late')).catch(() => undefined);
    return answer?.body?.code === 'no_quorum' && /p2/.test(answer.body.detail);
  });
  cluster.launch(p2);
  await cluster.ready();
  expect((await retry([p2], acquire('late'), 200)).body.fencing_token).toBe(1);
  // From here on a majority is enough.
  await Promise.all(cluster.nodes.map((node) => cluster.kill(node)));
  cluster.launch(p1);
  cluster.launch(p2);
  expect((await retry([p1], acquire('late/again'), 200)).body.fencing_token).toBe(1);
});

test.each([4, 10])('%i voters need and name a majority', async (voters) => {
  cluster = await Cluster.start(voters);
  const needed = Math.floor(voters / 2) + 1;
  for (let i = 0; i < 5; i++) {
    const { body } = await retry([cluster.nodes[i % voters]!], acquire(`many/${i}`), 200);
    const [, agreed, of] = /^(\d+)\/(\d+) nodes agreed$/.exec(body.quorum) ?? [];
    expect(Number(of)).toBe(voters);
    expect(Number(agreed)).toBeGreaterThanOrEqual(needed);
  }
  for (const node of cluster.nodes.slice(needed)) await cluster.kill(node);
  expect((await retry(cluster.nodes.slice(0, needed), acquire('many/left'), 200)).body.fencing_token).toBe(1);
  await cluster.kill(cluster.nodes[0]!);
  await until('one voter too few', async () => {
    const { body } = await cluster.lock(cluster.nodes[1]!, acquire('many/none'));
    return body.code === 'no_quorum';
  });
});
