/** A directory of the format before opens with all that is in it, and is of this format then. */
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pack, unpack } from 'msgpackr';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Chains, Plan } from '../../../src/store/chains.ts';
import { Engine } from '../../../src/store/engine.ts';
import { frame, unframe } from '../../../src/store/record.ts';
import { noteGroup } from '../../../src/store/ring.ts';
import { openStore } from '../../../src/store/store.ts';
import { VoteLog } from '../../../src/store/vote-log.ts';
import { grown, newDir, SMALL_LOG, type Toy, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

const IDENTITY = '0011223344556677';
const LONG = '='.repeat(2000);

let dir: string;
let votes: string;

beforeEach(() => {
  dir = newDir();
  votes = join(dir, 'votes');
});

afterEach(() => {
  rmSync(dirname(dir), { recursive: true });
});

/** A directory of an older format: there was no vote log, each commit was a group of the library. */
async function older(format: number, commits: readonly (readonly [string, ToyWrite])[]): Promise<void> {
  const engine = await Engine.open(votes);
  const chains = new Chains(engine, toyCodec, SMALL_LOG);
  await engine.write((group) => {
    const records: [string, unknown][] = [
      ['f', format],
      ['i', IDENTITY],
      ['b', 41],
      ['z', 20_000],
      ['mroster', { voters: ['p1'] }],
    ];
    for (const [key, value] of records) group.put(key, frame(key, pack(value)));
  });
  for (const [i, [scope, write]] of commits.entries()) {
    const plan = new Plan();
    chains.plan(scope, write, plan);
    await engine.write((group) => {
      for (const key of plan.dels) group.del(key);
      for (const [key, value] of plan.puts) group.put(key, value);
      if (write.toy.held) group.put(`h${scope}`, Buffer.alloc(0));
      else group.del(`h${scope}`);
      noteGroup(group, i + 1);
    });
    chains.adopt(plan);
  }
  await engine.close();
}

async function format(): Promise<unknown> {
  const engine = await Engine.open(votes);
  const payload = unframe('f', engine.get('f')!);
  await engine.close();
  return unpack(payload as Buffer);
}

function history(): { commits: [string, ToyWrite][]; model: Map<string, Toy> } {
  const commits: [string, ToyWrite][] = [];
  const model = new Map<string, Toy>();
  for (let n = 0; n < 60; n++) {
    const scope = `orders/${n % 7}`;
    const before = model.get(scope);
    const write = before === undefined ? whole(LONG.slice(n % 3)) : grown(before, `+${n}`, n % 2 === 0);
    model.set(scope, write.toy);
    commits.push([scope, write]);
  }
  return { commits, model };
}

test('all that was there is there, and it goes on', async () => {
  const { commits, model } = history();
  await older(2, commits);
  for (let life = 0; life < 3; life++) {
    const store = await openStore(dir, toyCodec, SMALL_LOG);
    expect(store.identity).toBe(IDENTITY);
    expect(Math.floor(store.boot / 2 ** 20)).toBe(42 + life);
    expect(store.position).toBe(60 + life);
    expect(store.horizon).toBe(20_000);
    expect(store.meta('roster')).toEqual({ voters: ['p1'] });
    for (const [scope, record] of model) expect(store.read(scope)).toEqual(record);
    expect(new Map(store.held())).toEqual(new Map([...model].filter(([, { held }]) => held)));
    const write = grown(model.get('orders/3')!, `life ${life}`, true);
    model.set('orders/3', write.toy);
    expect(await store.commit({ registers: new Map([['orders/3', write]]) })).toBe(61 + life);
    await store.close();
    expect(await format()).toBe(3);
  }
});

test('an upgrade that was broken off begins anew, and until then the directory is what it was', async () => {
  const { commits, model } = history();
  await older(2, commits);
  const log = await VoteLog.create(votes, IDENTITY, 60, SMALL_LOG.segmentBytes);
  await new Promise((resolve) => log.append(Buffer.alloc(100, 1), 61, resolve));
  log.close();
  expect(await format()).toBe(2);
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  expect(store.position).toBe(60);
  for (const [scope, record] of model) expect(store.read(scope)).toEqual(record);
  await store.close();
});

test('a commit that is missing is damage, as before', async () => {
  await older(2, history().commits);
  const engine = await Engine.open(votes);
  await engine.write((group) => group.del(`p${(17).toString(36)}`));
  await engine.close();
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(/group 17 of 60 is missing/);
  expect(await format()).toBe(2);
});

test('a directory of the format before that is refused, and left as it is', async () => {
  await older(1, [['a', whole('one')]]);
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
  expect(await format()).toBe(1);
  expect(readdirSync(votes).filter((name) => name.startsWith('segment'))).toEqual([]);
});

test('what came after the upgrade is not lost with the vote log', async () => {
  await older(2, [['a', whole('one')]]);
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  await store.commit({ registers: new Map([['a', grown(toy('one'), '+')]]) });
  await store.close();
  for (const name of ['segment-a', 'segment-b']) rmSync(join(votes, name));
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(/segment-a is missing/);
});
