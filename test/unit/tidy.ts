/**
 * The rules of the house, as functions of a path and a text, so that a test can show each of them red.
 * Always true: a refusal names the file, the line and what to do instead.
 */
import { posix } from 'node:path';
import { blank } from './blank.ts';

export const LINES_MAX = 400;

const TOP_LEVEL = new Set(
  (
    'package.json package-lock.json tsconfig.json src shell workflows test deploy README.md ARCHITECTURE.md ' +
    'CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE node_modules dist coverage'
  ).split(' '),
);

/** Rooms from the bottom to the top; a room imports itself and the rows below it. */
const ROWS = [
  ['src/lock'],
  ['src/vote'],
  ['src/peer'],
  ['src/mesh', 'src/store', 'src/learn', 'src/metrics', 'src/protocol'],
  ['src/api'],
  ['src/cli', 'src/client'],
  ['shell', 'workflows'],
];
const PURE = new Set(['src/lock', 'src/vote', 'src/peer', 'src/protocol']);
/** The one sideways import: the command talks to a mesh through the same client as everybody. */
const SIDEWAYS = new Set(['src/cli -> src/client']);

const SEED = 'draw from the seeded generator that is passed in';
const TIME = 'take the time from the input (`at`)';
const WAKE = 'return `wakeAt` and let the runtime call again';
const OUTPUT = 'return it as an output and let the runtime do it';
const LOCALE = 'compare with < and >: peers in other locales must agree';
const BANNED: readonly (readonly [name: string, pattern: RegExp, instead: string])[] = [
  ['Date', /(?<![.\w$])Date\s*[.([]|\bnew\s+Date\b/, TIME],
  ['performance', /(?<![.\w$])performance\b(?!\s*\??:)/, TIME],
  ['Math.random', /(?<![.\w$])Math\s*\.\s*random\b/, SEED],
  ['crypto', /(?<![.\w$])crypto\b(?!\s*\??:)/, SEED],
  ['setTimeout', /\bsetTimeout\b/, WAKE],
  ['setInterval', /\bsetInterval\b/, WAKE],
  ['setImmediate', /\bsetImmediate\b/, WAKE],
  ['queueMicrotask', /\bqueueMicrotask\b/, WAKE],
  ['await', /\b(?:await|async)\b(?!\s*\??:)/, OUTPUT],
  ['process', /(?<![.\w$])process\s*(?:\?\.|[.[])|=\s*process\b/, OUTPUT],
  ['console', /(?<![.\w$])console\b(?!\s*\??:)/, OUTPUT],
  ['fetch', /(?<![.\w$])fetch\s*\(/, OUTPUT],
  ['globalThis', /(?<![.\w$])globalThis\b/, 'name what you need as an argument'],
  ['WeakRef', /\b(?:WeakRef|FinalizationRegistry)\b/, 'forget by a rule that every run repeats'],
  ['localeCompare', /\b(?:localeCompare|toLocale\w*)\b|(?<![.\w$])Intl\b/, LOCALE],
];

export function checkSource(path: string, text: string): string[] {
  const { code, complete } = blank(text);
  const refusals: string[] = [];
  const refuse = (at: number, why: string) => refusals.push(`${path}:${lineOf(text, at)}: ${why}`);
  if (!complete) refuse(text.length, 'a string, template or comment never ends: the checker cannot read on');

  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > LINES_MAX) refuse(text.length - 1, `${lines} lines, at most ${LINES_MAX}: split it by nouns`);

  const room = roomOf(path);
  if (room === undefined) {
    refuse(0, `belongs to no room: move it into one of ${ROWS.flat().join(', ')}`);
    return refusals;
  }
  for (const { at, from } of importsOf(text, code)) {
    const why = checkImport(path, room, from);
    if (why !== undefined) refuse(at, why);
  }
  if (!PURE.has(room)) return refusals;
  for (const [name, pattern, instead] of BANNED) {
    for (const hit of code.matchAll(new RegExp(pattern, 'g'))) {
      refuse(hit.index, `${name} in a pure room: ${instead}`);
    }
  }
  return refusals;
}

export function checkTopLevel(names: readonly string[]): string[] {
  return names
    .filter((name) => !name.startsWith('.') && !TOP_LEVEL.has(name))
    .map(
      (name) => `${name}: not a name for the top level: put it beside what it serves, or make it a dot-file`,
    );
}

function checkImport(path: string, room: string, from: string): string | undefined {
  if (!from.startsWith('.')) {
    return PURE.has(room) ? `imports ${from} into a pure room: pass in what you need` : undefined;
  }
  if (!/\.(?:ts|tsx|json)$/.test(from)) return `imports ${from}: write the file's own ending, .ts`;
  const target = posix.join(posix.dirname(path), from);
  const other = roomOf(target);
  if (other === room || target === 'package.json') return undefined;
  if (other === undefined) return `imports ${from}, which is in no room`;
  const [here, there] = [rowOf(room), rowOf(other)];
  if (there < here || SIDEWAYS.has(`${room} -> ${other}`)) return undefined;
  const how = there === here ? 'sideways' : 'upwards';
  return `imports ${how} from ${other}: move the shared part down, or pass it in from above`;
}

/** Import paths live in strings, so the code tells where one starts and the text what it says. */
function* importsOf(text: string, code: string): Iterable<{ at: number; from: string }> {
  for (const hit of code.matchAll(/\b(?:from|import|require)\s*\(?\s*(?=['"`])/g)) {
    const at = hit.index + hit[0].length;
    const end = text.indexOf(text[at]!, at + 1);
    yield { at, from: text.slice(at + 1, end) };
  }
  for (const hit of code.matchAll(/\bimport\s*\(\s*(?!['"`\s])/g))
    yield { at: hit.index, from: 'a computed name' };
}

function roomOf(path: string): string | undefined {
  return ROWS.flat().find((room) => path.startsWith(`${room}/`));
}

function rowOf(room: string): number {
  return ROWS.findIndex((row) => row.includes(room));
}

function lineOf(text: string, at: number): number {
  return text.slice(0, Math.max(0, at)).split('\n').length;
}
