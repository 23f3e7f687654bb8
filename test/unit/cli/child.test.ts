/** Real processes: small scripts instead of peers. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Child } from '../../../src/cli/child.ts';

let dir: string;
let child: Child | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-child-'));
});
afterEach(async () => {
  await child?.stop();
  rmSync(dir, { recursive: true });
});

const told: string[] = [];

function start(script: string): Child {
  told.length = 0;
  child = new Child('p1', ['-e', script], join(dir, 'log'), 1_000, {
    started: (_pid, again) => told.push(again ? 'started again' : 'started'),
    said: (line) => told.push(`said ${line}`),
    ended: (why, code, last, pauseMs) => told.push(`${why} ${code} ${JSON.stringify(last)} ${pauseMs}`),
  });
  child.start();
  return child;
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('is started again after ever longer pauses, and its last words are told', async () => {
  start('console.log("here"); console.error("{}"); console.error("no disk"); process.exitCode = 1');
  await expect
    .poll(() => told.filter((line) => line.startsWith('started')).length, { timeout: 15_000 })
    .toBe(3);
  await child!.stop();
  expect(told.filter((line) => !line.startsWith('said')).slice(0, 5)).toEqual([
    'started',
    'ended with 1 1 "no disk" 250',
    'started again',
    'ended with 1 1 "no disk" 500',
    'started again',
  ]);
  expect(told).toContain('said here');
  expect(readFileSync(join(dir, 'log'), 'utf8')).toMatch(/no disk/);
});

test('a signal is named, and a log line is no last word', async () => {
  start('console.error("{}"); setInterval(() => {}, 1e6)');
  await expect.poll(() => readFileSync(join(dir, 'log'), 'utf8')).toBe('{}\n');
  process.kill(child!.pid!, 'SIGKILL');
  await expect.poll(() => told[1]).toBe('was ended by SIGKILL null "" 250');
});

test('stop asks first, and lets it finish', async () => {
  start(
    'process.on("SIGTERM", () => setTimeout(() => { console.error("bye"); process.exit(0); }, 100)); console.log("up"); setInterval(() => {}, 1e6)',
  );
  await expect.poll(() => told).toContain('said up');
  const { pid } = child!;
  await child!.stop();
  expect(alive(pid!)).toBe(false);
  expect(readFileSync(join(dir, 'log'), 'utf8')).toBe('bye\n');
  expect(told).toEqual(['started', 'said up']);
});

test('stop ends by force what does not end', async () => {
  start('process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1e6)');
  await expect.poll(() => told).toContain('said up');
  const { pid } = child!;
  const began = performance.now();
  await child!.stop();
  expect(performance.now() - began).toBeGreaterThan(900);
  expect(alive(pid!)).toBe(false);
});

test('it hears nothing of what was set for its parent', async () => {
  process.env.QUORATE_PEERS = '7';
  start('console.log(Object.keys(process.env).filter((name) => name.startsWith("QUORATE_")).length)');
  delete process.env.QUORATE_PEERS;
  await expect.poll(() => told).toContain('said 0');
});
