/** Groups that the library lost show as gaps in the ring, and the ring reaches over all that it may lose. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine, LOG_BYTES } from '../../../src/store/engine.ts';
import { GROUP_BYTES, lastGroup, noteGroup, RING_SIZE } from '../../../src/store/ring.ts';
import { newDir } from './toy.ts';

let dir: string;
let engine: Engine;

beforeEach(async () => {
  dir = newDir();
  engine = await Engine.open(dir);
});

afterEach(async () => {
  await engine.close();
  rmSync(dirname(dir), { recursive: true });
});

test('the last group is known, and none before it is missing', async () => {
  expect(await lastGroup(engine)).toBe(0);
  for (let number = 1; number <= 20; number++) await engine.write((group) => noteGroup(group, number));
  expect(await lastGroup(engine)).toBe(20);
  await engine.write((group) => group.del(`p${(17).toString(36)}`));
  await expect(lastGroup(engine)).rejects.toThrow(/group 17 of 20 is missing/);
});

test('the ring goes round', async () => {
  const last = 3 * RING_SIZE + 17;
  await engine.write((group) => {
    for (let number = last - RING_SIZE + 1; number <= last; number++) noteGroup(group, number);
  });
  expect(await lastGroup(engine)).toBe(last);
  await engine.write((group) => noteGroup(group, last + 1));
  expect(await lastGroup(engine)).toBe(last + 1);
  await engine.write((group) => group.del(`p${((last - 5) % RING_SIZE).toString(36)}`));
  await expect(lastGroup(engine)).rejects.toThrow(`group ${last - 5} of ${last + 1} is missing`);
});

test('what stands in another slot than its own is damage', async () => {
  await engine.write((group) => group.put('p3', Buffer.alloc(8)));
  await expect(lastGroup(engine)).rejects.toThrow(/record p3 is no number of a group/);
});

test('no group is smaller than the ring takes it to be', async () => {
  expect(RING_SIZE * GROUP_BYTES).toBeGreaterThanOrEqual(2 * LOG_BYTES);
  const log = join(dir, readdirSync(dir).find((name) => name.endsWith('.log'))!);
  const bytes = () => readFileSync(log).length;
  const fills: ((put: (key: string, value: Uint8Array) => void) => void)[] = [
    () => {},
    (put) => put('b', Buffer.alloc(3)),
    (put) => put('d\0', Buffer.alloc(150)),
  ];
  let number = 0;
  for (const fill of fills) {
    const before = bytes();
    for (let n = 0; n < 6; n++) {
      await engine.write((group) => {
        fill(group.put.bind(group));
        noteGroup(group, ++number);
      });
    }
    expect((bytes() - before) / 6).toBeGreaterThan(GROUP_BYTES);
    expect((bytes() - before) / 6).toBeLessThan(GROUP_BYTES + 64);
  }
});
