/**
 * One `up` at a time on one data directory.
 * Always true: the directory is claimed by a process that lives, or by none; a claim names the process and its start,
 * so that a later process with the same number is not taken for it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from './settings.ts';

interface Claim {
  readonly pid: number;
  /** When it started, as the system counts; null where the system does not tell. */
  readonly started: string | null;
}

/** What the directory holds, written when it is made. */
interface Holding {
  readonly peers: number;
}

/**
 * Claims the directory for this process, and makes it.
 * @returns gives it back.
 * @throws UsageError if another `up` uses it.
 */
export function claim(dir: string): () => void {
  const file = join(dir, 'up.pid');
  try {
    mkdirSync(dir, { recursive: true });
    // Twice: the first attempt may meet the claim of a process that is gone.
    if (!write(file) && !(removeStale(file, dir) && write(file))) throw taken(dir, read(file));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--data-dir: cannot use ${dir}: ${(error as Error).message}`);
  }
  return () => rmSync(file, { force: true });
}

function write(file: string): boolean {
  const mine: Claim = { pid: process.pid, started: startOf(process.pid) };
  try {
    writeFileSync(file, JSON.stringify(mine), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string): Claim | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Claim;
  } catch {
    return undefined; // just given back, or torn by a crash
  }
}

function removeStale(file: string, dir: string): boolean {
  const other = read(file);
  if (other !== undefined && lives(other)) throw taken(dir, other);
  rmSync(file, { force: true });
  return true;
}

function taken(dir: string, other: Claim | undefined): UsageError {
  const who = other === undefined ? 'another quorate up' : `another quorate up (process ${other.pid})`;
  return new UsageError(`--data-dir: ${who} runs on ${dir}: stop it, or choose another --data-dir`);
}

function lives({ pid, started }: Claim): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

/** The boot and the tick at which a process started, where there is /proc. */
function startOf(pid: number): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the start is the 22nd field, the 20th after the name.
    return `${boot} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return null;
  }
}

/** Refuses a directory that holds a mesh of another size: its peers would not know each other. */
export function checkHolding(dir: string, peers: number): void {
  const file = holdingFile(dir);
  if (!existsSync(file)) return;
  const held = readHolding(file);
  if (held === peers) return;
  throw new UsageError(
    `--peers ${peers}: ${dir} holds a mesh of ${held}: start it with --peers ${held}, or choose another --data-dir`,
  );
}

/** Notes what the directory holds from now on. */
export function writeHolding(dir: string, peers: number): void {
  const holding: Holding = { peers };
  writeFileSync(holdingFile(dir), `${JSON.stringify(holding)}\n`);
}

function holdingFile(dir: string): string {
  return join(dir, 'mesh.json');
}

function readHolding(file: string): number {
  try {
    const { peers } = JSON.parse(readFileSync(file, 'utf8')) as Holding;
    if (Number.isInteger(peers)) return peers;
  } catch {
    // as good as one without a number
  }
  throw new UsageError(
    `--data-dir: ${file} is damaged: write {"peers":COUNT} into it, as many as were there`,
  );
}
