/**
 * Row g: what many held locks cost each peer in memory, and how long a peer that was killed takes to come back with
 * them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Goal } from './goals.ts';
import type { Guard } from './guard.ts';
import type { HoldOptions } from './loads/hold.ts';
import type { PairsOptions } from './loads/pairs.ts';
import type { Span } from './loads/window.ts';
import { anonymousBytes } from './proc.ts';
import { countsOf, launch, pidsOf, startMesh } from './rivals/mesh.ts';
import { once } from './rivals/rival.ts';
import { runLoad } from './run-load.ts';
import { median } from './stats.ts';

const CALLERS = 256;
/** To take all locks. */
const HOLD_MAX_MS = 600_000;
/** Before memory is looked at: what was only needed for a moment is to be gone. */
const SETTLE_MS = 90_000;
/** So that what every peer needs once it works is not counted as the locks'. */
const WARM_MS = 5_000;

export interface Held {
  readonly locks: number;
  /** Per lock, peer by peer. */
  readonly bytes: readonly number[];
  /** All of each peer's RssAnon, without the locks and with them: what the first still had to give back flatters. */
  readonly without: readonly number[];
  readonly with: readonly number[];
  /** Each peer killed and started anew, one after the other. */
  readonly readyMs: readonly number[];
  readonly seconds: number;
}

export async function measureHeld(guard: Guard, locks: number): Promise<Held> {
  const cluster = await startMesh(guard);
  const ports = cluster.nodes.map(({ port }) => port);
  const servers = { pids: () => pidsOf(cluster), counts: () => countsOf(cluster) };
  const memory = () => pidsOf(cluster).map(anonymousBytes);
  const warm: PairsOptions = {
    rival: 'http',
    address: ports.join(','),
    callers: CALLERS,
    objects: CALLERS,
    names: 'own',
    warmMs: 1,
    ms: WARM_MS,
  };
  await runLoad(guard, 'pairs.js', warm, servers);
  await sleep(SETTLE_MS);
  const before = memory();
  const options: HoldOptions = { ports, locks, callers: CALLERS };
  const { result } = await runLoad<Span & { count: number }>(guard, 'hold.js', options, servers, HOLD_MAX_MS);
  if (result.count !== locks) throw new Error(`${result.count} of ${locks} locks were granted`);
  await sleep(SETTLE_MS);
  const after = memory();
  const bytes = after.map((all, i) => (all - before[i]!) / locks);
  const readyMs: number[] = [];
  for (const node of cluster.nodes) {
    await cluster.kill(node);
    const started = performance.now();
    launch(guard, cluster, node);
    await once(`${node.name} is ready`, async () => {
      return (await cluster.get(node, '/readyz')).status === 200 || undefined;
    });
    readyMs.push(performance.now() - started);
    const scope = `held/${Math.floor(locks / 2)}`;
    const { status } = await cluster.lock(node, { scope, action: 'lock' });
    if (status !== 423)
      throw new Error(`${scope} was held, and ${node.name} answers ${status} after its restart`);
  }
  await cluster.stop();
  return { locks, bytes, without: before, with: after, readyMs, seconds: result.seconds };
}

export function heldGoals({ bytes, readyMs }: Held): readonly Goal[] {
  return [
    {
      text: 'memory per lock and peer',
      value: median(bytes),
      goal: 600,
      reach: 300,
      atMost: true,
      unit: ' bytes',
    },
    {
      text: 'a killed peer is ready after',
      value: Math.max(...readyMs) / 1_000,
      goal: 10,
      atMost: true,
      unit: ' s',
    },
  ];
}
