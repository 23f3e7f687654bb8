/**
 * npm run bench:hand-off -- [--ms 3000 --clients 16,10,100,1000,10000]
 * Hand-offs of one scope between real clients of three real peers: how many a second, how long each waited, and what
 * a hand-off costs as the queue grows. Each size has a fresh mesh.
 */
import { parseArgs } from 'node:util';
import { Cluster } from '../process/cluster.ts';
import { runLoad } from './totals.ts';

const { values } = parseArgs({
  options: {
    ms: { type: 'string', default: '3000' },
    clients: { type: 'string', default: '16,10,100,1000,10000' },
  },
});
const ms = Number(values.ms);

async function run(clients: number) {
  const cluster = await Cluster.start(3);
  try {
    const options = ['--clients', String(clients), '--ms', values.ms];
    const { load, per } = await runLoad(cluster, 'hand-off-load.ts', options);
    const { pairs, p50, p99, cpuMs } = load;
    return {
      waiting: clients,
      'hand-offs/s': Math.round((pairs / ms) * 1000),
      'wait p50 ms': p50?.toFixed(1) ?? '-',
      'wait p99 ms': p99?.toFixed(1) ?? '-',
      'flushes/hand-off': per('flushes').toFixed(2),
      'messages/hand-off': per('messages').toFixed(2),
      'peers cpu ms/hand-off': (per('cpuSeconds') * 1000).toFixed(3),
      'client cpu ms/hand-off': (cpuMs / pairs).toFixed(3),
    };
  } finally {
    await cluster.stop();
  }
}

const rows = [];
for (const clients of values.clients.split(',').map(Number)) rows.push(await run(clients));
console.table(rows);
