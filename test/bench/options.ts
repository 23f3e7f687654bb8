/**
 * What `npm run bench -- ...` takes.
 */
import { parseArgs } from 'node:util';
import { NAMES, OURS, type RivalName } from './rivals/index.ts';
import type { Times } from './trials.ts';

export const USAGE = `npm run bench -- [--only a,d] [--rivals etcd,redlock] [--rounds 3] [--ms 4000] [--warm 6000]
                 [--locks 100000] [--sessions 10000] [--json]
  a 64 callers   b 256   c one alone   d hand-offs   e HTTP   f fresh names   g many locks held   h many sessions
  rivals: ${NAMES.filter((name) => !OURS.includes(name)).join(', ')}`;

export interface Options extends Times {
  readonly only: ReadonlySet<string>;
  readonly rivals: readonly RivalName[];
  readonly locks: number;
  readonly sessions: number;
  readonly json: boolean;
  readonly help: boolean;
}

function list<T extends string>(text: string | undefined, known: readonly T[]): readonly T[] {
  if (text === undefined) return known;
  const named = text.split(',').filter((name) => name !== '');
  const unknown = named.filter((name) => !known.includes(name as T));
  if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: not one of ${known.join(', ')}`);
  return known.filter((name) => named.includes(name));
}

/** @throws with a text for people. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rivals: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      ms: { type: 'string', default: '4000' },
      warm: { type: 'string', default: '6000' },
      locks: { type: 'string', default: '100000' },
      sessions: { type: 'string', default: '10000' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const count = (name: 'rounds' | 'ms' | 'warm' | 'locks' | 'sessions') => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number above 0`);
    return value;
  };
  const others = NAMES.filter((name) => !OURS.includes(name));
  return {
    only: new Set(list(values.only, ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])),
    rivals: [...OURS, ...list(values.rivals, others)],
    rounds: count('rounds'),
    ms: count('ms'),
    warmMs: count('warm'),
    locks: count('locks'),
    sessions: count('sessions'),
    json: values.json,
    help: values.help,
  };
}
