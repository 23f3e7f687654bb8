/** Every recipe of deploy/docs/recipes.md does what the page says, with several instances at once. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, lock } from './asks.ts';
import { type Dish, type Instance, Kitchen, linksWithinPage, readRecipes } from './recipes.ts';
import { Up, until } from './up.ts';

const recipes = readRecipes();
let up: Up;
let kitchen: Kitchen;
beforeAll(async () => {
  up = await Up.start(3);
  kitchen = new Kitchen(up, recipes);
});
afterAll(async () => {
  kitchen?.stop();
  await up?.stop();
});

const status = async (scope: string) => (await ask(up.url(3), { scope, action: 'status' })).body;
const isFree = (scope: string) =>
  until(`${scope} is free`, async () => (await status(scope)).status === 'free');

/** Nobody begins before who began last has ended. @param tokens of begins and ends, as they were printed. */
function expectOneAtATime(tokens: readonly string[]): void {
  expect(tokens).toHaveLength(2 * new Set(tokens).size);
  for (let i = 0; i < tokens.length; i += 2) expect(tokens[i]).toBe(tokens[i + 1]);
}

const TESTS: Readonly<Record<string, (dish: Dish) => Promise<void>>> = {
  async 'leader-election'(dish) {
    const all = [1, 2, 3].map(() => dish.run());
    const leads = / leads with token /;
    const leader = (nth: number) =>
      all.find(({ pid }) => String(pid) === dish.found(/^(\d+) leads with/)[nth])!;
    await dish.printed(/ is a candidate/, 3);
    await dish.printed(leads);
    expect((await status('scheduler')).holders).toHaveLength(1);

    // One that is paused for longer than the ttl is no leader when it wakes up.
    const paused = leader(0);
    process.kill(paused.pid, 'SIGSTOP');
    await dish.printed(leads, 2);
    process.kill(paused.pid, 'SIGCONT');
    await dish.printed(new RegExp(`^${paused.pid} leads no more`));

    process.kill(leader(1).pid, 'SIGKILL');
    await dish.printed(leads, 3);
    const last = leader(2);
    const stoppedAt = performance.now();
    process.kill(last.pid, 'SIGTERM');
    await dish.printed(leads, 4);
    // It resigned: nobody had to wait for its session to end.
    expect(performance.now() - stoppedAt).toBeLessThan(2_000);
    expect(await dish.ended(last)).toBe(0);
    expect(last.err).toBe('');

    const tokens = dish.found(/ leads with token (\d+)/).map(Number);
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b));
    process.kill(leader(3).pid, 'SIGTERM');
    expect(await dish.ended(leader(3))).toBe(0);
    await isFree('scheduler');
  },

  async 'preventing-double-execution-of-scheduled-jobs'(dish) {
    for (let i = 0; i < 3; i++) dish.run();
    await dish.printed(/^another machine runs the report/, 2);
    await dish.printed(/^the report is done/);
    const late = dish.run();
    expect(await dish.ended(late)).toBe(0);
    expect(dish.found(/^(another machine) runs/)).toHaveLength(3);
    expect(dish.found(/^the part about (\w+), token \d+$/)).toEqual(['orders', 'stock', 'invoices']);
    expect((await status('cron/nightly-report')).holders[0].reason).toBe('the report of 02:00');
  },

  async 'safe-deployment-cicd-coordination'(dish) {
    const script = (env: string) =>
      `echo ${env} + $LOCK_FENCING_TOKEN; sleep 0.3; echo ${env} - $LOCK_FENCING_TOKEN`;
    const held = await lock(up.url(1), { scope: 'deploy/staging', holder: 'a person' });
    for (let i = 0; i < 3; i++) dish.run('staging', script('staging'));
    const cancelled = dish.run('staging', script('cancelled'));
    await until('all stand in line', async () => (await status('deploy/staging')).waiters.length === 4);
    // Another environment does not wait.
    expect(await dish.ended(dish.run('production', script('production')))).toBe(0);
    process.kill(cancelled.pid, 'SIGTERM');
    expect(await dish.ended(cancelled)).toBe(1);
    expect((await status('deploy/staging')).waiters).toHaveLength(3);
    await ask(up.url(2), { scope: 'deploy/staging', action: 'unlock', lock_id: held.lock_id });
    await dish.printed(/^staging -/, 3);
    expectOneAtATime(dish.found(/^staging [+-] (\d+)/));
    expect(dish.found(/^(cancelled)/)).toEqual([]);

    const failed = dish.run('staging', 'exit 3');
    expect(await dish.ended(failed)).toBe(1);
    expect(failed.err).toMatch(/the deploy ended with 3/);
    await isFree('deploy/staging');

    // A pipeline that is cancelled in its deploy ends that first, and then lets the next one in.
    const stopped = dish.run('staging', 'echo begun; exec sleep 60');
    await dish.printed(/^begun/);
    process.kill(stopped.pid, 'SIGTERM');
    expect(await dish.ended(stopped)).toBe(1);
    await isFree('deploy/staging');

    // So does one that loses its lock.
    const lost = dish.run('staging', 'echo begun; exec sleep 60');
    await dish.printed(/^begun/, 2);
    await ask(up.url(1), {
      scope: 'deploy/staging',
      action: 'unlock',
      force: true,
      holder: 'ops',
      reason: 'a test',
    });
    expect(await dish.ended(lost)).toBe(1);
    expect(lost.err).toMatch(/AbortError|LockLostError/);
  },

  async 'database-migration-coordination'(dish) {
    const version = join(dish.dir, 'schema-version');
    for (let i = 0; i < 4; i++) dish.run();
    await dish.served();
    expect(dish.found(/^migration: (.*)/)).toEqual([
      'create table customers',
      'create table orders',
      'create index orders_by_customer',
    ]);
    expect(dish.lines.slice(3)).toEqual(Array.from({ length: 4 }, () => 'the service starts'));
    expect(readFileSync(version, 'utf8')).toBe('3');

    writeFileSync(version, '2');
    dish.run();
    const again = (await dish.served()).slice(7);
    expect(again).toEqual(['migration: create index orders_by_customer', 'the service starts']);
  },

  async 'session-control-login-exclusivity'(dish) {
    const first = dish.run('ann');
    await dish.printed(/^ann is logged in, token/);
    const second = dish.run('ann');
    expect(await dish.ended(second)).toBe(0);
    expect(dish.lines.at(-1)).toMatch(/^ann is logged in since 20\d\d-\d\d-\d\dT/);
    const bob = dish.run('bob');
    await dish.printed(/^bob is logged in, token/);

    const third = dish.run('ann', 'take-over');
    await dish.printed(/^ann is logged in, token/, 2);
    await dish.printed(/^ann was logged out by a later login/);
    expect(await dish.ended(first)).toBe(0);
    expect(first.err).toBe('');

    // A server that dies without a word: its users can log in again after the ttl.
    process.kill(bob.pid, 'SIGKILL');
    await isFree('session/bob');
    process.kill(third.pid, 'SIGTERM');
    await dish.printed(/^ann has logged out/);
    expect(await dish.ended(third)).toBe(0);
    expect((await status('session/ann')).status).toBe('free');
  },

  async 'distributed-queue-consumer-coordination'(dish) {
    const queue = join(dish.dir, 'queue');
    mkdirSync(queue);
    let sent = 0;
    const send = () => {
      const fresh = join(dish.dir, 'fresh');
      writeFileSync(fresh, `message ${++sent}`);
      renameSync(fresh, join(queue, `m${sent}`));
    };
    while (sent < 20) send();
    const consumers = [1, 2, 3].map(() => dish.run());
    let most = 0;
    await until('all of them handle something, at the same time', async () => {
      send();
      const answer = await fetch(`${up.url(1)}/api/v1.0/locks?prefix=queue/&state=locked`);
      const { locks } = (await answer.json()) as { locks: unknown[] };
      most = Math.max(most, locks.length);
      return most > 1 && new Set(dish.found(/^(\d+) handles/)).size === 3;
    });
    // One dies in the middle: what it was at is handled by another one, and nothing else is handled twice.
    const [victim] = consumers as [Instance];
    process.kill(victim.pid, 'SIGKILL');
    await dish.ended(victim);
    const last = dish.found(new RegExp(`^${victim.pid} handles m(\\d+)`)).at(-1);
    while (sent < 60) send();
    for (const one of consumers.slice(1)) expect(await dish.ended(one)).toBe(0);
    expect(readdirSync(queue)).toEqual([]);
    const handled = dish.found(/ handles m\d+: message (\d+)$/);
    expect(new Set(handled).size).toBe(sent);
    const twice = handled.filter((message, i) => handled.indexOf(message) !== i);
    expect([[], [last]]).toContainEqual(twice);
  },

  async 'throttling-rate-limiting-across-services'(dish) {
    for (let i = 0; i < 3; i++) dish.run();
    await dish.served();
    const slots = new Map<string, { at: number; what: string }[]>();
    let inside = 0;
    let most = 0;
    for (const line of dish.lines) {
      const [, at, slot, what] = /^(\d+) slot (\d) (begins|ends) order \d$/.exec(line)!;
      inside += what === 'begins' ? 1 : -1;
      most = Math.max(most, inside);
      slots.set(slot!, [...(slots.get(slot!) ?? []), { at: Number(at), what: what! }]);
    }
    expect(dish.lines).toHaveLength(24);
    expect(most).toBe(3);
    expect([...slots.keys()].sort()).toEqual(['0', '1', '2']);
    for (const events of slots.values()) {
      expect(events.map(({ what }) => what)).toEqual(events.map((_, i) => (i % 2 === 0 ? 'begins' : 'ends')));
      const begins = events.filter(({ what }) => what === 'begins').map(({ at }) => at);
      // A timer may be a millisecond early.
      for (let i = 1; i < begins.length; i++) expect(begins[i]! - begins[i - 1]!).toBeGreaterThanOrEqual(995);
    }
    const { body } = await ask(up.url(1), { scope: 'limit/payment-api', action: 'status' });
    expect(body.status).toBe('free');
  },

  async 'external-system-coordination'(dish) {
    dish.run();
    dish.run();
    await dish.served();
    const expected = [
      'the charge of the first holder is taken: 200',
      'the charge of the second holder is taken: 200',
      'the charge of the first holder is refused: 409',
      'the first holder does not hold the lock',
    ];
    expect([...dish.lines].sort()).toEqual([...expected, ...expected].sort());
  },

  async 'a-blocking-lock-around-critical-code'(dish) {
    for (let i = 0; i < 3; i++) dish.run();
    await dish.served();
    expectOneAtATime(dish.found(/^[+-] (\d+)/));
    expect(dish.found(/^(\+)/)).toHaveLength(6);
    expect(dish.found(/^failed: (.*)/)).toEqual(['out of stock', 'out of stock', 'out of stock']);
    expect(dish.found(/^(done)/)).toHaveLength(3);
  },

  async 'a-queue-in-which-you-see-your-predecessor'(dish) {
    const jobs: Instance[] = [];
    for (let i = 0; i < 4; i++) {
      jobs.push(dish.run());
      if (i === 0) await dish.printed(/ prints, token/);
      else
        await dish.printed(
          new RegExp(`-${jobs[i]!.pid} is number ${i}, behind printer-job-${jobs[i - 1]!.pid}$`),
        );
    }
    // Who dies leaves the queue, and who was behind it is told.
    process.kill(jobs[2]!.pid, 'SIGKILL');
    await dish.printed(new RegExp(`-${jobs[3]!.pid} is number \\d, behind printer-job-${jobs[1]!.pid}$`));
    for (const i of [0, 1, 3]) expect(await dish.ended(jobs[i]!)).toBe(0);
    const told = dish.found(/^printer-job-(\d+ (?:prints|is done))/).map((line) => line.split(' '));
    expect(told).toEqual(
      [0, 1, 3].flatMap((i) => [
        [String(jobs[i]!.pid), 'prints'],
        [String(jobs[i]!.pid), 'is', 'done'],
      ]),
    );
  },

  async 'acquired-or-not'(dish) {
    const held = await lock(up.url(1), { scope: 'balance-42', holder: 'somebody' });
    dish.run();
    dish.run();
    await dish.served();
    expect(dish.lines).toEqual(['Lock not acquired!', 'Lock not acquired!']);
    await ask(up.url(1), { scope: 'balance-42', action: 'unlock', lock_id: held.lock_id });
    dish.run();
    expect((await dish.served()).slice(2)).toEqual(['Lock acquired!']);
    expect(await status('balance-42')).toMatchObject({
      status: 'free',
      fencing_token: held.fencing_token + 1,
    });
  },

  async 'owner-and-expiry-when-it-is-busy'(dish) {
    const held = await lock(up.url(1), { scope: 'group-leader-7', holder: 'node-3', timeout: '30s' });
    dish.run();
    expect(await dish.served()).toEqual([
      'Lock not acquired!',
      'Lock owner: node-3',
      expect.stringMatching(/^Expires: in (2\d{4}|30000) ms$/),
    ]);
    await ask(up.url(1), { scope: 'group-leader-7', action: 'unlock', lock_id: held.lock_id });
    dish.run();
    expect((await dish.served()).slice(3)).toEqual([`Lock acquired, token ${held.fencing_token + 1}`]);
  },

  async extend(dish) {
    dish.run();
    expect(await dish.served()).toEqual([
      expect.stringMatching(/^Lock acquired, its lease ends in [45] s$/),
      expect.stringMatching(/^Lock extended, its lease ends in (5\d|60) s$/),
    ]);
  },

  async dispose(dish) {
    dish.run();
    expect(await dish.served()).toEqual(['Lock acquired!', 'Lock released, it is free']);
  },
};

describe('the page', () => {
  test('has a test for each recipe, and no test of a recipe that is gone', () => {
    expect(recipes.map(({ name }) => name).sort()).toEqual(Object.keys(TESTS).sort());
  });

  test('has recipes that say what to watch out for, and name no server but the ones of `npm start`', () => {
    for (const { name, text, code } of recipes) {
      expect(text, name).toMatch(/^Watch out: /m);
      expect(text, name).toMatch(/paused/);
      expect(code, name).toMatch(/from 'quorate'/);
      expect(code, name).toContain("servers: ['127.0.0.1:20194', '127.0.0.1:20195']");
    }
  });

  test('links to each of its recipes, and to nothing else of its own', () => {
    expect([...new Set(linksWithinPage())].sort()).toEqual(recipes.map(({ name }) => name).sort());
  });
});

/** Many of them wait for most of their time. More at once would starve their heartbeats on a small machine. */
const LANES = 2;
let lanes = LANES;

describe('the recipe', () => {
  test.concurrent.each(recipes.map(({ name }) => name))('%s', async (name) => {
    await until('there is a lane', () => lanes > 0, 110_000);
    lanes--;
    const dish = kitchen.cook(name);
    try {
      await TESTS[name]!(dish);
    } finally {
      await dish.stop();
      lanes++;
    }
  });
});
