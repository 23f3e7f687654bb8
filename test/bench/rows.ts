/**
 * The comparisons a to f: who takes part in each, and what we want to reach.
 */
import type { Goal } from './goals.ts';
import type { RivalName } from './rivals/index.ts';
import { keyOf, medianOf, type Sample, type Trial, trialsOf } from './trials.ts';

/** The faster of the trials that differ only in the number of client objects; undefined if nobody took part. */
export type Best = (
  rival: RivalName,
  load: Trial['load'],
  callers: number,
  names?: Trial['names'],
  /** Only that many client objects. */
  objects?: number,
) => Sample | undefined;

export interface Row {
  readonly id: string;
  readonly title: string;
  /** Which figure is compared with the others'; of a latency less is better. */
  readonly compared: 'rate' | 'p50';
  readonly trials: (rivals: readonly RivalName[]) => readonly Trial[];
  readonly ours: (best: Best) => Sample | undefined;
  readonly goals: (best: Best) => readonly Goal[];
}

export function bestOf(samples: ReadonlyMap<string, readonly Sample[]>): Best {
  return (rival, load, callers, names, objects) => {
    const trials = trialsOf(rival, load, callers, names).filter(
      (trial) => objects === undefined || trial.objects === objects,
    );
    const taken = trials.map((trial) => samples.get(keyOf(trial)) ?? []);
    const medians = taken.filter((rounds) => rounds.length > 0).map(medianOf);
    return medians.sort((x, y) => y.rate - x.rate)[0];
  };
}

function ratio(x: number | undefined, y: number | undefined): number {
  return (x ?? Number.NaN) / (y ?? Number.NaN);
}

const all = (load: Trial['load'], callers: number, but?: RivalName) => (rivals: readonly RivalName[]) =>
  rivals.filter((rival) => rival !== but).flatMap((rival) => trialsOf(rival, load, callers));

const SCALED: readonly RivalName[] = ['quorate', 'etcd', 'redlock', 'postgres'];

export const ROWS: readonly Row[] = [
  {
    id: 'a',
    title: '64 callers, each its own name: acquire and release',
    compared: 'rate',
    trials: all('pairs', 64, 'http'),
    ours: (best) => best('quorate', 'pairs', 64),
    goals: (best) => {
      const rate = (rival: RivalName) => best(rival, 'pairs', 64)?.rate;
      const against = (rival: RivalName) => ratio(rate('quorate'), rate(rival));
      return [
        { text: 'pairs/s against etcd', value: against('etcd'), goal: 6, unit: 'x' },
        // As its clients are used: each writes its commands one by one. Few that gather them are beyond any vote.
        {
          text: 'pairs/s against Redlock, flushed, a client for each caller',
          value: ratio(rate('quorate'), best('redlock', 'pairs', 64, 'own', 64)?.rate),
          goal: 2,
          unit: 'x',
        },
        {
          text: 'pairs/s against Redlock, flushed, few clients',
          value: against('redlock'),
          reach: 2,
          unit: 'x',
        },
        // Nothing of PostgreSQL's locks is flushed or replicated: to reach it is a wish, not a goal.
        { text: 'pairs/s against PostgreSQL', value: against('postgres'), reach: 1, unit: 'x' },
      ];
    },
  },
  {
    id: 'b',
    title: '256 callers, each its own name: acquire and release',
    compared: 'rate',
    // The others only to show how they take it: one of a kind is enough.
    trials: (rivals) => [
      ...rivals.filter((rival) => SCALED.includes(rival)).flatMap((rival) => trialsOf(rival, 'pairs', 256)),
      ...rivals.filter((rival) => rival === 'quorate').flatMap((rival) => trialsOf(rival, 'pairs', 64)),
    ],
    ours: (best) => best('quorate', 'pairs', 256),
    goals: (best) => {
      const value = ratio(best('quorate', 'pairs', 256)?.rate, best('quorate', 'pairs', 64)?.rate);
      return [{ text: 'pairs/s against 64 callers', value, goal: 0.95, unit: 'x' }];
    },
  },
  {
    id: 'c',
    title: '1 caller alone: acquire',
    compared: 'p50',
    trials: all('pairs', 1),
    ours: (best) => best('quorate', 'pairs', 1),
    goals: (best) => {
      const value = ratio(best('quorate', 'pairs', 1)?.p50, best('etcd', 'pairs', 1)?.p50);
      return [{ text: "p50 against etcd's", value, goal: 0.8, reach: 0.45, atMost: true, unit: 'x' }];
    },
  },
  {
    id: 'd',
    title: '16 callers that all want one name: hand-offs, and how long each waited',
    compared: 'rate',
    trials: all('turns', 16),
    ours: (best) => best('quorate', 'turns', 16),
    goals: (best) => {
      const ours = best('quorate', 'turns', 16);
      const value = ratio(ours?.rate, best('etcd', 'turns', 16)?.rate);
      const spread = ratio(ours?.p99, ours?.p50);
      return [
        { text: 'hand-offs/s against etcd', value, goal: 8, reach: 12, unit: 'x' },
        { text: "Jain's index", value: ours?.jain ?? Number.NaN, goal: 0.95, unit: '' },
        { text: 'p99 wait against p50', value: spread, goal: 3, atMost: true, unit: 'x' },
      ];
    },
  },
  {
    id: 'e',
    title: '64 callers by HTTP, connections kept alive, each its own name',
    compared: 'rate',
    trials: (rivals) =>
      rivals
        .filter((rival) => rival === 'http' || rival === 'etcd')
        .flatMap((rival) => trialsOf(rival, 'pairs', 64)),
    ours: (best) => best('http', 'pairs', 64),
    goals: (best) => {
      const value = ratio(best('http', 'pairs', 64)?.rate, best('etcd', 'pairs', 64)?.rate);
      return [{ text: 'pairs/s against etcd', value, goal: 3, reach: 5, unit: 'x' }];
    },
  },
  {
    id: 'f',
    title: '64 callers, a fresh name each time, and their own names',
    compared: 'rate',
    trials: () => [...trialsOf('quorate', 'pairs', 64, 'fresh'), ...trialsOf('quorate', 'pairs', 64)],
    ours: (best) => best('quorate', 'pairs', 64, 'fresh'),
    goals: (best) => {
      const value = ratio(best('quorate', 'pairs', 64, 'fresh')?.rate, best('quorate', 'pairs', 64)?.rate);
      return [{ text: 'pairs/s against known names', value, goal: 0.5, reach: 0.8, unit: 'x' }];
    },
  },
];
