/**
 * What was measured, as tables in Markdown: as they are printed they can stand in RESULTS.md.
 */
import { RIVALS } from './rivals/index.ts';
import type { Best, Row } from './rows.ts';
import { keyOf, medianOf, type Sample, type Trial } from './trials.ts';

export function number(value: number, digits = 3): string {
  if (Number.isNaN(value)) return '-';
  if (Number.isInteger(value) || Math.abs(value) >= 10 ** (digits - 1))
    return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(digits);
}

export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length), 3));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}

/** Nothing against ourselves, or if there is nothing of ours. */
function against(ours: number | undefined, theirs: number): string {
  return ours === undefined || ours === theirs ? '' : `${number(ours / theirs)}x`;
}

interface Column {
  readonly head: string;
  readonly of: (sample: Sample, rounds: readonly Sample[], trial: Trial) => string;
}

function columnsOf(row: Row, ours: Sample | undefined): readonly Column[] {
  const turns = row.id === 'd';
  const each = turns ? 'hand-off' : 'pair';
  const spread = (rounds: readonly Sample[]) => {
    const rates = rounds.map(({ rate }) => rate);
    return rounds.length < 2 ? '' : ` (${number(Math.min(...rates))} to ${number(Math.max(...rates))})`;
  };
  const columns: (Column | undefined)[] = [
    {
      head: 'who',
      of: (_, __, { rival, names }) => RIVALS[rival].title + (names === 'fresh' ? ', fresh' : ''),
    },
    { head: 'callers / objects', of: (_, __, { callers, objects }) => `${callers} / ${objects}` },
    { head: `${each}s/s`, of: (sample, rounds) => number(sample.rate) + spread(rounds) },
    { head: 'p50 ms', of: ({ p50 }) => number(p50) },
    { head: 'p99 ms', of: ({ p99 }) => number(p99) },
    turns ? { head: 'Jain', of: ({ jain }) => number(jain) } : undefined,
    { head: `servers' CPU ms/${each}`, of: ({ serversCpu }) => number(serversCpu) },
    { head: "client's", of: ({ clientCpu }) => number(clientCpu) },
    { head: `flushes/${each}`, of: ({ flushes }) => number(flushes) },
    { head: `frames/${each}`, of: ({ frames }) => number(frames) },
    {
      head: row.compared === 'rate' ? 'ours is' : 'our p50 is',
      of: (sample) => against(ours?.[row.compared], sample[row.compared]),
    },
  ];
  return columns.filter((column) => column !== undefined);
}

export function rowTable(
  row: Row,
  trials: readonly Trial[],
  samples: ReadonlyMap<string, readonly Sample[]>,
  best: Best,
): string {
  const columns = columnsOf(row, row.ours(best));
  const lines = trials.map((trial) => {
    const rounds = samples.get(keyOf(trial))!;
    const sample = medianOf(rounds);
    return columns.map(({ of }) => of(sample, rounds, trial));
  });
  return table([columns.map(({ head }) => head), ...lines]);
}
