/**
 * Row h: what the heartbeats of many sessions cost each peer, with a connection for each session and with few that
 * they share.
 */
import type { Goal } from './goals.ts';
import type { Guard } from './guard.ts';
import type { BeatsOptions } from './loads/beats.ts';
import type { Span } from './loads/window.ts';
import { countsOf, pidsOf, startMesh } from './rivals/mesh.ts';
import { runLoad } from './run-load.ts';

const EVERY_MS = 3_000;
/** Until all sessions are open and beaten. */
const OPEN_MAX_MS = 300_000;
/** Connections that all sessions share. */
const FEW = 48;

interface Measured {
  readonly sessions: number;
  readonly connections: number;
  /** Heartbeats answered per second; all of them are if this is sessions / 3. */
  readonly rate: number;
  /** Heartbeats that were refused in the span. */
  readonly refused: number;
  /** Of one core, the mean of the peers. */
  readonly share: number;
  readonly flushes: number;
}

async function measure(guard: Guard, sessions: number, few: number): Promise<Measured> {
  const cluster = await startMesh(guard);
  const servers = { pids: () => pidsOf(cluster), counts: () => countsOf(cluster) };
  const ports = cluster.nodes.map(({ port }) => port);
  const times = { everyMs: EVERY_MS, warmMs: EVERY_MS, ms: 4 * EVERY_MS };
  const options: BeatsOptions = { ports, sessions, connections: few, ...times };
  type Result = Span & { count: number; refused: number; connections: number };
  const { result, cost } = await runLoad<Result>(guard, 'beats.js', options, servers, OPEN_MAX_MS);
  await cluster.stop();
  const { count, refused, seconds, connections } = result;
  const share = cost.cpuMs / 1_000 / seconds / ports.length;
  return { sessions, connections, rate: count / seconds, refused, share, flushes: cost.counts.flushes! };
}

/** The first with a connection for each session, the second with few for all. */
export type Beats = readonly [Measured, Measured];

export async function measureBeats(guard: Guard, sessions: number): Promise<Beats> {
  return [await measure(guard, sessions, sessions), await measure(guard, sessions, FEW)];
}

/** Percent of one core, had all heartbeats been answered. */
function percent({ sessions, rate, share }: Measured): number {
  return (share * 100 * (sessions / (EVERY_MS / 1_000))) / rate;
}

export function beatsGoals([own, shared]: Beats): readonly Goal[] {
  const goal = { goal: 25, reach: 10, atMost: true, unit: '%' };
  return [
    { text: "a peer's share of one core, each session its own connection", value: percent(own), ...goal },
    { text: "a peer's share of one core, few connections", value: percent(shared), ...goal },
  ];
}
