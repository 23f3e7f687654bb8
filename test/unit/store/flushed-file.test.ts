/** What is written to a file is there, whichever way it is flushed. See crash.test.ts for the flush itself. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FlushedFile, flushNames } from '../../../src/store/flushed-file.ts';

let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-file-'));
  path = join(dir, 'file');
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

const WAYS = process.platform === 'linux' ? [true, false] : [false];

describe.each(WAYS)('a file whose descriptor flushes: %s', (through) => {
  test('has what was written where it was written', async () => {
    const file = new FlushedFile(path, true, through);
    await file.flushed(Buffer.from('hello'), 0);
    await file.flushed(Buffer.from('there'), 7);
    await file.flushed(Buffer.from('HE'), 0);
    expect(file.content().toString()).toBe('HEllo\0\0there');
    expect(file.size).toBe(12);
    file.close();
    const again = new FlushedFile(path, false, through);
    expect(again.content().toString()).toBe('HEllo\0\0there');
    again.close();
  });

  test('grows by zeros, and shrinks', async () => {
    const file = new FlushedFile(path, true, through);
    await file.flushed(Buffer.from('hello'), 0);
    await file.resize(3_000_000);
    expect(file.content().equals(Buffer.concat([Buffer.from('hello'), Buffer.alloc(2_999_995)]))).toBe(true);
    await file.resize(3_000_000);
    await file.resize(4);
    expect(readFileSync(path, 'utf8')).toBe('hell');
    file.close();
  });

  test('says what went wrong', async () => {
    expect(() => new FlushedFile(path, false, through)).toThrow(/ENOENT/);
    const file = new FlushedFile(path, true, through);
    file.close();
    await expect(file.flushed(Buffer.from('x'), 0)).rejects.toThrow(/EBADF/);
  });
});

test('names are flushed up to the directory that was there', () => {
  flushNames(dir);
  flushNames(join(dir, '.'), join(dir, '..'));
  if (process.platform !== 'win32') expect(() => flushNames(join(dir, 'none'))).toThrow(/ENOENT/);
});
