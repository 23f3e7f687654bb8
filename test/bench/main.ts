/**
 * npm run bench [-- --ms 3000 --clients 1,16,64]
 * Three real peers with flushes on, a load in a process of its own, and the machine's own yardsticks in the same
 * run. Prints a table; figures are only worth comparing within one run.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Cluster } from '../process/cluster.ts';
import { runLoad } from './totals.ts';
import { flushMs, roundTripMs } from './yardsticks.ts';

const { values } = parseArgs({
  options: {
    ms: { type: 'string', default: '4000' },
    clients: { type: 'string', default: '1,16,64' },
    peers: { type: 'string', default: '3' },
  },
});

async function run(cluster: Cluster, clients: number, names: 'own' | 'fresh') {
  const ms = Number(values.ms);
  const options = ['--clients', String(clients), '--ms', String(ms), '--names', names];
  const { load, per } = await runLoad(cluster, 'load.ts', options);
  const { pairs, p50, p99, cpuMs } = load;
  return {
    names,
    clients,
    'pairs/s': Math.round((pairs / ms) * 1000),
    'p50 ms': p50!.toFixed(2),
    'p99 ms': p99!.toFixed(2),
    'flushes/pair': per('flushes').toFixed(2),
    'frames/pair': per('frames').toFixed(2),
    'messages/pair': per('messages').toFixed(2),
    'peers cpu ms/pair': (per('cpuSeconds') * 1000).toFixed(3),
    'client cpu ms/pair': (cpuMs / pairs).toFixed(3),
  };
}

console.log(
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} cores, ${values.peers} peers`,
);
const flush = flushMs();
const trip = await roundTripMs();
console.log(`one flush ${flush.toFixed(3)} ms, one WebSocket round trip ${trip.toFixed(3)} ms`);
const cluster = await Cluster.start(Number(values.peers));
try {
  const rows = [];
  for (const clients of values.clients.split(',').map(Number)) rows.push(await run(cluster, clients, 'own'));
  rows.push(await run(cluster, 64, 'fresh'));
  console.table(rows);
} finally {
  await cluster.stop();
}
