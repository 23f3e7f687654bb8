import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Tidy } from '../../../src/mesh/tidy.ts';

let collections = 0;
let tidy: Tidy;

beforeEach(() => {
  vi.useFakeTimers();
  collections = 0;
  tidy = new Tidy(() => collections++);
});

afterEach(() => {
  tidy.stop();
  vi.useRealTimers();
});

test('memory is tidied when many were frozen and no more are: twice, for pages that were emptied are given back then', () => {
  for (let frozen = 5_000; frozen <= 50_000; frozen += 5_000) {
    tidy.look(frozen);
    vi.advanceTimersByTime(1_000);
  }
  expect(collections).toBe(0);
  vi.advanceTimersByTime(5_000);
  expect(collections).toBe(1);
  tidy.look(50_000);
  vi.advanceTimersByTime(5_000);
  expect(collections).toBe(2);
  tidy.look(55_000);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(2);
});

test('few are not worth it, also of a peer that counts anew', () => {
  tidy.look(9_999);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(0);
  tidy.look(20_000);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(2);
  tidy.look(100);
  tidy.look(9_000);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(2);
  tidy.look(10_000);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(4);
});

test('after a long pause, never again', () => {
  let now = 0;
  const slow = new Tidy(
    () => {
      collections++;
      now += 301;
    },
    () => now,
  );
  slow.look(10_000);
  vi.advanceTimersByTime(60_000);
  slow.look(30_000);
  vi.advanceTimersByTime(60_000);
  expect(collections).toBe(1);
});

/** In a process of its own: a worker of the test runner shares its engine with others. */
const CHILD = `
import { Tidy } from ${JSON.stringify(new URL('../../../src/mesh/tidy.ts', import.meta.url).href)};
let many = Array.from({ length: 2_000_000 }, (_, i) => ({ i }));
const before = process.memoryUsage().heapUsed;
many = undefined;
new Tidy().look(10_000);
const timer = setInterval(() => {
  if (process.memoryUsage().heapUsed < before / 2) clearInterval(timer);
}, 100);
`;

test('the engine does it', async () => {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', CHILD];
  const child = spawn(process.execPath, args, { stdio: 'inherit', timeout: 30_000 });
  expect(await once(child, 'exit')).toEqual([0, null]);
}, 40_000);
