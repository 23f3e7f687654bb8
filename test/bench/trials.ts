/**
 * What is run against whom, round after round.
 * Always true: in each round everybody has one turn of the same length, so that a noisy machine is noisy for all; a
 * figure is the median of its rounds.
 */
import type { Guard } from './guard.ts';
import type { PairsOptions, PairsResult } from './loads/pairs.ts';
import type { TurnsOptions, TurnsResult } from './loads/turns.ts';
import { RIVALS, type RivalName } from './rivals/index.ts';
import type { Servers } from './rivals/rival.ts';
import { runLoad } from './run-load.ts';
import { median } from './stats.ts';
import { flushMs, roundTripMs } from './yardsticks.ts';

export interface Trial {
  readonly load: 'pairs' | 'turns';
  readonly rival: RivalName;
  readonly callers: number;
  readonly objects: number;
  readonly names: 'own' | 'fresh';
}

/** One turn of one trial. What could not be counted is NaN. */
export interface Sample {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly jain: number;
  readonly serversCpu: number;
  readonly clientCpu: number;
  readonly flushes: number;
  readonly frames: number;
}

export interface Times {
  readonly ms: number;
  readonly warmMs: number;
  readonly rounds: number;
}

/** Client objects, where callers share a few of them. */
const FEW = 4;

/** With an object for each caller, and with a few for all where callers can share one. */
export function trialsOf(
  rival: RivalName,
  load: Trial['load'],
  callers: number,
  names: Trial['names'] = 'own',
): readonly Trial[] {
  const objects = RIVALS[rival].shares && callers > FEW ? [callers, FEW] : [callers];
  return objects.map((count) => ({ load, rival, callers, objects: count, names }));
}

export function keyOf({ load, rival, callers, objects, names }: Trial): string {
  return [load, rival, callers, objects, names].join(' ');
}

async function take(guard: Guard, trial: Trial, servers: Servers, { ms, warmMs }: Times): Promise<Sample> {
  const { load, ...rest } = trial;
  const options: PairsOptions & TurnsOptions = { ...rest, address: servers.address, ms, warmMs };
  type Result = PairsResult & Partial<TurnsResult>;
  const { result, cost } = await runLoad<Result>(guard, `${load}.js`, options, servers);
  const { count, seconds, p50, p99, cpuMs } = result;
  const per = (total: number | undefined) => (count > 0 ? (total ?? Number.NaN) / count : Number.NaN);
  return {
    rate: count / seconds,
    // JSON has no NaN: null if nothing was granted in the span.
    p50: p50 ?? Number.NaN,
    p99: p99 ?? Number.NaN,
    jain: result.jain ?? Number.NaN,
    serversCpu: per(cost.cpuMs),
    clientCpu: per(cpuMs),
    flushes: per(cost.counts.flushes),
    frames: per(cost.counts.frames),
  };
}

export interface Taken {
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly flushMs: readonly number[];
  readonly tripMs: readonly number[];
}

/** @param say is told what runs now. */
export async function takeAll(
  guard: Guard,
  trials: readonly Trial[],
  servers: ReadonlyMap<RivalName, Servers>,
  times: Times,
  say: (line: string) => void,
): Promise<Taken> {
  const samples = new Map<string, Sample[]>(trials.map((trial) => [keyOf(trial), []]));
  const taken = { samples, flushMs: [] as number[], tripMs: [] as number[] };
  for (let round = 0; round < times.rounds; round++) {
    taken.flushMs.push(flushMs());
    taken.tripMs.push(await roundTripMs());
    // Every second round goes backwards, so that nobody always comes after the same one.
    for (const trial of round % 2 === 0 ? trials : trials.toReversed()) {
      const key = keyOf(trial);
      const sample = await take(guard, trial, servers.get(trial.rival)!, times);
      say(`round ${round + 1} of ${times.rounds}: ${key}: ${sample.rate.toFixed(0)}/s`);
      samples.get(key)!.push(sample);
    }
  }
  return taken;
}

/** Figure by figure. */
export function medianOf(samples: readonly Sample[]): Sample {
  const names = Object.keys(samples[0]!) as (keyof Sample)[];
  const entries = names.map((name) => [name, median(samples.map((sample) => sample[name]))]);
  return Object.fromEntries(entries) as unknown as Sample;
}
