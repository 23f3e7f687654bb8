/** Two files take turns; whatever step a crash leaves them at, all that was acknowledged is found, or it is refused. */
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GROUP_HEAD_BYTES, GROUPS_AT, HEADS_AT, headBytes, headOf } from '../../../src/store/segment.ts';
import { type Found, VoteLog } from '../../../src/store/vote-log.ts';

const ID = '0123456789abcdef';
/** Room for four groups. */
const BYTES = GROUPS_AT + 4 * 100;
const A = 'segment-a';
const B = 'segment-b';

let dir: string;
const logs = new Set<VoteLog>();

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'quorate-log-'));
});

afterEach(() => {
  for (const log of logs) log.close();
  logs.clear();
  rmSync(dir, { recursive: true });
});

async function create(): Promise<VoteLog> {
  const log = await VoteLog.create(dir, ID, 0, BYTES);
  logs.add(log);
  return log;
}

async function open(position: number): Promise<Found> {
  const found = await VoteLog.open(dir, ID, position, BYTES);
  logs.add(found.log);
  return found;
}

function close(log: VoteLog): void {
  logs.delete(log);
  log.close();
}

function append(log: VoteLog, position: number, bytes = 100): Promise<void> {
  const group = Buffer.alloc(bytes, position);
  expect(log.fits(bytes)).toBe(true);
  return new Promise((resolve, reject) => {
    log.append(group, position, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** A log with commits 1 to `last`, in as many segments as that takes; the shelf takes over what it must. */
async function filled(last: number): Promise<VoteLog> {
  const log = await create();
  await log.recycle(0);
  for (let position = 1; position <= last; position++) {
    if (!log.fits(100)) {
      if (!log.mayTurn) await log.recycle(position - 5);
      log.turn();
    }
    await append(log, position);
  }
  return log;
}

const seen = ({ before, newest }: Found) => [before, newest].map((groups) => groups.map((g) => g.position));

/** Changes a file in place. */
function meddle(name: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(join(dir, name));
  change(bytes);
  writeFileSync(join(dir, name), bytes);
}

describe('a vote log', () => {
  test('is empty at first', async () => {
    close(await create());
    expect(seen(await open(0))).toEqual([[], []]);
  });

  test('gives back what was written, and goes on behind it', async () => {
    close(await filled(2));
    const { log, ...found } = await open(0);
    expect(seen({ log, ...found })).toEqual([[], [1, 2]]);
    expect(found.newest[1]!.payload).toEqual(Buffer.alloc(100 - GROUP_HEAD_BYTES, 2));
    await append(log, 3);
    await append(log, 4);
    expect(log.fits(1)).toBe(false);
    close(log);
    expect(seen(await open(0))).toEqual([[], [1, 2, 3, 4]]);
  });

  test('goes on in the other segment, and gives back both', async () => {
    close(await filled(6));
    expect(seen(await open(0))).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
  });

  test('uses a file anew once it was recycled, and what it held is gone', async () => {
    const log = await filled(10);
    expect(log.filled).toBe(1 - 200 / BYTES);
    close(log);
    expect(seen(await open(4))).toEqual([
      [5, 6, 7, 8],
      [9, 10],
    ]);
    expect(readFileSync(join(dir, A)).length).toBe(BYTES);
  });

  test('has room for a group larger than a segment, and the file shrinks again', async () => {
    const log = await filled(4);
    log.turn();
    await append(log, 5, 3 * BYTES);
    expect(log.fits(1)).toBe(false);
    close(log);
    const again = (await open(4)).log;
    expect(readFileSync(join(dir, B)).length).toBe(GROUPS_AT + 3 * BYTES);
    await again.recycle(4);
    again.turn();
    await append(again, 6);
    await again.recycle(5);
    close(again);
    expect(readFileSync(join(dir, B)).length).toBe(BYTES);
    expect(seen(await open(5))).toEqual([[], [6]]);
  });

  test('a directory in which an attempt was broken off is made anew', async () => {
    close(await filled(6));
    close(await create());
    expect(seen(await open(0))).toEqual([[], []]);
  });
});

describe('after a crash', () => {
  test('before the other segment has its first group, the full one is the newest', async () => {
    const log = await filled(4);
    log.turn();
    close(log);
    const found = await open(0);
    expect(seen(found)).toEqual([[], [1, 2, 3, 4]]);
    expect(found.log.fits(100)).toBe(false);
    await found.log.recycle(0);
    found.log.turn();
    await append(found.log, 5);
    close(found.log);
    expect(seen(await open(0))).toEqual([[1, 2, 3, 4], [5]]);
  });

  test('once the shelf has all, and nothing new has come, the log may be empty', async () => {
    const log = await filled(4);
    log.turn();
    await log.recycle(4);
    close(log);
    const found = await open(4);
    expect(seen(found)).toEqual([[], []]);
    await append(found.log, 5);
    close(found.log);
    expect(seen(await open(4))).toEqual([[], [5]]);
  });

  test('in the middle of recycling, either copy of the head serves', async () => {
    const log = await filled(6);
    const old = headOf(readFileSync(join(dir, A)))!;
    expect(old.number).toBe(1);
    await log.recycle(4);
    close(log);
    const now = headOf(readFileSync(join(dir, A)))!;
    expect(now.number).toBe(3);
    expect(now.salt).not.toEqual(old.salt);
    const copies: [Buffer, Buffer, number[]][] = [
      // What the first copy says, what the second one says, and what is found in the segment then.
      [Buffer.alloc(60, 7), headBytes(old), [1, 2, 3, 4]],
      [headBytes(now), headBytes(old), []],
      [headBytes(now), Buffer.alloc(60, 7), []],
      [Buffer.alloc(60, 7), headBytes(now), []],
    ];
    for (const [first, second, left] of copies) {
      meddle(A, (bytes) => {
        bytes.set(first, HEADS_AT[0]);
        bytes.set(second, HEADS_AT[1]);
      });
      const found = await open(4);
      expect([...found.before, ...found.newest].map((g) => g.position)).toEqual([...left, 5, 6]);
      await append(found.log, 7);
      // The next attempt begins with the same files.
      meddle(B, (bytes) => bytes.fill(0, GROUPS_AT + 200));
      close(found.log);
    }
  });

  test('a torn group is overwritten by the next, at each point where it may be torn', async () => {
    close(await filled(6));
    const sound = readFileSync(join(dir, B));
    for (let cut = 0; cut <= 100; cut++) {
      const torn = Buffer.from(sound);
      torn.fill(0, GROUPS_AT + 100 + cut, GROUPS_AT + 200);
      writeFileSync(join(dir, B), torn);
      const { log, ...found } = await open(4);
      const left = cut === 100 ? [5, 6] : [5];
      expect(found.newest.map((g) => g.position)).toEqual(left);
      await append(log, left.length + 5, 40);
      close(log);
      const next = await open(4);
      expect(next.newest.map((g) => g.position)).toEqual([...left, left.length + 5]);
      close(next.log);
    }
  });

  test('a torn group at the end of a segment is left behind, if the next one needs another', async () => {
    const log = await filled(3);
    await append(log, 4, 99);
    close(log);
    meddle(A, (bytes) => bytes.fill(0, GROUPS_AT + 350));
    const found = await open(0);
    expect(seen(found)).toEqual([[], [1, 2, 3]]);
    await found.log.recycle(0);
    expect(found.log.fits(101)).toBe(false);
    found.log.turn();
    await append(found.log, 4, 101);
    close(found.log);
    expect(seen(await open(0))).toEqual([[1, 2, 3], [4]]);
  });

  test('a torn first group of a segment is gone for good', async () => {
    close(await filled(5));
    meddle(B, (bytes) => bytes.fill(0, GROUPS_AT + 50));
    const { log, ...found } = await open(0);
    expect(seen({ log, ...found })).toEqual([[], [1, 2, 3, 4]]);
    await log.recycle(0);
    log.turn();
    await append(log, 5);
    close(log);
    expect(seen(await open(0))).toEqual([[1, 2, 3, 4], [5]]);
  });
});

describe('is damaged, if', () => {
  const refused = async (position: number, why: RegExp) => {
    await expect(open(position)).rejects.toThrow(why);
    await expect(open(position)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
  };

  test.each([A, B])('%s is missing', async (name) => {
    close(await filled(6));
    rmSync(join(dir, name));
    await refused(0, new RegExp(`is damaged: ${name} is missing`));
  });

  test.each([A, B])('%s has no head', async (name) => {
    close(await filled(6));
    meddle(name, (bytes) => bytes.fill(0, 0, GROUPS_AT));
    await refused(0, new RegExp(`${name} has no head`));
    truncateSync(join(dir, name));
    await refused(0, new RegExp(`${name} has no head`));
  });

  test('a file is of another store', async () => {
    close(await filled(6));
    await expect(VoteLog.open(dir, 'f'.repeat(16), 0, BYTES)).rejects.toThrow(/is of the store 0123/);
  });

  test('one file is older than the other one needs', async () => {
    const log = await filled(6);
    cpSync(dir, `${dir}-old`, { recursive: true });
    for (let position = 7; position <= 14; position++) {
      if (!log.fits(100)) {
        await log.recycle(position - 5);
        log.turn();
      }
      await append(log, position);
    }
    close(log);
    // Segments 3 and 4 are there now; 1 and 2 were there.
    copyFileSync(join(`${dir}-old`, A), join(dir, A));
    await refused(8, /segment 1 is followed by segment 4/);
    copyFileSync(join(`${dir}-old`, B), join(dir, B));
    await refused(8, /commits from 7 to 8 are missing in the log/);
    rmSync(`${dir}-old`, { recursive: true });
  });

  test('commits are missing that the shelf lacks', async () => {
    close(await filled(10));
    await refused(2, /commits from 3 to 4 are missing on the shelf/);
    meddle(A, (bytes) => {
      for (const at of HEADS_AT) bytes.set(headBytes({ ...headOf(bytes)!, shelved: 0 }), at);
    });
    await refused(3, /commit 4 is missing before commit 5/);
    await refused(2, /commits from 3 on are missing before commit 5/);
  });

  test('the last commit of a segment is, though the next segment has more', async () => {
    close(await filled(6));
    meddle(A, (bytes) => {
      bytes[GROUPS_AT + 350]! ^= 1;
    });
    await refused(0, /commit 4 is missing before commit 5/);
  });

  test('a commit in the middle of a segment is', async () => {
    close(await filled(6));
    meddle(A, (bytes) => {
      bytes[GROUPS_AT + 150]! ^= 1;
    });
    await refused(0, /segment-a: the commit at byte 8292 is not what was written/);
  });

  test('any bit of it is, short of the last commit and the spare copies of heads', async () => {
    close(await filled(6));
    for (const [name, end] of [
      [A, GROUPS_AT + 400],
      [B, GROUPS_AT + 100],
    ] as const) {
      const sound = readFileSync(join(dir, name));
      for (let at = GROUPS_AT; at < end; at += 3) {
        const changed = Buffer.from(sound);
        changed[at]! ^= 1 << (at % 8);
        writeFileSync(join(dir, name), changed);
        await expect(open(0)).rejects.toMatchObject({ code: 'STORE_DAMAGED' });
      }
      writeFileSync(join(dir, name), sound);
    }
    expect(seen(await open(0))).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
  });
});

test('opening flushes the last group once more, and changes no byte', async () => {
  close(await filled(6));
  const before = [A, B].map((name) => readFileSync(join(dir, name)));
  close((await open(0)).log);
  expect([A, B].map((name) => readFileSync(join(dir, name)))).toEqual(before);
});
