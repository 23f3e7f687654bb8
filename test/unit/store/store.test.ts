/** What goes in comes out, also after the directory was opened again. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LIMITS, openStore } from '../../../src/store/store.ts';
import { newDir, SMALL_LOG, type ToyStore, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

let dir: string;
let store: ToyStore;

const reopen = async () => {
  await store.close();
  store = await openStore(dir, toyCodec, SMALL_LOG);
};
const put = (...entries: [string, ToyWrite][]) => store.commit({ registers: new Map(entries) });
const NONE: ReadonlyMap<string, ToyWrite> = new Map();

beforeEach(async () => {
  dir = newDir();
  store = await openStore(dir, toyCodec, SMALL_LOG);
});

afterEach(async () => {
  await store.close();
  rmSync(dirname(dir), { recursive: true });
});

describe('a store', () => {
  test('keeps registers, meta and horizon', async () => {
    expect(store.read('a')).toBeUndefined();
    expect(store.meta('roster')).toBeUndefined();
    expect(store.horizon).toBe(0);
    const roster = { voters: ['p1', 'p2'], hash: new Uint8Array([1, 2, 3]) };
    await store.commit({ registers: new Map([['a', whole('one')]]), horizon: 1000, meta: { roster } });
    await put(['a', whole('two')], ['Ünïcode/ключ/鍵/🔒', whole('three')]);
    for (const _ of ['before', 'after reopening']) {
      expect(store.read('a')).toEqual(toy('two'));
      expect(store.read('Ünïcode/ключ/鍵/🔒')).toEqual(toy('three'));
      expect(store.read('nobody')).toBeUndefined();
      expect(store.meta('roster')).toEqual({ ...roster, hash: Buffer.from(roster.hash) });
      expect(store.horizon).toBe(1000);
      await reopen();
    }
  });

  test('keeps scopes apart from its own records', async () => {
    const scopes = ['f', 'i', 'b', 'z', 'mroster', 'p1', 'ha', 'ra', '0', '\u{10ffff}'];
    await put(...scopes.map((scope): [string, ToyWrite] => [scope, whole(scope, true)]));
    await reopen();
    for (const scope of scopes) expect(store.read(scope)).toEqual(toy(scope, true));
    expect(new Map(store.held()).size).toBe(scopes.length);
  });

  test('has an identity that stays and a boot number that grows', async () => {
    const { identity, boot } = store;
    expect(identity).toMatch(/^[0-9a-f]{16}$/);
    expect(Math.floor(boot / 2 ** 20)).toBe(1);
    await reopen();
    expect(store.identity).toBe(identity);
    expect(Math.floor(store.boot / 2 ** 20)).toBe(2);
    expect(Number.isSafeInteger(store.boot)).toBe(true);
    const other = newDir();
    const stranger = await openStore(other, toyCodec, SMALL_LOG);
    expect(stranger.identity).not.toBe(identity);
    await stranger.close();
    rmSync(dirname(other), { recursive: true });
  });

  test('has a position that grows by one with each commit, and not by opening', async () => {
    expect(store.position).toBe(0);
    await reopen();
    expect(store.position).toBe(0);
    expect(await put(['a', whole('one')])).toBe(1);
    expect(await store.commit({ registers: NONE, horizon: 7 })).toBe(2);
    await reopen();
    expect(store.position).toBe(2);
    expect(await put(['a', whole('two')])).toBe(3);
  });

  test('runs commits in the order in which they were asked for', async () => {
    const positions = await Promise.all(
      Array.from({ length: 100 }, (_, n) => store.commit({ registers: new Map([['a', whole(`${n}`)]]) })),
    );
    expect(positions).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(store.read('a')).toEqual(toy('99'));
  });

  test('a commit asked for on another one’s answer does not overtake one that waits', async () => {
    const first = put(['a', whole('first')]);
    const waits = put(['a', whole('second')]);
    await Promise.all([first.then(() => put(['a', whole('third')])), waits]);
    expect(store.read('a')).toEqual(toy('third'));
  });

  test('shows a commit only once it is flushed', async () => {
    const writing = put(['a', whole('one', true)]);
    expect(store.read('a')).toBeUndefined();
    expect([...store.held()]).toEqual([]);
    await writing;
    expect(store.read('a')).toEqual(toy('one', true));
  });

  test('gives back the very record that was committed lately', async () => {
    const write = whole('one', true);
    await put(['a', write]);
    expect(store.read('a')).toBe(write.toy);
    await reopen();
    expect(store.read('a')).toEqual(write.toy);
  });

  test('waits for a commit under way before it closes', async () => {
    const writing = Promise.all([put(['a', whole('one')]), put(['b', whole('two')])]);
    await reopen();
    await writing;
    expect(store.read('b')).toEqual(toy('two'));
  });

  test('refuses a horizon that falls, and goes on', async () => {
    await store.commit({ registers: NONE, horizon: 20 });
    await expect(store.commit({ registers: NONE, horizon: 19 })).rejects.toThrow(/never falls/);
    expect(store.horizon).toBe(20);
    await put(['a', whole('one')]);
    expect(store.read('a')).toEqual(toy('one'));
  });

  test('refuses text with a lone surrogate, which another text could equal on disk', async () => {
    await expect(put(['a\ud800', whole('one')])).rejects.toThrow(/not well-formed/);
    await expect(store.commit({ registers: NONE, meta: { '\udfff': 1 } })).rejects.toThrow(/not well-formed/);
    expect(await put(['a\u{1f512}', whole('one')])).toBe(1);
  });
});

describe('the index of held registers', () => {
  test('follows each register', async () => {
    await put(['a', whole('a', true)], ['b', whole('b')], ['c', whole('c', true)]);
    await put(['a', whole('free')], ['b', whole('held now', true)]);
    await put(['c', whole('held again', true)]);
    for (const _ of ['before', 'after reopening']) {
      expect(new Map(store.held())).toEqual(
        new Map([
          ['b', toy('held now', true)],
          ['c', toy('held again', true)],
        ]),
      );
      await reopen();
    }
  });

  test('follows commits that are asked for before the former ended', async () => {
    await Promise.all(
      Array.from({ length: 31 }, (_, n) =>
        store.commit({ registers: new Map([['a', whole(`${n}`, n % 2 === 0)]]) }),
      ),
    );
    await reopen();
    expect([...store.held()]).toEqual([['a', toy('30', true)]]);
  });
});

test('refuses commits once it is closed', async () => {
  await store.close();
  await expect(put(['a', whole('one')])).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('everything lives in one folder of the data directory, the log at full size', async () => {
  const other = newDir();
  const full = await openStore(other, toyCodec);
  expect(readdirSync(other)).toEqual(['votes']);
  expect(statSync(join(other, 'votes', 'segment-a')).size).toBe(LIMITS.segmentBytes);
  await full.close();
  expect(statSync(join(other, 'votes', 'segment-b')).size).toBe(LIMITS.segmentBytes);
  rmSync(dirname(other), { recursive: true });
});
