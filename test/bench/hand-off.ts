/**
 * npx tsx test/bench/hand-off.ts [--ms 3000 --clients 16,10,100,1000,10000]
 * Hand-offs of one scope between real clients of three real peers: how many a second, how long each waited, and what
 * a hand-off costs as the queue grows. Each size has a fresh mesh.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Cluster } from '../process/cluster.ts';
import { totals } from './totals.ts';

const { values } = parseArgs({
  options: {
    ms: { type: 'string', default: '3000' },
    clients: { type: 'string', default: '16,10,100,1000,10000' },
  },
});
const ms = Number(values.ms);

interface Load {
  readonly pairs: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly cpuMs: number;
}

async function run(clients: number) {
  const cluster = await Cluster.start(3);
  try {
    const load = fileURLToPath(new URL('hand-off-load.ts', import.meta.url));
    const ports = cluster.nodes.map((node) => node.port).join(',');
    const args = ['--import', 'tsx', load, '--ports', ports, '--clients', String(clients), '--ms', values.ms];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let before: ReturnType<typeof totals> | undefined;
    let result: Load | undefined;
    for await (const line of createInterface(child.stdout)) {
      if (line === 'start') before = totals(cluster);
      else if (line.startsWith('{')) result = JSON.parse(line) as Load;
    }
    if (before === undefined || result === undefined) throw new Error('the load ended without a result');
    const from = await before;
    const to = await totals(cluster);
    const { pairs, p50, p99 } = result;
    return {
      waiting: clients,
      'hand-offs/s': Math.round((pairs / ms) * 1000),
      'wait p50 ms': p50?.toFixed(1) ?? '-',
      'wait p99 ms': p99?.toFixed(1) ?? '-',
      'flushes/hand-off': ((to.flushes - from.flushes) / pairs).toFixed(2),
      'messages/hand-off': ((to.messages - from.messages) / pairs).toFixed(2),
      'peers cpu ms/hand-off': (((to.cpuSeconds - from.cpuSeconds) / pairs) * 1000).toFixed(3),
      'client cpu ms/hand-off': (result.cpuMs / pairs).toFixed(3),
    };
  } finally {
    await cluster.stop();
  }
}

const rows = [];
for (const clients of values.clients.split(',').map(Number)) rows.push(await run(clients));
console.table(rows);
