/**
 * A mesh of three real peers with flushes on, under the guard, and what they count.
 */
import { dirname } from 'node:path';
import { Cluster, type Node } from '../../process/cluster.ts';
import type { Guard } from '../guard.ts';
import type { Servers } from './rival.ts';

/** What is added up over all peers, and how its line in /metrics starts. */
const COUNTERS = {
  flushes: 'quorate_flushes_total',
  frames: 'quorate_link_frames_total{direction="out"}',
  messages: 'quorate_link_messages_total{direction="out"}',
} as const;

/** Resolves once it is ready. */
export async function startMesh(guard: Guard, peers = 3): Promise<Cluster> {
  const cluster = await Cluster.start(peers, { start: false });
  guard.adoptDir(dirname(cluster.nodes[0]!.dir));
  for (const node of cluster.nodes) launch(guard, cluster, node);
  await cluster.ready();
  return cluster;
}

export async function startServers(guard: Guard): Promise<Servers> {
  const cluster = await startMesh(guard);
  return {
    address: cluster.nodes.map(({ port }) => port).join(','),
    pids: () => pidsOf(cluster),
    counts: () => countsOf(cluster),
  };
}

/** The peers' ports, of an address. */
export function portsOf(address: string): number[] {
  return address.split(',').map(Number);
}

export function launch(guard: Guard, cluster: Cluster, node: Node): void {
  cluster.launch(node);
  guard.adopt(node.child?.pid);
}

export function pidsOf(cluster: Cluster): readonly number[] {
  return cluster.nodes.map(({ child }) => child!.pid!);
}

export async function countsOf(cluster: Cluster): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {};
  for (const node of cluster.nodes) {
    const lines = String((await cluster.get(node, '/metrics')).body).split('\n');
    for (const [name, start] of Object.entries(COUNTERS)) {
      const line = lines.find((candidate) => candidate.startsWith(`${start} `));
      if (line === undefined) throw new Error(`/metrics of ${node.name} has no ${start}`);
      sums[name] = (sums[name] ?? 0) + Number(line.slice(start.length));
    }
  }
  return sums;
}
