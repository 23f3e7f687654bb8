/**
 * npm run bench:hand-off -- [--ms 3000 --clients 16,10,100,1000,10000]
 * What a hand-off costs as the queue grows to thousands: clients of three real peers, each over an HTTP connection of
 * its own, take turns on one scope. Each size has a fresh mesh. Against others, with few waiting: main.ts, row d.
 */
import { parseArgs } from 'node:util';
import { Guard } from './guard.ts';
import type { QueueOptions, QueueResult } from './loads/queue.ts';
import { countsOf, pidsOf, startMesh } from './rivals/mesh.ts';
import { runLoad } from './run-load.ts';
import { number, table } from './tables.ts';

const { values } = parseArgs({
  options: {
    ms: { type: 'string', default: '3000' },
    clients: { type: 'string', default: '16,10,100,1000,10000' },
  },
});

/** Until thousands have queued up. */
const QUEUE_MAX_MS = 300_000;
const HEAD = [
  'waiting',
  'hand-offs/s',
  'wait p50 ms',
  'p99 ms',
  'flushes',
  'messages',
  "peers' CPU ms",
  "client's",
];

async function run(guard: Guard, clients: number): Promise<readonly string[]> {
  const cluster = await startMesh(guard);
  const ports = cluster.nodes.map(({ port }) => port);
  const options: QueueOptions = { ports, clients, ms: Number(values.ms) };
  const servers = { pids: () => pidsOf(cluster), counts: () => countsOf(cluster) };
  const { result, cost } = await runLoad<QueueResult>(guard, 'queue.js', options, servers, QUEUE_MAX_MS);
  await cluster.stop();
  const { count, seconds, p50, p99, cpuMs } = result;
  const { flushes, messages } = cost.counts;
  const costs = [flushes!, messages!, cost.cpuMs, cpuMs].map((total) => total / count);
  // A client that had no second turn has not waited in the span: then there is no wait to tell.
  const figures = [count / seconds, p50 ?? Number.NaN, p99 ?? Number.NaN, ...costs];
  return [String(clients), ...figures.map((figure) => number(figure))];
}

const guard = new Guard();
try {
  const rows = [HEAD];
  for (const clients of values.clients.split(',').map(Number)) rows.push([...(await run(guard, clients))]);
  console.log(table(rows));
} finally {
  await guard.close();
}
