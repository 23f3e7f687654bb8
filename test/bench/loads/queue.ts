/**
 * As many HTTP clients as are asked for take turns on one scope: each releases as soon as it is granted, and queues up
 * again at the end. Counting begins once all of them wait.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../connection.ts';
import { quantile } from '../stats.ts';
import { countFor, readOptions, report, type Span } from './window.ts';

export interface QueueOptions {
  readonly ports: readonly number[];
  readonly clients: number;
  readonly ms: number;
}

export interface QueueResult extends Span {
  /** Grants in the span. */
  readonly count: number;
  /** Of those who asked in the span, too; null if there were none. */
  readonly p50: number | null;
  readonly p99: number | null;
}

/** So many queue up at a time, so that no peer is overrun before the start. */
const WAVE = 200;
/** From the first hand-off to the start. */
const WARM_MS = 500;

const { ports, clients, ms } = readOptions<QueueOptions>();
const scope = `hand-off/${process.pid}`;
const LOCK = `{"scope":"${scope}","action":"lock","timeout":"120s","wait":"1h"}`;
const waits: number[] = [];
let count = 0;
let from = Number.POSITIVE_INFINITY;
let counting = false;

function idOf(answer: string): string {
  return /"lock_id":"([^"]+)"/.exec(answer)?.[1] ?? '';
}

async function takeTurns(connection: Connection): Promise<void> {
  for (;;) {
    const asked = performance.now();
    const id = idOf(await connection.ask(LOCK));
    if (counting) {
      count++;
      if (asked >= from) waits.push(performance.now() - asked);
    }
    await connection.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
  }
}

const first = new Connection(ports[0]!);
const id = idOf(await first.ask(LOCK));
for (let waiting = 0; waiting < clients; ) {
  const wave = Math.min(WAVE, clients - waiting);
  for (let i = 0; i < wave; i++) void takeTurns(new Connection(ports[(waiting + i) % ports.length]!));
  waiting += wave;
  for (;;) {
    const contention = await first.ask(`{"scope":"${scope}","action":"extend","lock_id":"${id}"}`);
    if (Number(/"waiters":(\d+),"hold/.exec(contention)?.[1]) === waiting) break;
    await sleep(20);
  }
}
await first.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
await sleep(WARM_MS);
const span = await countFor(async () => {
  from = performance.now();
  counting = true;
  await sleep(ms);
  counting = false;
});
const at = (share: number) => (waits.length === 0 ? null : quantile(waits, share));
const result: QueueResult = { ...span, count, p50: at(0.5), p99: at(0.99) };
await report(result);
// Thousands still wait: to let each have its turn would take minutes.
process.exit(0);
