/** Changes on a real disk: against a model over many openings, and after a loss at any byte of the log. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LOG_BYTES } from '../../../src/store/engine.ts';
import { COMMIT_BYTES, RING_SIZE } from '../../../src/store/ring.ts';
import { openStore } from '../../../src/store/store.ts';
import {
  grown,
  newDir,
  TOY_LIMITS,
  type Toy,
  type ToyStore,
  type ToyWrite,
  toy,
  toyCodec,
  whole,
} from './toy.ts';

let dir: string;

beforeEach(() => {
  dir = newDir();
});

afterEach(() => {
  rmSync(dirname(dir), { recursive: true });
});

const open = (at = dir) => openStore(at, toyCodec, TOY_LIMITS);
const SCOPES = ['a', 'b', '\u0001session', 'a\u0000'];

function check(store: ToyStore, model: ReadonlyMap<string, Toy>): void {
  for (const scope of SCOPES) expect(store.read(scope)).toEqual(model.get(scope));
  const held = [...model].filter(([, record]) => record.held);
  expect(new Map(store.held())).toEqual(new Map(held));
}

/** A repeatable generator. */
function draw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Writes of some scopes, most of them changes; the model follows. */
function batchOf(next: (below: number) => number, model: Map<string, Toy>): Map<string, ToyWrite> {
  const batch = new Map<string, ToyWrite>();
  for (const scope of SCOPES) {
    if (next(3) === 0) continue;
    const text = `${next(100)}`.padEnd(next(120), '.');
    const before = model.get(scope) ?? toy('');
    const write = next(12) === 0 ? whole(text, next(2) === 0) : grown(before, text, next(2) === 0);
    batch.set(scope, write);
    model.set(scope, write.toy);
  }
  return batch;
}

test('random writes, openings and commits that overlap give what the model gives', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(fc.nat(9), { maxLength: 60 }), async (seed, steps) => {
      const at = join(dirname(dir), `run-${seed}`);
      rmSync(at, { recursive: true, force: true });
      const next = draw(seed);
      const model = new Map<string, Toy>();
      let store = await open(at);
      let underWay: Promise<number>[] = [];
      for (const action of steps) {
        const commit = store.commit({ registers: batchOf(next, model) });
        if (action < 4) underWay.push(commit);
        else await commit;
        if (action < 8) continue;
        await Promise.all(underWay);
        underWay = [];
        check(store, model);
        if (action < 9) continue;
        await store.close();
        store = await open(at);
      }
      await Promise.all(underWay);
      await store.close();
      store = await open(at);
      check(store, model);
      await store.close();
    }),
    { numRuns: 25 },
  );
});

test('while a commit is under way, what was before is read whole', async () => {
  const store = await open();
  const next = draw(5);
  const model = new Map<string, Toy>();
  for (let n = 0; n < 60; n++) {
    const before = new Map(model);
    const commit = store.commit({ registers: batchOf(next, model) });
    for (const end = performance.now() + 2; performance.now() < end; ) check(store, before);
    await commit;
    check(store, model);
  }
  await store.close();
});

test('wherever the log is cut off, each register is that of the last commit that is left', async () => {
  const store = await open();
  const next = draw(11);
  const model = new Map<string, Toy>();
  const models: ReadonlyMap<string, Toy>[] = [new Map()];
  for (let n = 0; n < 80; n++) {
    await store.commit({ registers: batchOf(next, model) });
    models.push(new Map(model));
  }
  // A copy of a store in use is what a crash leaves behind.
  const copy = join(dirname(dir), 'copy');
  const positions = new Set<number>();
  const log = readdirSync(join(dir, 'votes')).find((name) => name.endsWith('.log'))!;
  const { size } = statSync(join(dir, 'votes', log));
  for (let cut = 0; cut < 60; cut++) {
    cpSync(dir, copy, { recursive: true });
    truncateSync(join(copy, 'votes', log), next(size + 1));
    const left = await open(copy);
    check(left, models[left.position]!);
    positions.add(left.position);
    await left.close();
    rmSync(copy, { recursive: true });
  }
  expect(positions.size).toBeGreaterThan(30);
  await store.close();
});

test('a write that is refused leaves the changes that follow in order', async () => {
  const store = await open();
  const first = toy('x'.repeat(200), true);
  await store.commit({ registers: new Map([['a', whole(first.text, true)]]), horizon: 10 });
  const registers = new Map([['a', grown(first, 'refused')]]);
  await expect(store.commit({ registers, horizon: 9 })).rejects.toThrow(/never falls/);
  await expect(
    store.commit({ registers: new Map([...registers, ['\ud800', whole('b')]]) }),
  ).rejects.toThrow();
  await expect(store.commit({ registers, meta: { '\udfff': 1 } })).rejects.toThrow(/not well-formed/);
  await store.commit({ registers: new Map([['a', grown(first, 'kept')]]) });
  expect(store.read('a')).toEqual(toy(`${first.text}kept`, true));
  await store.close();
});

test('no commit is smaller than the ring of commits takes it to be', async () => {
  expect(RING_SIZE * COMMIT_BYTES).toBeGreaterThanOrEqual(2 * LOG_BYTES);
  const store = await open();
  const logBytes = () => {
    const votes = join(dir, 'votes');
    return readFileSync(join(votes, readdirSync(votes).find((name) => name.endsWith('.log'))!)).length;
  };
  let record = toy('x'.repeat(200), true);
  await store.commit({ registers: new Map([['a', whole(record.text, true)]]) });
  const smallest: (() => Promise<number>)[] = [
    () => store.commit({ registers: new Map() }),
    () => store.commit({ registers: new Map(), horizon: store.horizon + 1 }),
    () => store.commit({ registers: new Map(), meta: { m: 0 } }),
    () => store.commit({ registers: new Map([['b', whole('')]]) }),
    () => {
      const write = grown(record, '');
      record = write.toy;
      return store.commit({ registers: new Map([['a', write]]) });
    },
  ];
  for (const commit of smallest) {
    const before = logBytes();
    for (let n = 0; n < 6; n++) await commit();
    expect((logBytes() - before) / 6).toBeGreaterThan(COMMIT_BYTES);
    expect((logBytes() - before) / 6).toBeLessThan(COMMIT_BYTES + 64);
  }
  await store.close();
});
