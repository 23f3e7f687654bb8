/**
 * Which library keeps the votes? `npx tsx test/bench/store.ts [--ms 500] [--rounds 5] [--scopes 1000,100000] [--bytes 200]
 *   [--dir DIR] [--only STORE] [--case 'group 16']`
 *
 * each N:  N writers, each puts one record at a time; grouping is left to the library.
 * group N: N records in one atomic group with one flush, the next group once the former is done, as a peer does.
 * paced N: a group of N records each 2 ms: the latency below saturation.
 * The candidates take turns, and each line is the round with the median throughput, so that a busy machine is
 * unfair to all of them alike. It ends with the processor time per record, all threads together.
 * To compare, install the library that lost without saving it: `npm install --no-save lmdb@3.5.6`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CANDIDATES, type Candidate, type Engine, type Entry, installed } from './store-engines.ts';

const { values: flags } = parseArgs({
  options: {
    ms: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '5' },
    scopes: { type: 'string', default: '1000,100000' },
    dir: { type: 'string', default: tmpdir() },
    case: { type: 'string', default: '' },
    bytes: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
  },
});
const runMs = Number(flags.ms);
const WIDTHS = [1, 16, 64, 256];
const valueBytes = Number(flags.bytes);

/** A repeatable generator, so that every candidate meets the same keys in the same order. */
function draw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const keyOf = (n: number) => `orders/${n}`;

function contentOf(next: (below: number) => number): Uint8Array {
  const value = Buffer.alloc(valueBytes);
  for (let i = 0; i < valueBytes; i += 4) value.writeUInt32LE(next(2 ** 32), i);
  return value;
}

interface Figures {
  readonly perSecond: number;
  readonly putsPerSecond: number;
  readonly waitsMs: number[];
  readonly cpuUs: number;
}

interface Case {
  readonly name: string;
  readonly writers: number;
  readonly size: number;
  /** Milliseconds from one group's start to the next one's; 0 for as fast as it goes. */
  readonly everyMs: number;
}

async function measure(engine: Engine, scopes: number, { writers, size, everyMs }: Case): Promise<Figures> {
  const waitsMs: number[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  const writer = async (n: number) => {
    const next = draw(n + 1);
    while (performance.now() - began < runMs) {
      const entries: Entry[] = [];
      for (let i = 0; i < size; i++) entries.push([keyOf(next(scopes)), contentOf(next)]);
      const due = began + waitsMs.length * everyMs - performance.now();
      if (everyMs > 0 && due > 0) await sleep(due);
      const sent = performance.now();
      await engine.put(entries);
      waitsMs.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, n) => writer(n)));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const putsPerSecond = waitsMs.length / seconds;
  return {
    perSecond: putsPerSecond * size,
    putsPerSecond,
    waitsMs,
    cpuUs: (user + system) / waitsMs.length / size,
  };
}

function report(name: string, rounds: Figures[]): void {
  rounds.sort((a, b) => a.perSecond - b.perSecond);
  const { perSecond, putsPerSecond, waitsMs, cpuUs } = rounds[Math.floor(rounds.length / 2)]!;
  waitsMs.sort((a, b) => a - b);
  const at = (q: number) => waitsMs[Math.min(waitsMs.length - 1, Math.floor(waitsMs.length * q))]!.toFixed(2);
  const columns = [Math.round(perSecond), Math.round(putsPerSecond), at(0.5), at(0.99), cpuUs.toFixed(1)];
  console.log(`| ${name} | ${columns.join(' | ')} |`);
}

function measureReads(name: string, engine: Engine, scopes: number): void {
  if (engine.get === undefined) return;
  for (const kind of ['present', 'absent']) {
    const next = draw(7);
    const count = 20_000;
    const began = performance.now();
    for (let i = 0; i < count; i++) {
      const found = engine.get(kind === 'present' ? keyOf(next(scopes)) : `nobody/${next(scopes)}`);
      if ((found !== undefined) !== (kind === 'present')) throw new Error(`${name}: a read went wrong`);
    }
    const us = ((performance.now() - began) * 1000) / count;
    console.log(`read, ${kind}, ${scopes} scopes, ${name}: ${us.toFixed(1)} us`);
  }
}

interface Runner {
  readonly candidate: Candidate;
  readonly engine: Engine;
  readonly dir: string;
}

async function prepare(candidate: Candidate, scopes: number): Promise<Runner> {
  const dir = mkdtempSync(join(flags.dir, 'quorate-bench-'));
  const engine = await candidate.open(dir);
  const next = draw(3);
  for (let from = 0; from < scopes; from += 1000) {
    const count = Math.min(1000, scopes - from);
    await engine.put(Array.from({ length: count }, (_, i): Entry => [keyOf(from + i), contentOf(next)]));
  }
  return { candidate, engine, dir };
}

const CASES: readonly Case[] = [
  ...WIDTHS.map((width) => ({ name: `each ${width}`, writers: width, size: 1, everyMs: 0 })),
  ...WIDTHS.slice(1).map((width) => ({ name: `group ${width}`, writers: 1, size: width, everyMs: 0 })),
  { name: 'paced 8', writers: 1, size: 8, everyMs: 2 },
];

async function compare(scopes: number, candidates: readonly Candidate[]): Promise<void> {
  const runners: Runner[] = [];
  for (const candidate of candidates) runners.push(await prepare(candidate, scopes));
  for (const each of CASES.filter((one) => one.name.startsWith(flags.case))) {
    const able = runners.filter(({ candidate }) => each.writers === 1 || candidate.groupsOnly !== true);
    const rounds = new Map<Runner, Figures[]>(able.map((runner) => [runner, []]));
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const [runner, figures] of rounds) figures.push(await measure(runner.engine, scopes, each));
    }
    for (const [runner, figures] of rounds)
      report(`${runner.candidate.name} | ${scopes} | ${each.name}`, figures);
  }
  for (const { candidate, engine } of runners) measureReads(candidate.name, engine, scopes);
  for (const { engine, dir } of runners) {
    await engine.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

const machine = `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}`;
console.log(
  `${machine}, ${flags.rounds} rounds of ${runMs} ms each, values of ${valueBytes} bytes, in ${flags.dir}`,
);
const candidates: Candidate[] = [];
for (const candidate of CANDIDATES.filter((one) => one.name.includes(flags.only))) {
  if (await installed(candidate)) candidates.push(candidate);
  else console.log(`${candidate.name}: left out, ${candidate.library} is not installed`);
}
console.log('| store | scopes | writers | records/s | puts/s | p50 ms | p99 ms | cpu us/record |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const scopes of flags.scopes.split(',').map(Number)) await compare(scopes, candidates);
