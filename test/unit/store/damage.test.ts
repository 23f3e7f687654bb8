/** Data that is not what was written is refused with a text that says where and what to do, never trusted. */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { pack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generationHead } from '../../../src/store/chain.ts';
import { packGroup } from '../../../src/store/groups.ts';
import { frame } from '../../../src/store/record.ts';
import { headOf, sealGroup } from '../../../src/store/segment.ts';
import { openStore } from '../../../src/store/store.ts';
import {
  grown,
  lastSegment,
  newDir,
  onShelf,
  SMALL_LOG,
  type ToyStore,
  type ToyWrite,
  toy,
  toyCodec,
  whole,
} from './toy.ts';

let dir: string;
let votes: string;
let store: ToyStore;

const put = (scope: string, write: ToyWrite) => store.commit({ registers: new Map([[scope, write]]) });
const MEND = /is damaged: .*move the directory away.*quorate roster replace NAME/;

/** Changes the files behind the store's back, as another program could. */
async function meddle(change: (db: ClassicLevel<string, Buffer>) => Promise<void>): Promise<void> {
  const db = new ClassicLevel<string, Buffer>(votes, { valueEncoding: 'buffer' });
  await db.open();
  await change(db);
  await db.close();
}

beforeEach(async () => {
  dir = newDir();
  votes = join(dir, 'votes');
  store = await openStore(dir, toyCodec, SMALL_LOG);
});

afterEach(async () => {
  await store.close();
  rmSync(dirname(dir), { recursive: true });
});

test('a damaged register is refused when it is read, and the others still can be', async () => {
  await store.close();
  await onShelf(dir, ['a', whole('one', true)], ['b', whole('two', true)]);
  await meddle(async (db) => {
    const bytes = (await db.get('ra'))!;
    bytes[bytes.length - 2]! ^= 1;
    await db.put('ra', bytes);
  });
  store = await openStore(dir, toyCodec, SMALL_LOG);
  expect(() => store.read('a')).toThrow(MEND);
  expect(() => store.read('a')).toThrow(`${votes} is damaged: record "ra": its checksum does not match`);
  expect(() => [...store.held()]).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
  expect(store.read('b')).toEqual(toy('two', true));
});

describe('a register that lies on disk as a base and its changes', () => {
  const BASE = 'x'.repeat(2000);
  const DELTA = (nth: number) => `da\u000000${nth}`;

  /** Three changes on top of a base. */
  async function chain(): Promise<void> {
    const writes: [string, ToyWrite][] = [['a', whole(BASE, true)]];
    for (const text of ['+1', '+2', '+3']) writes.push(['a', grown(writes.at(-1)![1].toy, text)]);
    await onShelf(dir, ...writes);
  }

  const refused = (why: RegExp) => {
    expect(() => store.read('a')).toThrow(MEND);
    expect(() => store.read('a')).toThrow(why);
    expect(() => [...store.held()]).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
  };

  beforeEach(async () => {
    await store.close();
    await chain();
    store = await openStore(dir, toyCodec, SMALL_LOG);
    expect(store.read('a')).toEqual(toy(`${BASE}+1+2+3`, true));
    await store.close();
  });

  test.each(['wa', DELTA(1), DELTA(2), DELTA(3)])('is damaged without its record %j', async (key) => {
    await meddle(async (db) => {
      expect(await db.get(key)).toBeDefined();
      await db.del(key);
    });
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/record ".*": it is missing/);
  });

  test.each(['ra', 'wa', DELTA(1), DELTA(3)])('is damaged if its record %j was changed', async (key) => {
    await meddle(async (db) => {
      const bytes = (await db.get(key))!;
      bytes[bytes.length - 2]! ^= 1;
      await db.put(key, bytes);
    });
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/record ".*": its checksum does not match/);
  });

  test('is damaged if a change stands in the place of another one', async () => {
    await meddle(async (db) => db.put(DELTA(2), (await db.get(DELTA(3)))!));
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/its checksum does not match/);
  });

  test('is damaged if a change was left behind by the base before', async () => {
    let stale: Buffer;
    await meddle(async (db) => {
      stale = (await db.get(DELTA(1)))!;
    });
    await chain();
    await meddle((db) => db.put(DELTA(1), stale));
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/it is of generation 1, not 2/);
  });

  test('is damaged if there is a change too many', async () => {
    await meddle(async (db) => db.put(DELTA(4), (await db.get(DELTA(3)))!));
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/there are more deltas than its 3/);
  });

  test('is damaged if a change does not build on the one before', async () => {
    const stray = grown(toy('another past'), '+2');
    const change = Buffer.concat([generationHead(1), toyCodec.encodeDelta(stray)]);
    await meddle((db) => db.put(DELTA(2), frame(DELTA(2), change)));
    store = await openStore(dir, toyCodec, SMALL_LOG);
    refused(/record "da.*2": builds on .*, not on/);
  });
});

test.each(['i', 'b', 's', 'z'])('without its record %s a store does not open', async (key) => {
  await store.close();
  await meddle((db) => db.del(key));
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(MEND);
});

test('without its format, but with groups, a store is no new one', async () => {
  await store.close();
  await meddle((db) => db.clear({ lt: 'p' }));
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(MEND);
});

test('a held register that is gone is damage', async () => {
  await store.close();
  await onShelf(dir, ['a', whole('one', true)]);
  await meddle((db) => db.del('ra'));
  store = await openStore(dir, toyCodec, SMALL_LOG);
  expect(() => [...store.held()]).toThrow(/the register of "a" is missing/);
});

describe('the log of the library under the shelf', () => {
  let log: string;

  beforeEach(async () => {
    await store.close();
    await onShelf(
      dir,
      ...Array.from({ length: 30 }, (_, n): [string, ToyWrite] => [`orders/${n}`, whole('x')]),
    );
    log = join(votes, readdirSync(votes).find((name) => name.endsWith('.log'))!);
    const library = (path: string) => !path.includes('segment');
    cpSync(votes, join(dirname(dir), 'before'), { recursive: true, filter: library });
  });

  test('gives back all groups', async () => {
    store = await openStore(dir, toyCodec, SMALL_LOG);
    expect(store.position).toBe(30);
    expect(store.read('orders/29')).toEqual(toy('x'));
  });

  test('that lost a group on replay shows as a gap', async () => {
    // The library leaves out the rest of a block of 32 kB, so there must be another one.
    const more = Array.from({ length: 90 }, (_, n): [string, ToyWrite] => [
      `more/${n}`,
      whole('x'.repeat(800)),
    ]);
    await onShelf(dir, ...more);
    log = join(votes, readdirSync(votes).find((name) => name.endsWith('.log'))!);
    const bytes = readFileSync(log);
    bytes[20_000]! ^= 1;
    writeFileSync(log, bytes);
    await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(/group \d+ of 121 is missing/);
  });

  test('that lost the last group is noticed by the vote log', async () => {
    const bytes = readFileSync(log);
    // A peer that opens it whole notes in the vote log what is on the shelf.
    await (await openStore(dir, toyCodec, SMALL_LOG)).close();
    for (const name of readdirSync(votes))
      if (/\.(log|ldb)$|^MANIFEST|^CURRENT/.test(name)) rmSync(join(votes, name));
    cpSync(join(dirname(dir), 'before'), votes, { recursive: true });
    writeFileSync(log, bytes.subarray(0, bytes.length - 20));
    await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(
      /commits from 30 to 30 are missing on the shelf/,
    );
  });
});

describe('the vote log', () => {
  const LAST = 40;

  beforeEach(async () => {
    for (let n = 1; n <= LAST; n++) await put('a', whole(`${n}`));
    await store.close();
  });

  test('that lost its last commit sets the position back, for the other peers to see', async () => {
    const { path, groups } = lastSegment(dir);
    const bytes = readFileSync(path);
    bytes.fill(0, groups.at(-1)!.at + 9);
    writeFileSync(path, bytes);
    store = await openStore(dir, toyCodec, SMALL_LOG);
    expect(store.position).toBe(LAST - 1);
    expect(store.read('a')).toEqual(toy(`${LAST - 1}`));
  });

  test('is damaged if another commit was changed', async () => {
    const { path, groups } = lastSegment(dir);
    const bytes = readFileSync(path);
    for (const { at, bytes: its } of groups.slice(0, -1)) {
      const changed = Buffer.from(bytes);
      changed[at + its.length - 1]! ^= 4;
      writeFileSync(path, changed);
      await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(MEND);
    }
  });

  test.each(['segment-a', 'segment-b'])('is damaged without %s', async (name) => {
    rmSync(join(votes, name));
    await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(
      `${name} is missing. This peer must not`,
    );
    expect(existsSync(join(votes, name))).toBe(false);
  });

  test('is damaged if it is that of another store', async () => {
    const other = newDir();
    await (await openStore(other, toyCodec, SMALL_LOG)).close();
    for (const name of ['segment-a', 'segment-b']) cpSync(join(other, 'votes', name), join(votes, name));
    await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(/is of the store [0-9a-f]{16}, not of/);
    rmSync(dirname(other), { recursive: true });
  });

  test('is damaged if a change does not build on what is there, or leads elsewhere', async () => {
    const right = grown(toy(`${LAST}`), '!');
    const cases: [scope: string, write: ToyWrite, ok: boolean][] = [
      ['a', grown(toy('another past'), '!'), false],
      ['a', { ...right, toy: toy('another future') }, false],
      ['nobody', grown(toy(''), '!'), false],
      ['a', right, true],
    ];
    const asSaid = { ...toyCodec, follows: () => true };
    const { path, end } = lastSegment(dir);
    const bytes = readFileSync(path);
    for (const [scope, write, ok] of cases) {
      const group = packGroup(asSaid, new Map([[scope, write]]), new Map(), 0, () => undefined);
      sealGroup(group, headOf(bytes)!.salt, LAST + 1);
      const changed = Buffer.from(bytes);
      changed.set(group, end);
      writeFileSync(path, changed);
      const opening = openStore(dir, toyCodec, SMALL_LOG);
      if (ok) store = await opening;
      else await expect(opening).rejects.toThrow(MEND);
    }
    expect(store.read('a')).toEqual(right.toy);
  });
});

test('a missing file of the library is damage', async () => {
  await store.close();
  store = await openStore(dir, toyCodec, SMALL_LOG); // replay moves the log into a table
  await store.close();
  rmSync(join(votes, readdirSync(votes).find((name) => name.endsWith('.ldb'))!));
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toThrow(MEND);
});

test('a directory of a newer version is left alone', async () => {
  await store.close();
  await meddle((db) => db.put('f', frame('f', pack(4))));
  await expect(openStore(dir, toyCodec, SMALL_LOG)).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
});
