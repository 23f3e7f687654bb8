/** What goes in comes out, also after the directory was opened again. */
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openStore, type Store } from '../../../src/store/store.ts';
import { newDir, type Toy, toy, toyCodec } from './toy.ts';

let dir: string;
let store: Store<Toy>;

const reopen = async () => {
  await store.close();
  store = await openStore(dir, toyCodec);
};
const put = (...entries: [string, Toy][]) => store.commit({ registers: new Map(entries) });
const NONE: ReadonlyMap<string, Toy> = new Map();

beforeEach(async () => {
  dir = newDir();
  store = await openStore(dir, toyCodec);
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
    await store.commit({ registers: new Map([['a', toy('one')]]), horizon: 1000, meta: { roster } });
    await put(['a', toy('two')], ['Ünïcode/ключ/鍵/🔒', toy('three')]);
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
    await put(...scopes.map((scope): [string, Toy] => [scope, toy(scope, true)]));
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
    const stranger = await openStore(other, toyCodec);
    expect(stranger.identity).not.toBe(identity);
    await stranger.close();
    rmSync(dirname(other), { recursive: true });
  });

  test('has a position that grows by one with each commit, and not by opening', async () => {
    expect(store.position).toBe(0);
    await reopen();
    expect(store.position).toBe(0);
    expect(await put(['a', toy('one')])).toBe(1);
    expect(await store.commit({ registers: NONE, horizon: 7 })).toBe(2);
    await reopen();
    expect(store.position).toBe(2);
    expect(await put(['a', toy('two')])).toBe(3);
  });

  test('runs commits in the order in which they were asked for', async () => {
    const positions = await Promise.all(
      Array.from({ length: 100 }, (_, n) => store.commit({ registers: new Map([['a', toy(`${n}`)]]) })),
    );
    expect(positions).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    expect(store.read('a')).toEqual(toy('99'));
  });

  test('a commit asked for on another one’s answer does not overtake one that waits', async () => {
    const first = put(['a', toy('first')]);
    const waits = put(['a', toy('second')]);
    await Promise.all([first.then(() => put(['a', toy('third')])), waits]);
    expect(store.read('a')).toEqual(toy('third'));
  });

  test('shows a commit only once it is flushed', async () => {
    const writing = put(['a', toy('one', true)]);
    expect(store.read('a')).toBeUndefined();
    expect([...store.held()]).toEqual([]);
    await writing;
    expect(store.read('a')).toEqual(toy('one', true));
  });

  test('takes the records as they are when they are handed over', async () => {
    const record = { text: 'before', held: false };
    const first = put(['b', toy('x')]);
    const second = put(['a', record]);
    record.text = 'after';
    await Promise.all([first, second]);
    expect(store.read('a')).toEqual(toy('before'));
  });

  test('waits for a commit under way before it closes', async () => {
    const writing = Promise.all([put(['a', toy('one')]), put(['b', toy('two')])]);
    await reopen();
    await writing;
    expect(store.read('b')).toEqual(toy('two'));
  });

  test('refuses a horizon that falls, and goes on', async () => {
    await store.commit({ registers: NONE, horizon: 20 });
    await expect(store.commit({ registers: NONE, horizon: 19 })).rejects.toThrow(/never falls/);
    expect(store.horizon).toBe(20);
    await put(['a', toy('one')]);
    expect(store.read('a')).toEqual(toy('one'));
  });

  test('refuses text with a lone surrogate, which another text could equal on disk', async () => {
    await expect(put(['a\ud800', toy('one')])).rejects.toThrow(/not well-formed/);
    await expect(store.commit({ registers: NONE, meta: { '\udfff': 1 } })).rejects.toThrow(/not well-formed/);
    expect(await put(['a\u{1f512}', toy('one')])).toBe(1);
  });
});

describe('the index of held registers', () => {
  test('follows each register', async () => {
    await put(['a', toy('a', true)], ['b', toy('b')], ['c', toy('c', true)]);
    await put(['a', toy('free')], ['b', toy('held now', true)]);
    await put(['c', toy('held again', true)]);
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
        store.commit({ registers: new Map([['a', toy(`${n}`, n % 2 === 0)]]) }),
      ),
    );
    await reopen();
    expect([...store.held()]).toEqual([['a', toy('30', true)]]);
  });
});

test('everything lives in one folder of the data directory', () => {
  expect(existsSync(join(dir, 'votes', 'CURRENT'))).toBe(true);
});
