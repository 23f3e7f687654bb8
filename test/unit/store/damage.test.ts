/** Data that is not what was written is refused with a text that says where and what to do, never trusted. */
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { pack } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generationHead } from '../../../src/store/chain.ts';
import { frame } from '../../../src/store/record.ts';
import { RING_SIZE } from '../../../src/store/ring.ts';
import { openStore } from '../../../src/store/store.ts';
import { grown, newDir, type ToyStore, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

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
  store = await openStore(dir, toyCodec);
});

afterEach(async () => {
  await store.close();
  rmSync(dirname(dir), { recursive: true });
});

test('a damaged register is refused when it is read, and the others still can be', async () => {
  await put('a', whole('one', true));
  await put('b', whole('two', true));
  await store.close();
  await meddle(async (db) => {
    const bytes = (await db.get('ra'))!;
    bytes[bytes.length - 2]! ^= 1;
    await db.put('ra', bytes);
  });
  store = await openStore(dir, toyCodec);
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
    let now = toy(BASE, true);
    await put('a', whole(now.text, true));
    for (const text of ['+1', '+2', '+3']) {
      const write = grown(now, text);
      await put('a', write);
      now = write.toy;
    }
  }

  const reopen = async () => {
    await store.close();
    store = await openStore(dir, toyCodec);
  };

  const refused = (why: RegExp) => {
    expect(() => store.read('a')).toThrow(MEND);
    expect(() => store.read('a')).toThrow(why);
    expect(() => [...store.held()]).toThrow(expect.objectContaining({ code: 'STORE_DAMAGED' }));
  };

  beforeEach(async () => {
    await chain();
    await reopen();
    expect(store.read('a')).toEqual(toy(`${BASE}+1+2+3`, true));
    await store.close();
  });

  test.each(['wa', DELTA(1), DELTA(2), DELTA(3)])('is damaged without its record %j', async (key) => {
    await meddle(async (db) => {
      expect(await db.get(key)).toBeDefined();
      await db.del(key);
    });
    store = await openStore(dir, toyCodec);
    refused(/record ".*": it is missing/);
  });

  test.each(['ra', 'wa', DELTA(1), DELTA(3)])('is damaged if its record %j was changed', async (key) => {
    await meddle(async (db) => {
      const bytes = (await db.get(key))!;
      bytes[bytes.length - 2]! ^= 1;
      await db.put(key, bytes);
    });
    store = await openStore(dir, toyCodec);
    refused(/record ".*": its checksum does not match/);
  });

  test('is damaged if a change stands in the place of another one', async () => {
    await meddle(async (db) => db.put(DELTA(2), (await db.get(DELTA(3)))!));
    store = await openStore(dir, toyCodec);
    refused(/its checksum does not match/);
  });

  test('is damaged if a change was left behind by the base before', async () => {
    let stale: Buffer;
    await meddle(async (db) => {
      stale = (await db.get(DELTA(1)))!;
    });
    store = await openStore(dir, toyCodec);
    await chain();
    await store.close();
    await meddle((db) => db.put(DELTA(1), stale));
    store = await openStore(dir, toyCodec);
    refused(/it is of generation 1, not 2/);
  });

  test('is damaged if there is a change too many', async () => {
    await meddle(async (db) => db.put(DELTA(4), (await db.get(DELTA(3)))!));
    store = await openStore(dir, toyCodec);
    refused(/there are more deltas than its 3/);
  });

  test('is damaged if a change does not build on the one before', async () => {
    const stray = grown(toy('another past'), '+2');
    const change = Buffer.concat([generationHead(1), toyCodec.encodeDelta(stray)]);
    await meddle((db) => db.put(DELTA(2), frame(DELTA(2), change)));
    store = await openStore(dir, toyCodec);
    refused(/record "da.*2": builds on .*, not on/);
  });
});

test.each(['i', 'b', 'z'])('without its record %s a store does not open', async (key) => {
  await store.close();
  await meddle((db) => db.del(key));
  await expect(openStore(dir, toyCodec)).rejects.toThrow(MEND);
});

test('without its format, but with commits, a store is no new one', async () => {
  await put('a', whole('one'));
  await store.close();
  await meddle((db) => db.clear({ lt: 'p' }));
  await expect(openStore(dir, toyCodec)).rejects.toThrow(MEND);
});

test('a held register that is gone is damage', async () => {
  await put('a', whole('one', true));
  await store.close();
  await meddle((db) => db.del('ra'));
  store = await openStore(dir, toyCodec);
  expect(() => [...store.held()]).toThrow(/the register of "a" is missing/);
});

test('a commit that the library lost on replay shows as a gap', async () => {
  for (let n = 0; n < 300; n++) await put(`orders/${n}`, whole('x'.repeat(200)));
  // A copy of a store in use is what a crash leaves behind: the commits are still in the library's log.
  const copy = join(dirname(dir), 'copy');
  cpSync(dir, copy, { recursive: true });
  const log = join(copy, 'votes', readdirSync(votes).find((name) => name.endsWith('.log'))!);

  const sound = await openStore(copy, toyCodec);
  expect(sound.read('orders/299')).toBeDefined();
  await sound.close();

  rmSync(copy, { recursive: true });
  cpSync(dir, copy, { recursive: true });
  const bytes = readFileSync(log);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  writeFileSync(log, bytes);
  await expect(openStore(copy, toyCodec)).rejects.toThrow(/commit \d+ of 300 is missing/);
});

test('commits lost at the very end set the position back, for the other peers to see', async () => {
  for (let n = 0; n < 5; n++) await put('a', whole(`${n}`));
  const copy = join(dirname(dir), 'copy');
  cpSync(dir, copy, { recursive: true });
  const log = join(copy, 'votes', readdirSync(votes).find((name) => name.endsWith('.log'))!);
  const bytes = readFileSync(log);
  writeFileSync(log, bytes.subarray(0, bytes.length - 20));
  const older = await openStore(copy, toyCodec);
  expect(older.read('a')).toEqual(toy('3'));
  expect(older.position).toBe(store.position - 1);
  await older.close();
});

test('the ring of commits goes round', async () => {
  await store.close();
  const last = 3 * RING_SIZE + 17;
  await meddle(async (db) => {
    const group = db.batch();
    for (let position = last - RING_SIZE + 1; position <= last; position++) {
      const value = Buffer.alloc(8);
      value.writeDoubleLE(position);
      group.put(`p${(position % RING_SIZE).toString(36)}`, value);
    }
    await group.write();
  });
  store = await openStore(dir, toyCodec);
  expect(store.position).toBe(last);
  await put('a', whole('one'));
  await store.close();
  await meddle((db) => db.del(`p${((last - 5) % RING_SIZE).toString(36)}`));
  await expect(openStore(dir, toyCodec)).rejects.toThrow(
    new RegExp(`commit ${last - 5} of ${last + 1} is missing`),
  );
});

test('a missing file is damage', async () => {
  await put('a', whole('one'));
  await store.close();
  store = await openStore(dir, toyCodec); // replay moves the log into a table
  await store.close();
  rmSync(join(votes, readdirSync(votes).find((name) => name.endsWith('.ldb'))!));
  await expect(openStore(dir, toyCodec)).rejects.toThrow(MEND);
});

test('a directory of a newer version is left alone', async () => {
  await store.close();
  await meddle((db) => db.put('f', frame('f', pack(3))));
  await expect(openStore(dir, toyCodec)).rejects.toMatchObject({ code: 'STORE_TOO_NEW' });
});
