/**
 * Settings of a command: each has a flag, an environment variable QUORATE_<FLAG>, a key in the config file and a
 * default, in that order of precedence.
 * Always true: every value passes its zod schema, wherever it came from; an error names that place and says what
 * would be right; a key that no command knows is refused, for a misspelt setting is one that is silently not set.
 */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';

/** Something that the user must mend: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Setting<T = unknown> {
  /** What stands for the value in the help; undefined for a switch. */
  readonly value?: string;
  readonly help: string;
  /** Turns a text (flag, environment), or a value of the config file, into the setting. */
  readonly schema: z.ZodType<T>;
  /** As a user would write it; undefined: without it the setting is undefined. */
  readonly fallback?: unknown;
  readonly required?: boolean;
}

export type Settings = Readonly<Record<string, Setting>>;
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { readonly fallback: unknown } | { readonly required: true }
    ? z.output<S[K]['schema']>
    : z.output<S[K]['schema']> | undefined;
};

export interface Sources {
  /** Flags as given, by name. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of the config file, if the flag --config named one. */
  readonly config?: string | undefined;
}

export function variableOf(name: string): string {
  return `QUORATE_${name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Reads the settings of one command.
 * @param others names of other commands' settings: a config file may serve several commands.
 * @throws UsageError that lists everything that is wrong.
 */
export function readSettings<S extends Settings>(
  settings: S,
  { flags, env, config = env[variableOf('config')] }: Sources,
  others: ReadonlySet<string> = new Set(),
): Values<S> {
  const path = config === '' ? undefined : config;
  const file = path === undefined ? new Map<string, FromFile>() : readFile(path);
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const found = find(name, flags, env, file);
    const given = found?.input ?? setting.fallback;
    if (given === undefined) {
      if (setting.required === true) {
        faults.push(`--${name} ${setting.value ?? ''} is missing (or ${variableOf(name)}): ${setting.help}`);
      }
      continue;
    }
    const result = setting.schema.safeParse(given);
    if (result.success) values[name] = result.data;
    else
      for (const { message } of result.error.issues)
        faults.push(`${found?.place ?? `--${name}`}: ${message}`);
  }
  for (const [key, { place }] of file) {
    if (key in settings || others.has(key)) continue;
    faults.push(`${place}: no such setting; known are ${Object.keys(settings).join(', ')}`);
  }
  if (faults.length > 0) throw new UsageError(faults.join('\n'));
  return values as Values<S>;
}

interface FromFile {
  readonly input: unknown;
  readonly place: string;
}

function find(
  name: string,
  flags: Sources['flags'],
  env: Sources['env'],
  file: ReadonlyMap<string, FromFile>,
): FromFile | undefined {
  if (flags[name] !== undefined) return { input: flags[name], place: `--${name}` };
  const variable = variableOf(name);
  // An empty variable is how shells and containers say that there is none.
  if (env[variable] !== undefined && env[variable] !== '') return { input: env[variable], place: variable };
  return file.get(name);
}

function readFile(path: string): Map<string, FromFile> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`--config: cannot read ${path}: ${(error as Error).message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) throw new UsageError(`${path}: ${error.message}`);
  const content: unknown = document.toJS();
  if (content === null || content === undefined) return new Map();
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new UsageError(`${path}: must hold settings, one "key: value" a line`);
  }
  return new Map(Object.entries(content).map(([key, input]) => [key, { input, place: `${key} in ${path}` }]));
}

// --- schemas that take texts as well as values of YAML ---

export function wholeNumber(least: number, most: number) {
  const error = `must be a whole number from ${least} to ${most}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      { error },
    )
    .refine((value) => Number.isInteger(value) && value >= least && value <= most, { error });
}

const WORDS = new Map([
  ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
  ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
]);

export const yesNo = z
  .union([z.boolean(), z.string(), z.number()], { error: 'must be true or false' })
  .transform((input, context) => {
    const value = typeof input === 'boolean' ? input : WORDS.get(String(input).toLowerCase());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: 'must be true or false' });
    return z.NEVER;
  });

export const aText = z.string({ error: 'must be a text' }).min(1, { error: 'must not be empty' });

/** @param read gives the value, or a text that says what is wrong. */
export function readWith<T extends object | number>(read: (text: string) => T | string) {
  return z.union([z.string(), z.number()], { error: 'must be a text' }).transform((input, context) => {
    const value = read(String(input));
    if (typeof value !== 'string') return value;
    context.addIssue({ code: 'custom', message: value });
    return z.NEVER;
  });
}

export function oneOf<const T extends readonly string[]>(words: T) {
  return z.enum(words, { error: `must be one of ${words.join(', ')}` });
}
