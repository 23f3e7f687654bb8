/**
 * A guard for one file on one machine: the token of whoever wrote it last stands beside it, in PATH.fence.
 * Always true: PATH is replaced as a whole, and only while PATH.fence holds the token of the writer. The token goes to
 * the disk first: after a crash between the two the mark is too high, which is safe, never too low.
 *
 * Node has no flock, so the writers of one machine take turns by PATH.busy, which is made by whoever comes first and
 * names its process. What this cannot do:
 * - Writers on several machines: a network file system may give PATH.busy to two of them.
 * - Writers that do not come through here. Readers need not: they see the old file or the new one.
 * - See into other containers. A process there has another host name, so its PATH.busy is never broken. If it dies
 *   in its turn somebody has to remove that; so too if the number of a dead one went to another process.
 * - Keep the owner or hard links of PATH: it is a new file each time. The mode stays.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkToken, type Fence, type Marks, StaleTokenError } from '../fence.ts';

const TURN_MS = 10;

export class FileGuard implements Marks {
  private readonly path: string;
  private readonly patienceMs: number;

  /**
   * @param path stands for one resource: it is written under one scope, and of a semaphore by one slot.
   * @param patienceMs how long to wait for the turns of others, milliseconds.
   */
  constructor(path: string, patienceMs = 10_000) {
    this.path = path;
    this.patienceMs = patienceMs;
  }

  /** Replaces the file. @throws StaleTokenError: then it is as it was. */
  write(lock: Fence, content: string | Uint8Array): Promise<void> {
    return this.inTurn(lock, () => replace(this.path, content));
  }

  /**
   * Reads what is to be changed; from here on older holders are refused.
   * @returns undefined if there is no file yet.
   * @throws StaleTokenError
   */
  take(lock: Fence): Promise<Buffer | undefined> {
    return this.inTurn(lock, () => readFile(this.path).catch(unlessMissing));
  }

  raise(lock: Fence): Promise<void> {
    return this.inTurn(lock, async () => undefined);
  }

  private inTurn<T>(lock: Fence, work: () => Promise<T>): Promise<T> {
    checkToken(lock.fencingToken);
    return alone(`${this.path}.busy`, this.patienceMs, async () => {
      const mark = `${this.path}.fence`;
      const seen = await readMark(mark);
      if (lock.fencingToken < seen) throw new StaleTokenError(lock);
      if (lock.fencingToken > seen) await replace(mark, `${lock.fencingToken}\n`);
      return work();
    });
  }
}

async function readMark(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(unlessMissing);
  if (text === undefined) return -1;
  if (!/^\d{1,16}\n$/.test(text))
    throw new Error(`${path} holds no token: nothing is written before it is mended`);
  return Number(text);
}

/** On the disk, whole, when it resolves. */
async function replace(path: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${path}.${randomUUID()}.tmp`;
  const old = await stat(path).catch(unlessMissing);
  try {
    const file = await open(fresh, 'wx', old?.mode);
    try {
      if (old !== undefined) await file.chmod(old.mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } finally {
    await rm(fresh, { force: true });
  }
  const folder = await open(dirname(path));
  await folder.sync().finally(() => folder.close());
}

/** Runs `work` while no other process of this machine, and no other call of this one, does. */
async function alone<T>(busy: string, patienceMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + patienceMs;
  const id = randomUUID();
  const mine = `${busy}.${id}`;
  // A link appears at once and with its content, or not at all. A file that is opened would be empty at first.
  await writeFile(mine, `${process.pid} ${hostname()} ${id}`);
  try {
    while (!(await claim(mine, busy))) {
      if (await breakDead(busy)) continue;
      if (performance.now() > deadline) {
        throw new Error(`${busy} has been there for ${patienceMs} ms: remove it if its process is gone`);
      }
      await sleep(TURN_MS * (0.5 + Math.random()));
    }
    try {
      return await work();
    } finally {
      await unlink(busy);
    }
  } finally {
    await unlink(mine);
  }
}

async function claim(mine: string, busy: string): Promise<boolean> {
  try {
    await link(mine, busy);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** @returns whether it is worth another try at once. */
async function breakDead(busy: string): Promise<boolean> {
  const found = await readFile(busy, 'utf8').catch(unlessMissing);
  if (found === undefined) return true;
  const [pid, host] = found.split(' ');
  return host === hostname() && !isAlive(Number(pid)) && removeDead(busy, found);
}

/**
 * Removes what a process of this machine left behind when it died: one at a time, and only what was found dead. Many
 * may have found it so, and by now it may be somebody's who lives.
 */
export async function removeDead(busy: string, found: string): Promise<boolean> {
  const breaking = `${busy}.breaking`;
  try {
    await mkdir(breaking);
  } catch {
    return false;
  }
  try {
    if ((await readFile(busy, 'utf8').catch(unlessMissing)) === found) {
      await unlink(busy);
      await rm(`${busy}.${found.split(' ')[2]}`, { force: true });
    }
  } finally {
    await rmdir(breaking);
  }
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
