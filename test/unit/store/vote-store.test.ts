/** The log and the shelf together: what goes where, how much of it stays in memory, and who waits for whom. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LIMITS, openStore } from '../../../src/store/store.ts';
import { grown, newDir, TOY_LIMITS, type Toy, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

let dir: string;

beforeEach(() => {
  dir = newDir();
});

afterEach(() => {
  rmSync(dirname(dir), { recursive: true });
});

/** The codec that ships with the toys, and how often a record or a change was made ready for the shelf. */
function counted() {
  const counts = { shelved: 0 };
  const codec = {
    ...toyCodec,
    encode: (record: Toy) => {
      counts.shelved++;
      return toyCodec.encode(record);
    },
    encodeDelta: (write: ToyWrite) => {
      counts.shelved++;
      return toyCodec.encodeDelta(write);
    },
  };
  return { counts, codec };
}

/** As many bytes as the groups of one segment may have. */
const ROOM = TOY_LIMITS.segmentBytes - 8192;

test('a scope that is written again and again costs the shelf one record per segment', async () => {
  const { counts, codec } = counted();
  const store = await openStore(dir, codec, TOY_LIMITS);
  let now = toy('');
  const COMMITS = 600;
  for (let n = 0; n < COMMITS; n++) {
    const write = n % 50 === 0 ? whole(`${n}`) : grown(now, '+');
    now = write.toy;
    await store.commit({ registers: new Map([['a', write]]) });
  }
  expect(store.read('a')).toBe(now);
  await store.close();
  const segments = Math.ceil((COMMITS * 120) / ROOM);
  expect(counts.shelved).toBeGreaterThan(2);
  expect(counts.shelved).toBeLessThanOrEqual(segments);
});

test('nothing goes to the shelf before a segment is full', async () => {
  const { counts, codec } = counted();
  const store = await openStore(dir, codec, { ...LIMITS, segmentBytes: 1024 * 1024 });
  for (let n = 0; n < 300; n++) await store.commit({ registers: new Map([[`orders/${n}`, whole('x')]]) });
  await store.close();
  expect(counts.shelved).toBe(0);
});

test('memory keeps what two segments brought, however fast commits come', async () => {
  const store = await openStore(dir, toyCodec, TOY_LIMITS);
  const TEXT = 'x'.repeat(100);
  const records: Toy[] = [];
  const commits: Promise<number>[] = [];
  for (let n = 0; n < 1000; n++) {
    const write = whole(TEXT + n, n % 3 === 0);
    records.push(write.toy);
    commits.push(store.commit({ registers: new Map([[`orders/${n}`, write]]) }));
  }
  const most = 2 * Math.ceil(ROOM / TEXT.length);
  for (const [n, commit] of commits.entries()) {
    await commit;
    if (n % 100 !== 0) continue;
    const inMemory = records.filter((record, n) => store.read(`orders/${n}`) === record).length;
    expect(inMemory).toBeLessThanOrEqual(most);
  }
  expect(await commits.at(-1)).toBe(1000);
  expect(records.filter((record, n) => store.read(`orders/${n}`) === record).length).toBeLessThanOrEqual(
    most,
  );
  for (const [n, record] of records.entries()) expect(store.read(`orders/${n}`)).toEqual(record);
  for (const name of readdirSync(join(dir, 'votes')).filter((name) => name.startsWith('segment')))
    expect(statSync(join(dir, 'votes', name)).size).toBe(TOY_LIMITS.segmentBytes);
  await store.close();
});

test('a segment with very many scopes is full', async () => {
  const store = await openStore(dir, toyCodec, { ...LIMITS, segmentBytes: 1024 * 1024, segmentScopes: 20 });
  const records: Toy[] = [];
  for (let n = 0; n < 400; n++) {
    const write = whole(`${n}`);
    records.push(write.toy);
    await store.commit({ registers: new Map([[`orders/${n}`, write]]) });
  }
  const inMemory = () => records.filter((record, n) => store.read(`orders/${n}`) === record).length;
  expect(inMemory()).toBeGreaterThan(0);
  // While the shelf is busy, a segment that has room goes on.
  expect(inMemory()).toBeLessThan(200);
  for (const [n, record] of records.entries()) expect(store.read(`orders/${n}`)).toEqual(record);
  await store.close();
});

test('a commit larger than a segment is one commit like any other', async () => {
  let store = await openStore(dir, toyCodec, TOY_LIMITS);
  const huge = whole('y'.repeat(5 * TOY_LIMITS.segmentBytes), true);
  for (let n = 0; n < 4; n++) {
    await store.commit({ registers: new Map([['small', whole(`${n}`)]]) });
    await store.commit({ registers: new Map([[`huge/${n}`, huge]]) });
    if (n % 2 === 0) {
      await store.close();
      store = await openStore(dir, toyCodec, TOY_LIMITS);
    }
    expect(store.position).toBe(2 * n + 2);
    for (let k = 0; k <= n; k++) expect(store.read(`huge/${k}`)).toEqual(huge.toy);
    expect(store.read('small')).toEqual(toy(`${n}`));
  }
  await store.close();
});

test('small records and the horizon survive the segments in which they were written', async () => {
  let store = await openStore(dir, toyCodec, TOY_LIMITS);
  const filler = () => store.commit({ registers: new Map([['filler', whole('z'.repeat(400))]]) });
  await store.commit({ registers: new Map(), meta: { roster: ['p1'], seen: 1 }, horizon: 500 });
  for (let n = 0; n < 3 * Math.ceil(ROOM / 400); n++) {
    await filler();
    if (n % 7 === 0) await store.commit({ registers: new Map(), meta: { seen: n } });
    expect(store.meta('roster')).toEqual(['p1']);
    expect(store.meta('seen')).toBe(n - (n % 7));
    expect(store.horizon).toBe(500);
    if (n % 9 !== 0) continue;
    await store.close();
    store = await openStore(dir, toyCodec, TOY_LIMITS);
  }
  await store.close();
});

test('a change that does not build on what was handed over last is written whole', async () => {
  let store = await openStore(dir, toyCodec, TOY_LIMITS);
  const base = toy('base', true);
  const put = (scope: string, write: ToyWrite) => store.commit({ registers: new Map([[scope, write]]) });
  const more = (before: Toy) => put('a', grown(before, '+'));
  const less = (before: Toy) => put('a', grown(before, '-'));
  await put('a', whole(base.text, true));
  // What is flushed is not what is on its way to the disk.
  await Promise.all([more(base), less(base)]);
  expect(store.read('a')).toEqual(toy('base-', true));
  // What is on its way is not what waits, and what waits first is not what waits last.
  const [one, two] = [toy('base-+', true), toy('base-++', true)];
  await Promise.all([
    more(toy('base-', true)),
    more(one),
    more(two),
    less(one),
    less(two),
    put('b', grown(two, '!')),
  ]);
  for (let life = 0; life < 2; life++) {
    expect(store.read('a')).toEqual(toy('base-++-', true));
    expect(store.read('b')).toEqual(toy('base-++!', true));
    await store.close();
    store = await openStore(dir, toyCodec, TOY_LIMITS);
  }
  await store.close();
});
