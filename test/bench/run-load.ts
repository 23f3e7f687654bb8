/**
 * Runs a load in a process of its own, and reads what it cost the servers meanwhile.
 */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Guard } from './guard.ts';
import { cpuMs } from './proc.ts';
import type { Servers } from './rivals/rival.ts';

/** Sums over all servers. */
export interface Cost {
  readonly cpuMs: number;
  readonly counts: Readonly<Record<string, number>>;
}

async function costOf({ pids, counts }: Omit<Servers, 'address'>): Promise<Cost> {
  const cpu = pids().reduce((sum, pid) => sum + cpuMs(pid), 0);
  return { cpuMs: cpu, counts: (await counts?.()) ?? {} };
}

/** As `npm run bench` compiles them: what tsx adds to each function it meets would count as the clients' work. */
const LOADS = new URL('../../dist/bench/test/bench/loads/', import.meta.url);
/** Beyond what it is to measure, a load may take this long: to start, and to build up what it measures. */
const LIMIT_MS = 60_000;

/**
 * @param script a file of loads/ that keeps to loads/window.ts, as JavaScript.
 * @param limitMs it is killed after that long.
 * @throws if it ends without a result.
 */
export async function runLoad<Result>(
  guard: Guard,
  script: string,
  options: object & { readonly ms?: number },
  servers: Omit<Servers, 'address'>,
  limitMs = LIMIT_MS + (options.ms ?? 0),
): Promise<{ readonly result: Result; readonly cost: Cost }> {
  const args = [fileURLToPath(new URL(script, LOADS)), JSON.stringify(options)];
  const child = guard.spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const tooLong = setTimeout(() => child.kill('SIGKILL'), limitMs);
  let before: Promise<Cost> | undefined;
  let after: Promise<Cost> | undefined;
  let result: Result | undefined;
  for await (const line of createInterface(child.stdout as Readable)) {
    if (line === 'start') {
      before = costOf(servers);
      before.catch(() => undefined); // It is looked at later; if the load fails first, that is the news.
    } else if (line.startsWith('{')) {
      after = costOf(servers);
      result = JSON.parse(line) as Result;
      await after;
      (child.stdin as Writable).end('done\n');
    }
  }
  const code = await ended;
  clearTimeout(tooLong);
  if (code !== 0 || before === undefined || after === undefined || result === undefined) {
    const how = code === null ? `was killed, at the latest after ${limitMs} ms` : `ended with ${code}`;
    throw new Error(`${script} ${how}, options ${JSON.stringify(options)}`);
  }
  const [from, to] = [await before, await after];
  const counts = Object.entries(to.counts).map(([name, count]) => [name, count - (from.counts[name] ?? 0)]);
  return { result, cost: { cpuMs: to.cpuMs - from.cpuMs, counts: Object.fromEntries(counts) } };
}
