/**
 * The other half of guard.ts, in a process of its own: reads what there is to clear up, line by line, and does it once
 * the lines end, for whatever reason they do.
 * Always true: a process is named by its number and its start, so that nobody else's is ever ended.
 */
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startOf } from './proc.ts';

/** Who is not gone after this long is killed. */
const PATIENCE_MS = 5_000;

interface Kept {
  readonly pid: number;
  readonly start: string;
  readonly signal: NodeJS.Signals;
}

const kept: Kept[] = [];
const dirs: string[] = [];
const lives = ({ pid, start }: Kept) => startOf(pid) === start;

function send({ pid }: Kept, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile.
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
for await (const line of createInterface(process.stdin)) {
  const [what, ...rest] = line.split(' ');
  if (what === 'directory') dirs.push(rest.join(' '));
  else kept.push({ pid: Number(rest[0]), start: rest[1]!, signal: rest[2] as NodeJS.Signals });
}
for (const one of kept.filter(lives)) send(one, one.signal);
const deadline = performance.now() + PATIENCE_MS;
while (kept.some(lives) && performance.now() < deadline) await sleep(20);
for (const one of kept.filter(lives)) send(one, 'SIGKILL');
while (kept.some(lives)) await sleep(20);
for (const dir of dirs) rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
