/**
 * Callers that all want one lock: whoever is granted releases at once and queues up again. Where nobody has a place in
 * a queue, the one who released is often the next: such a grant is no hand-off.
 * Always true: it fails if two hold at the same moment.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type RivalName } from '../rivals/index.ts';
import type { Client } from '../rivals/rival.ts';
import { jain, quantile } from '../stats.ts';
import { countFor, firstPairs, readOptions, report, type Span } from './window.ts';

export interface TurnsOptions {
  readonly rival: RivalName;
  readonly address: string;
  readonly callers: number;
  readonly objects: number;
  readonly warmMs: number;
  readonly ms: number;
}

/** Waits are from the question to the grant, in milliseconds. */
export interface TurnsResult extends Span {
  /** Grants in the span to somebody else than the last holder. */
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  /** How evenly the grants are spread over the callers: 1 is best. */
  readonly jain: number;
}

const { rival, address, callers, objects, warmMs, ms } = readOptions<TurnsOptions>();
const scope = `turns/${process.pid}`;
const waits: number[] = [];
const grants = new Array<number>(callers).fill(0);
let counting = false;
let over = false;
let holders = 0;
let lastHolder = -1;
let count = 0;

async function run(client: Client, index: number): Promise<void> {
  while (!over) {
    const asked = performance.now();
    const release = await client.acquire(scope);
    if (++holders > 1) throw new Error(`${rival}: ${holders} hold ${scope}`);
    if (counting) {
      waits.push(performance.now() - asked);
      grants[index]! += 1;
      if (index !== lastHolder) count++;
    }
    lastHolder = index;
    holders--;
    await release();
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
const result: TurnsResult = {
  ...span,
  count,
  p50: quantile(waits, 0.5),
  p99: quantile(waits, 0.99),
  jain: jain(grants),
};
await report(result);
over = true;
await Promise.all(running);
await Promise.all(clients.map((client) => client.close()));
