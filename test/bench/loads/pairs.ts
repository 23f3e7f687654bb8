/**
 * Callers that take and release locks nobody else wants, one pair after the other.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type RivalName } from '../rivals/index.ts';
import type { Client } from '../rivals/rival.ts';
import { quantile } from '../stats.ts';
import { countFor, firstPairs, readOptions, report, type Span } from './window.ts';

export interface PairsOptions {
  readonly rival: RivalName;
  readonly address: string;
  readonly callers: number;
  /** Client objects, each with connections of its own, that the callers share. */
  readonly objects: number;
  /** Each caller its own name again and again, or a fresh name each time. */
  readonly names: 'own' | 'fresh';
  readonly warmMs: number;
  readonly ms: number;
}

/** Latencies are of the acquire, in milliseconds. */
export interface PairsResult extends Span {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

const { rival, address, callers, objects, names, warmMs, ms } = readOptions<PairsOptions>();
const latencies: number[] = [];
let counting = false;
let count = 0;
let over = false;

async function run(client: Client, index: number): Promise<void> {
  for (let turn = 0; !over; turn++) {
    const scope = names === 'own' ? `bench/${index}` : `bench/${process.pid}/${index}/${turn}`;
    const started = performance.now();
    const release = await client.acquire(scope);
    const took = performance.now() - started;
    await release();
    if (!counting) continue;
    count++;
    latencies.push(took);
  }
}

const clients = await connect(rival, address, callers, objects);
await firstPairs(clients, `first/${process.pid}`);
const running = clients.map(run);
await sleep(warmMs);
const span = await countFor(async () => {
  counting = true;
  await sleep(ms);
  counting = false;
});
const result: PairsResult = {
  ...span,
  count,
  p50: quantile(latencies, 0.5),
  p99: quantile(latencies, 0.99),
};
await report(result);
over = true;
await Promise.all(running);
await Promise.all(clients.map((client) => client.close()));
