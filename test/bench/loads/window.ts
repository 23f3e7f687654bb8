/**
 * The frame of every load. It runs in a process of its own, gets its options as JSON in its first argument, says
 * "start" when it begins to count and prints what it counted as one line of JSON. The load itself goes on until a line
 * comes in, so that what the servers count at both moments covers the same span.
 */
import { once } from 'node:events';
import type { Client } from '../rivals/rival.ts';

export interface Span {
  /** How long it really was: timers are late when the process is busy. */
  readonly seconds: number;
  /** Processor time of the load's own process. */
  readonly cpuMs: number;
}

export function readOptions<T>(): T {
  return JSON.parse(process.argv[2]!) as T;
}

/**
 * One lock for each, taken and released: what is connected, opened or prepared only when it is needed, is there
 * afterwards. @param prefix of the names
 */
export async function firstPairs(clients: readonly Client[], prefix: string): Promise<void> {
  const pair = async (client: Client, i: number) => (await client.acquire(`${prefix}/${i}`))();
  await Promise.all(clients.map(pair));
}

/** @param during what is counted: resolves when counting ends. */
export async function countFor(during: () => Promise<unknown>): Promise<Span> {
  process.stdout.write('start\n');
  const cpu = process.cpuUsage();
  const started = performance.now();
  await during();
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuMs: (user + system) / 1_000 };
}

/** Resolves when the servers' counters have been read, too. */
export async function report(result: object): Promise<void> {
  process.stdout.write(`${JSON.stringify(result)}\n`);
  await once(process.stdin, 'data');
  process.stdin.destroy();
}
