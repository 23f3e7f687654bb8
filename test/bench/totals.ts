/**
 * Counters of all peers of a cluster, from their /metrics, added up.
 */
import type { Cluster } from '../process/cluster.ts';

/** What is added up over all peers, and how its line in /metrics starts. */
const COUNTERS = {
  cpuSeconds: 'quorate_process_cpu_seconds_total',
  flushes: 'quorate_flushes_total',
  frames: 'quorate_link_frames_total{direction="out"}',
  messages: 'quorate_link_messages_total{direction="out"}',
} as const;
export type Totals = Record<keyof typeof COUNTERS, number>;

export async function totals(cluster: Cluster): Promise<Totals> {
  const sums: Totals = { cpuSeconds: 0, flushes: 0, frames: 0, messages: 0 };
  for (const node of cluster.nodes) {
    const lines = String((await cluster.get(node, '/metrics')).body).split('\n');
    for (const [name, start] of Object.entries(COUNTERS)) {
      const line = lines.find((candidate) => candidate.startsWith(`${start} `));
      if (line === undefined) throw new Error(`/metrics of ${node.name} has no ${start}`);
      sums[name as keyof Totals] += Number(line.slice(start.length));
    }
  }
  return sums;
}
