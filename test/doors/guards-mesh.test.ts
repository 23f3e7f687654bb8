/** Guards with locks that a mesh granted: a `Lock` of the client goes in as it is. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { StaleTokenError } from '../../deploy/guards/fence.ts';
import { FileGuard } from '../../deploy/guards/file/guard.ts';
import { type Lock, Quorate } from '../../src/client/index.ts';
import { Up } from './up.ts';

let up: Up;
let mesh: Quorate;
let dir: string;
beforeAll(async () => {
  up = await Up.start(3);
  mesh = new Quorate({ servers: up.url(1) });
  dir = mkdtempSync(join(tmpdir(), 'quorate-guard-'));
});
afterAll(async () => {
  await mesh?.close();
  await up?.stop();
  rmSync(dir, { recursive: true, force: true });
});

test('who outlived its lease is refused once the next holder has been there', async () => {
  const path = join(dir, 'report');
  const guard = new FileGuard(path);
  const first = await mesh.acquire('report', { timeout: '500ms' });
  await guard.write(first, 'first');
  const second = await mesh.acquire('report', { wait: '20s' });
  expect(first.held).toBe(false);
  expect(second.fencingToken).toBeGreaterThan(first.fencingToken);
  // Nobody newer has been here yet. That is why a holder takes what it will change, and does not just read it.
  await guard.write(first, 'late, and let in');
  expect(String(await guard.take(second))).toBe('late, and let in');
  await expect(guard.write(first, 'late')).rejects.toThrow(StaleTokenError);
  await guard.write(second, 'second');
  expect(readFileSync(path, 'utf8')).toBe('second');
  await second.release();
});

test('permits: each slot has its own holders, one after the other', async () => {
  const pool = mesh.semaphore('pool', 2);
  const write = (permit: Lock, text: string) =>
    new FileGuard(join(dir, `slot-${permit.slot}`)).write(permit, text);
  const [a, b] = [await pool.acquire(), await pool.acquire()];
  expect([a.slot, b.slot]).toEqual([0, 1]);
  await write(b, 'b');
  await write(a, 'a');
  await a.release();
  const c = await pool.acquire();
  expect(c.slot).toBe(0);
  await write(c, 'c');
  await expect(write(a, 'late')).rejects.toThrow(StaleTokenError);
  await write(b, 'b again');
  expect([0, 1].map((slot) => readFileSync(join(dir, `slot-${slot}`), 'utf8'))).toEqual(['c', 'b again']);
  await Promise.all([b.release(), c.release()]);
});
