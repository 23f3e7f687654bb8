/** Writes on a real disk, whole and as changes: against a model, over many openings and after all kinds of ends. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../../../src/store/engine.ts';
import { Shelf } from '../../../src/store/shelf.ts';
import { openStore } from '../../../src/store/store.ts';
import {
  grown,
  lastSegment,
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

test('a crash leaves all that was acknowledged, and the commit under way whole or not at all', async () => {
  const lengths = fc.array(fc.tuple(fc.integer({ min: 1, max: 25 }), fc.nat(), fc.nat(3)), {
    minLength: 3,
    maxLength: 6,
  });
  const seen = { kept: 0, lost: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), lengths, async (seed, lives) => {
      const at = join(dirname(dir), `run-${seed}`);
      rmSync(at, { recursive: true, force: true });
      const next = draw(seed);
      let model = new Map<string, Toy>();
      let store = await open(at);
      for (const [commits, tear, how] of lives) {
        for (let n = 0; n < commits; n++) await store.commit({ registers: batchOf(next, model) });
        const acknowledged = store.position;
        const before = new Map(model);
        await store.commit({ registers: batchOf(next, model), horizon: store.horizon + 1 });
        await store.close();
        const whole = tearLast(at, tear, how);
        store = await open(at);
        seen[whole ? 'kept' : 'lost']++;
        if (!whole) model = before;
        expect(store.position).toBe(acknowledged + (whole ? 1 : 0));
        check(store, model);
      }
      await store.close();
    }),
    { numRuns: 12 },
  );
  expect(seen.kept).toBeGreaterThan(2);
  expect(seen.lost).toBeGreaterThan(2);
});

/** Undoes the write of the last commit in part, as a power cut may. @returns whether all of it is still there. */
function tearLast(at: string, tear: number, how: number): boolean {
  const { path, groups, end } = lastSegment(at);
  const { at: start } = groups.at(-1)!;
  const file = readFileSync(path);
  const torn = Buffer.from(file);
  const cut = start + (tear % (end - start));
  // The end is missing; the start is missing; one byte is another; or nothing is wrong with it.
  if (how === 0) torn.fill(0, cut, end);
  else if (how === 1) torn.fill(0, start, cut + 1);
  else if (how === 2) torn[cut]! ^= 1 + (tear % 255);
  writeFileSync(path, torn);
  return torn.equals(file);
}

test('wherever the log is cut off, each register is that of the last commit that is left', async () => {
  const store = await openStore(dir, toyCodec, { ...TOY_LIMITS, segmentBytes: 60_000 });
  const next = draw(11);
  const model = new Map<string, Toy>();
  const models: ReadonlyMap<string, Toy>[] = [new Map()];
  for (let n = 0; n < 80; n++) {
    await store.commit({ registers: batchOf(next, model) });
    models.push(new Map(model));
  }
  await store.close();
  const copy = join(dirname(dir), 'copy');
  const positions = new Set<number>();
  const { groups, end } = lastSegment(dir);
  expect(groups).toHaveLength(80);
  const start = groups[0]!.at;
  for (let n = 0; n < 30; n++) {
    cpSync(dir, copy, { recursive: true });
    const { path } = lastSegment(copy);
    writeFileSync(path, readFileSync(path).fill(0, start + next(end - start)));
    const left = await openStore(copy, toyCodec, TOY_LIMITS);
    check(left, models[left.position]!);
    positions.add(left.position);
    await left.close();
    rmSync(copy, { recursive: true });
  }
  expect(positions.size).toBeGreaterThan(15);
});

test('a taking over that was broken off anywhere is taken up again', async () => {
  const scopes = Array.from({ length: 300 }, (_, n) => `orders/${n}`);
  const limits = { ...TOY_LIMITS, segmentBytes: 80_000 };
  let ahead = 0;
  for (const turns of [0, 1, 2, 3, 5, 8, 12, 18]) {
    const at = join(dirname(dir), `turns-${turns}`);
    let store = await openStore(at, toyCodec, limits);
    const model = new Map<string, Toy>();
    const commit = async (text: string) => {
      const registers = new Map<string, ToyWrite>();
      for (const scope of scopes) {
        const before = model.get(scope);
        const write = before === undefined ? whole(text, true) : grown(before, text);
        model.set(scope, write.toy);
        registers.set(scope, write);
      }
      await store.commit({ registers });
    };
    for (let n = 0; n < 4; n++) await commit(`${n}`.repeat(20));
    // The segment is full: the next commit makes the shelf take it over.
    await commit('last');
    for (let n = 0; n < turns; n++) await new Promise(setImmediate);
    await store.close();
    const engine = await Engine.open(join(at, 'votes'));
    const shelf = new Shelf(engine, toyCodec, limits);
    await shelf.load();
    if (shelf.position === 0 && shelf.held.size > 0) ahead++;
    await engine.close();
    for (let life = 0; life < 2; life++) {
      store = await openStore(at, toyCodec, limits);
      for (const [scope, toy] of model) expect(store.read(scope)).toEqual(toy);
      expect(new Map(store.held())).toEqual(model);
      await commit('more');
      await store.close();
    }
  }
  expect(ahead).toBeGreaterThan(1);
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
