/**
 * npm run bench -- [options, see options.ts]
 * Quorate beside what it is compared with, all on this machine, in the same run and in turns. Prints tables and goals;
 * figures are only worth comparing within one run.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { type Beats, beatsGoals, measureBeats } from './beats.ts';
import { type Goal, goalLine, judge } from './goals.ts';
import { Guard } from './guard.ts';
import { type Held, heldGoals, measureHeld } from './held.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { RIVALS, type RivalName } from './rivals/index.ts';
import type { Rival, Servers } from './rivals/rival.ts';
import { bestOf, ROWS, type Row } from './rows.ts';
import { median } from './stats.ts';
import { number, rowTable, table } from './tables.ts';
import { keyOf, type Taken, type Trial, takeAll } from './trials.ts';

const say = (line: string) => console.error(line);

/** Starts what is installed, and says what is not. Who has the same way to start shares the servers. */
async function startRivals(
  guard: Guard,
  wanted: Iterable<RivalName>,
  tell: (line: string) => void,
): Promise<Map<RivalName, Servers>> {
  const started = new Map<Rival['start'], Servers>();
  const found = new Map<RivalName, Servers>();
  for (const name of wanted) {
    const rival = await RIVALS[name].load();
    const missing = rival.missing();
    if (missing !== undefined) {
      tell(`${RIVALS[name].title}: left out, for this machine has no ${missing}\n`);
      continue;
    }
    const servers = started.get(rival.start) ?? (await rival.start(guard));
    started.set(rival.start, servers);
    found.set(name, servers);
    say(`started: ${RIVALS[name].title}`);
  }
  return found;
}

interface Compared extends Taken {
  readonly rows: readonly { readonly row: Row; readonly trials: readonly Trial[] }[];
}

async function compare(guard: Guard, options: Options): Promise<Compared> {
  const rows = ROWS.filter(({ id }) => options.only.has(id)).map((row) => ({
    row,
    trials: row.trials(options.rivals),
  }));
  const wanted = new Set(rows.flatMap(({ trials }) => trials.map(({ rival }) => rival)));
  const servers = await startRivals(guard, wanted, options.json ? say : console.log);
  const there = ({ rival }: Trial) => servers.has(rival);
  const left = rows.map(({ row, trials }) => ({ row, trials: trials.filter(there) }));
  const unique = new Map(left.flatMap(({ trials }) => trials.map((trial) => [keyOf(trial), trial])));
  return { rows: left, ...(await takeAll(guard, [...unique.values()], servers, options, say)) };
}

function printRows({ rows, samples, flushMs, tripMs }: Compared, options: Options): void {
  const flush = number(median(flushMs));
  const trip = number(median(tripMs));
  console.log(`One flush of 4 kB takes ${flush} ms, one WebSocket round trip ${trip} ms. Medians of`);
  console.log(`${options.rounds} rounds of ${options.ms} ms, in brackets the lowest and the highest.\n`);
  const best = bestOf(samples);
  for (const { row, trials } of rows) {
    console.log(`### ${row.id}. ${row.title}\n\n${rowTable(row, trials, samples, best)}\n`);
    printGoals(row.goals(best));
  }
}

function printGoals(goals: readonly Goal[]): void {
  for (const goal of goals) console.log(`- ${goalLine(goal)}`);
  console.log();
}

function printHeld(held: Held): void {
  const peers = held.bytes.map((_, i) => `p${i + 1}`);
  const rows = [
    ['', ...peers],
    ['RssAnon per lock, bytes', ...held.bytes.map((bytes) => number(bytes))],
    ['RssAnon without them, MB', ...held.without.map((bytes) => number(bytes / 1e6))],
    ['RssAnon with them, MB', ...held.with.map((bytes) => number(bytes / 1e6))],
    ['ready after a kill, s', ...held.readyMs.map((ms) => number(ms / 1_000))],
  ];
  const { locks, seconds } = held;
  console.log(
    `### g. ${number(locks)} locks held (taken at ${number(locks / seconds)} a second)\n\n${table(rows)}\n`,
  );
  printGoals(heldGoals(held));
}

function printBeats(beats: Beats): void {
  const head = ['connections', 'heartbeats/s', 'refused', 'share of a core per peer, %', 'flushes'];
  const rows = beats.map(({ connections, rate, refused, share, flushes }) =>
    [connections, rate, refused, share * 100, flushes].map((figure) => number(figure)),
  );
  console.log(`### h. ${number(beats[0].sessions)} sessions, each beaten every 3 s\n`);
  console.log(`${table([head, ...rows])}\n`);
  printGoals(beatsGoals(beats));
}

function asJson(compared: Compared | undefined, held: Held | undefined, beats: Beats | undefined): string {
  const best = bestOf(compared?.samples ?? new Map());
  const goals = [
    ...(compared?.rows ?? []).flatMap(({ row }) => row.goals(best)),
    ...(held === undefined ? [] : heldGoals(held)),
    ...(beats === undefined ? [] : beatsGoals(beats)),
  ];
  const { flushMs, tripMs, samples } = compared ?? {};
  const trials = Object.fromEntries(samples ?? []);
  const judged = goals.map((goal) => ({ ...goal, verdict: judge(goal) }));
  return JSON.stringify({ flushMs, tripMs, trials, held, beats, goals: judged }, undefined, 2);
}

function machine(): string {
  const git = spawnSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' });
  const commit = git.status === 0 ? git.stdout.trim() : 'no commit known';
  const [cpu] = cpus();
  return `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores (${cpu?.model.trim()}), Linux, Node ${process.version}, ${commit}`;
}

async function main(options: Options): Promise<void> {
  const guard = new Guard();
  try {
    if (!options.json) console.log(`${machine()}\n`);
    const compared = ROWS.some(({ id }) => options.only.has(id)) ? await compare(guard, options) : undefined;
    if (compared !== undefined && !options.json) printRows(compared, options);
    const held = options.only.has('g') ? await measureHeld(guard, options.locks) : undefined;
    if (held !== undefined && !options.json) printHeld(held);
    const beats = options.only.has('h') ? await measureBeats(guard, options.sessions) : undefined;
    if (beats !== undefined && !options.json) printBeats(beats);
    if (options.json) console.log(asJson(compared, held, beats));
  } catch (error) {
    if (!guard.interrupted) throw error;
  } finally {
    await guard.close();
  }
}

let options: Options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\n${USAGE}`);
  process.exit(2);
}
if (options.help) console.log(USAGE);
else await main(options);
