import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkHolding, claim, writeHolding } from '../../../src/cli/claim.ts';
import { UsageError } from '../../../src/cli/settings.ts';

let dir: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'quorate-claim-')), 'data');
});
afterEach(() => rmSync(join(dir, '..'), { recursive: true }));

const file = () => join(dir, 'up.pid');

describe('claim', () => {
  test('makes the directory, refuses a second one by its process, and gives it back', () => {
    const release = claim(dir);
    expect(() => claim(dir)).toThrow(UsageError);
    expect(() => claim(dir)).toThrow(`another quorate up (process ${process.pid}) runs on ${dir}`);
    release();
    expect(existsSync(file())).toBe(false);
    claim(dir)();
  });

  test('takes over from a process that is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => child.on('exit', resolve));
    claim(dir)();
    writeFileSync(file(), JSON.stringify({ pid: child.pid, started: null }));
    claim(dir);
    expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ pid: process.pid });
  });

  test.runIf(existsSync('/proc/self/stat'))('takes over when another process has the number now', () => {
    claim(dir)();
    writeFileSync(file(), JSON.stringify({ pid: process.pid, started: 'another boot 7' }));
    claim(dir);
  });

  test('takes over from a torn claim', () => {
    claim(dir)();
    writeFileSync(file(), '{"pi');
    claim(dir);
  });

  test('says what it cannot use', () => {
    writeFileSync(join(dir, '..', 'plain'), '');
    expect(() => claim(join(dir, '..', 'plain', 'data'))).toThrow(/--data-dir: cannot use .*ENOTDIR/);
  });
});

describe('holding', () => {
  test('a mesh keeps its size', () => {
    claim(dir);
    checkHolding(dir, 3);
    writeHolding(dir, 3);
    checkHolding(dir, 3);
    expect(() => checkHolding(dir, 5)).toThrow(/--peers 5: .* holds a mesh of 3: start it with --peers 3/);
    writeFileSync(join(dir, 'mesh.json'), '{}');
    expect(() => checkHolding(dir, 3)).toThrow(/mesh\.json is damaged/);
  });
});
