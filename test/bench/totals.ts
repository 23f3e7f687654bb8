/**
 * A load in a process of its own, and what it cost the peers: their counters, from /metrics, added up.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../process/cluster.ts';

/** What is added up over all peers, and how its line in /metrics starts. */
const COUNTERS = {
  cpuSeconds: 'quorate_process_cpu_seconds_total',
  flushes: 'quorate_flushes_total',
  frames: 'quorate_link_frames_total{direction="out"}',
  messages: 'quorate_link_messages_total{direction="out"}',
} as const;
type Totals = Record<keyof typeof COUNTERS, number>;

async function totals(cluster: Cluster): Promise<Totals> {
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

export interface Load {
  readonly pairs: number;
  readonly p50: number | null;
  readonly p99: number | null;
  readonly cpuMs: number;
}

/** Runs a load script against the cluster: it prints "start" when it begins to count, and its result as JSON. */
export async function runLoad(cluster: Cluster, script: string, options: readonly string[]) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const ports = cluster.nodes.map((node) => node.port).join(',');
  const args = ['--import', 'tsx', path, '--ports', ports, ...options];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let before: Promise<Totals> | undefined;
  let load: Load | undefined;
  for await (const line of createInterface(child.stdout)) {
    if (line === 'start') before = totals(cluster);
    else if (line.startsWith('{')) load = JSON.parse(line) as Load;
  }
  if (before === undefined || load === undefined) throw new Error('the load ended without a result');
  const from = await before;
  const to = await totals(cluster);
  const { pairs } = load;
  return { load, per: (name: keyof Totals) => (to[name] - from[name]) / pairs };
}
