/**
 * The load of the benchmark, in a process of its own: clients that take and release locks over HTTP, each on one
 * kept-alive connection, one request at a time.
 * Started with: --ports 1,2,3 --clients N --ms N --names own|fresh; prints one line of JSON.
 */
import { parseArgs } from 'node:util';
import { Connection } from './connection.ts';

const { values } = parseArgs({
  options: {
    ports: { type: 'string', default: '' },
    clients: { type: 'string', default: '1' },
    ms: { type: 'string', default: '3000' },
    names: { type: 'string', default: 'own' },
  },
});
const ports = values.ports.split(',').map(Number);
const clients = Number(values.clients);
const runMs = Number(values.ms);

const latencies: number[] = [];
let pairs = 0;

async function client(index: number, until: number, counting: () => boolean): Promise<void> {
  const connection = new Connection(ports[index % ports.length]!);
  for (let turn = 0; performance.now() < until; turn++) {
    const scope = values.names === 'fresh' ? `bench/${process.pid}/${index}/${turn}` : `bench/${index}`;
    const started = performance.now();
    const answer = await connection.ask(`{"scope":"${scope}","action":"lock","timeout":"60s"}`);
    const took = performance.now() - started;
    const id = /"lock_id":"([^"]+)"/.exec(answer)?.[1];
    await connection.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
    if (!counting()) continue;
    pairs++;
    latencies.push(took);
  }
  connection.close();
}

const warmMs = Math.min(1_000, runMs / 2);
const start = performance.now() + warmMs;
const until = start + runMs;
process.stdout.write('warm\n');
const timer = setTimeout(() => process.stdout.write('start\n'), warmMs);
await Promise.all(
  Array.from({ length: clients }, (_, i) => client(i, until, () => performance.now() >= start)),
);
clearTimeout(timer);
latencies.sort((a, b) => a - b);
const at = (share: number) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({ pairs, p50: at(0.5), p99: at(0.99), cpuMs: (user + system) / 1000 })}\n`,
);
