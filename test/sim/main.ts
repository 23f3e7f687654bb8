/**
 * npm run sim -- --seed N --runs N [--trace] [--broken RULE] [--seconds N]
 * Runs seeds N, N+1, ... and prints what they saw; exit 1 on the first violation, with the command that replays it.
 */
import { parseArgs } from 'node:util';
import { BROKEN, REAL } from './rules.ts';
import { runSeed } from './run.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    runs: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    trace: { type: 'boolean', default: false },
    broken: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const runs = Number(values.runs);
const rules = values.broken === undefined ? REAL : BROKEN[values.broken];
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(runs) || rules === undefined) {
  console.error(
    `usage: npm run sim -- --seed N --runs N [--seconds N] [--trace] [--keep] [--broken ${Object.keys(BROKEN).join('|')}]`,
  );
  process.exit(2);
}

console.log(`seeds ${first} to ${first + runs - 1}`);
const started = Date.now();
const until =
  values.seconds === undefined ? Number.POSITIVE_INFINITY : started + Number(values.seconds) * 1000;
const totals = new Map<string, number>();
const verdicts = { passed: 0, vacuous: 0, violation: 0 };
let seed = first;
for (; seed < first + runs && Date.now() < until; seed++) {
  const result = runSeed(seed, rules, values.trace ? (line) => console.log(line) : undefined);
  verdicts[result.verdict]++;
  for (const [kind, n] of result.counts) totals.set(kind, (totals.get(kind) ?? 0) + n);
  if (result.verdict === 'violation') {
    const broken = values.broken === undefined ? '' : ` --broken ${values.broken}`;
    console.log(
      `FAIL seed=${seed} ${result.detail}\n  replay: npm run sim -- --seed ${seed} --trace${broken}`,
    );
    if (!values.keep) break;
  }
}
const seconds = (Date.now() - started) / 1000;
const sum = [...totals].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, n]) => `${kind} ${n}`);
console.log(sum.join(', '));
console.log(
  `${verdicts.passed} passed, ${verdicts.violation} failed, ${verdicts.vacuous} vacuous in ${seconds.toFixed(1)} s`,
);
process.exitCode = verdicts.violation > 0 ? 1 : 0;
