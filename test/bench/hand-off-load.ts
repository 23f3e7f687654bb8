/**
 * The load of the hand-off benchmark, in a process of its own: as many clients as are asked for take turns on one
 * scope; each releases as soon as it is granted, and queues up again at the end.
 * Started with: --ports 1,2,3 --clients N --ms N; prints "start" when all wait and the first is let go, then one line
 * of JSON.
 */
import { parseArgs } from 'node:util';
import { Connection } from './connection.ts';

const { values } = parseArgs({
  options: {
    ports: { type: 'string', default: '' },
    clients: { type: 'string', default: '16' },
    ms: { type: 'string', default: '3000' },
  },
});
const ports = values.ports.split(',').map(Number);
const clients = Number(values.clients);
const runMs = Number(values.ms);
const scope = `hand-off/${process.pid}`;
const LOCK = `{"scope":"${scope}","action":"lock","timeout":"120s","wait":"1h"}`;
const waits: number[] = [];
/** So many queue up at a time, so that no peer is overrun before the start. */
const WAVE = 200;
let until = Number.POSITIVE_INFINITY;
let from = Number.POSITIVE_INFINITY;

function idOf(answer: string): string {
  return /"lock_id":"([^"]+)"/.exec(answer)?.[1] ?? '';
}

async function takeTurns(connection: Connection): Promise<void> {
  for (;;) {
    const asked = performance.now();
    const id = idOf(await connection.ask(LOCK));
    const now = performance.now();
    if (asked >= from && now < until) waits.push(now - asked);
    else if (now >= from && now < until) turns++;
    await connection.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
  }
}

/** Grants to those that waited since before the start: they count as hand-offs, their waits mean nothing. */
let turns = 0;

const first = new Connection(ports[0]!);
const id = idOf(await first.ask(LOCK));
for (let waiting = 0; waiting < clients; ) {
  const wave = Math.min(WAVE, clients - waiting);
  for (let i = 0; i < wave; i++) void takeTurns(new Connection(ports[(waiting + i) % ports.length]!));
  waiting += wave;
  for (;;) {
    const contention = await first.ask(`{"scope":"${scope}","action":"extend","lock_id":"${id}"}`);
    if (Number(/"waiters":(\d+),"hold/.exec(contention)?.[1]) === waiting) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
await first.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
await new Promise((resolve) => setTimeout(resolve, 500));
process.stdout.write('start\n');
const cpu = process.cpuUsage();
from = performance.now();
until = from + runMs;
await new Promise((resolve) => setTimeout(resolve, runMs));
const { user, system } = process.cpuUsage(cpu);
waits.sort((a, b) => a - b);
const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? null;
const pairs = waits.length + turns;
process.stdout.write(
  `${JSON.stringify({ pairs, p50: at(0.5), p99: at(0.99), cpuMs: (user + system) / 1000 })}\n`,
);
process.exit(0);
