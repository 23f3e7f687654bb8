/** A peer whose disk refuses a flush says so last of all, ends with 1, and has acknowledged nothing that is not there. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { freePorts, MAIN, until } from './up.ts';

const dir = mkdtempSync(join(tmpdir(), 'quorate-fatal-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** @param blocks limit of the size of any file that it writes, in the shell's blocks; a full disk answers alike. */
function start(port: number, blocks: number | 'unlimited') {
  const args = ['peer', '--name', 'p1', '--roster', `p1=127.0.0.1:${port}`, '--data-dir', join(dir, 'p1')];
  const line = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const child = spawn('sh', ['-c', line, process.execPath, MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const seen = { child, out: '', err: '', code: undefined as number | null | undefined };
  child.stdout.on('data', (chunk) => {
    seen.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    seen.err += chunk;
  });
  child.on('close', (code) => {
    seen.code = code;
  });
  return seen;
}

test.skipIf(process.platform === 'win32')('a full disk', async () => {
  const port = await freePorts(1);
  const lock = async (scope: string, action: string) => {
    const body = JSON.stringify({ scope, action, timeout: 'none' });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`http://127.0.0.1:${port}/api/v1.0/lock`, { method: 'POST', headers, body });
    return ((await response.json()) as { status: string }).status;
  };
  // The log's files are laid out at full size when the directory is made: that is not what is to fail here.
  const first = start(port, 'unlimited');
  await until('it is ready', () => first.out.startsWith('ready'));
  first.child.kill('SIGTERM');
  await until('it ended', () => first.code !== undefined);
  const full = start(port, 200);
  await until('it is ready', () => full.out.startsWith('ready'));
  const held: string[] = [];
  while (held.length < 10_000) {
    const scope = `s${held.length}`;
    if ((await lock(scope, 'lock').catch(() => 'gone')) !== 'locked') break;
    held.push(scope);
  }
  await until('it ended', () => full.code !== undefined);
  expect(full.code).toBe(1);
  expect(full.err.trimEnd().split('\n').at(-1)).toMatch(
    /^quorate: p1 cannot go on: .*failed while writing votes/,
  );
  expect(held.length).toBeGreaterThan(10);

  const roomy = start(port, 'unlimited');
  try {
    await until('it is ready', () => roomy.out.startsWith('ready'));
    for (const scope of held) expect(await lock(scope, 'status')).toBe('locked');
  } finally {
    roomy.child.kill('SIGKILL');
  }
});
