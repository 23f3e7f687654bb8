/** What the log has and the shelf lacks comes back, wherever the taking over was when the process ended. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../../../src/store/engine.ts';
import { Recent } from '../../../src/store/recent.ts';
import { Shelf } from '../../../src/store/shelf.ts';
import { openStore } from '../../../src/store/store.ts';
import { grown, newDir, onShelf, SMALL_LOG, type Toy, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

let dir: string;
const ONE = toy('one', true);
const TWO = toy('one+two', true);
const THREE = toy('one+two+three', true);

/** The shelf has commit 1, and the log has two more. */
beforeEach(async () => {
  dir = newDir();
  await (await openStore(dir, toyCodec, SMALL_LOG)).close();
  await onShelf(dir, ['a', whole(ONE.text, true)]);
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  for (const write of [grown(ONE, '+two'), grown(TWO, '+three')])
    await store.commit({ registers: new Map([['a', write]]), horizon: store.horizon + 10 });
  await store.close();
});

afterEach(() => {
  rmSync(dirname(dir), { recursive: true });
});

/** What a taking over leaves on the shelf, in one group of several or in the last one. */
async function shelve(scope: string, write: ToyWrite, position: number, horizon: number): Promise<void> {
  const engine = await Engine.open(join(dir, 'votes'));
  const shelf = new Shelf(engine, toyCodec, SMALL_LOG);
  await shelf.load();
  const recent = new Recent<ToyWrite>(toyCodec, horizon, position);
  recent.put(scope, write);
  await shelf.take(recent, () => true);
  await engine.close();
}

async function opened(): Promise<{ position: number; horizon: number; a: Toy | undefined }> {
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  const { position, horizon } = store;
  const a = store.read('a');
  await store.close();
  return { position, horizon, a };
}

test('what the shelf lacks is there', async () => {
  expect(await opened()).toEqual({ position: 3, horizon: 20, a: THREE });
});

test.each([
  ['the first', TWO],
  ['the last', THREE],
])('a register that is on the shelf as after %s of its commits comes out the same', async (_, record) => {
  await shelve('a', whole(record.text, true), 1, 0);
  expect(await opened()).toEqual({ position: 3, horizon: 20, a: THREE });
});

test('once the shelf has all, the same commits are passed over', async () => {
  await shelve('a', whole(THREE.text, true), 3, 20);
  expect(await opened()).toEqual({ position: 3, horizon: 20, a: THREE });
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  expect(await store.commit({ registers: new Map([['a', grown(THREE, '!')]]) })).toBe(4);
  await store.close();
  expect(await opened()).toEqual({ position: 4, horizon: 20, a: grown(THREE, '!').toy });
});

test('a register on the shelf that no commit leads to is damage', async () => {
  await shelve('a', whole('another', true), 1, 0);
  await expect(opened()).rejects.toThrow(/no commit leads to .*, which is the register of "a"/);
  await shelve('a', whole(TWO.text, false), 1, 0);
  await expect(opened()).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
});

test('a commit that is written whole counts, whatever the shelf has', async () => {
  const store = await openStore(dir, toyCodec, SMALL_LOG);
  await store.commit({ registers: new Map([['a', whole('anew')]]) });
  await store.close();
  await shelve('a', whole('another', true), 1, 0);
  expect((await opened()).a).toEqual(toy('anew'));
});
