/**
 * What every service that is compared can do. The servers are started by the process that prints; clients live in the
 * process of the load, and are told no more than an address.
 */
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Guard } from '../guard.ts';

export interface Servers {
  /** For `connect`, in another process. */
  readonly address: string;
  /** The processes that do the work. */
  readonly pids: () => readonly number[];
  /** More that is counted, by name, since the start and over all servers. */
  readonly counts?: () => Promise<Readonly<Record<string, number>>>;
}

/** One caller. It asks for one thing at a time. */
export interface Client {
  /**
   * Takes the lock, and waits for it in the way of the service if somebody else has it.
   * @returns what releases it.
   */
  acquire(scope: string): Promise<() => Promise<void>>;
  close(): void | Promise<void>;
}

export interface Rival {
  /** What has to be installed, or undefined if nothing is missing. */
  missing(): string | undefined;
  start(guard: Guard): Promise<Servers>;
  /**
   * So many callers over so many client objects, each of which has connections of its own. A service whose callers
   * can't share a connection gives each one of its own.
   */
  connect(address: string, callers: number, objects: number): Promise<readonly Client[]>;
}

/** A lock is held for far less than this, in milliseconds; but some services want to know. */
export const LEASE_MS = 60_000;
/** Longer than any run: who waits is to be granted. */
export const MAX_WAIT = '1h';

export function installed(program: string): boolean {
  return spawnSync('which', [program]).status === 0;
}

/** Resolves with what `ask` gives, once it gives something. @throws with `what` after half a minute. */
export async function once<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const got = await ask().catch(() => undefined);
    if (got !== undefined) return got;
    if (performance.now() > deadline) throw new Error(`not within 30 s: ${what}`);
    await sleep(20);
  }
}
