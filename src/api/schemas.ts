/**
 * What goes in over HTTP: zod schemas, the single source of validation, types and /openapi.json.
 * Always true: a request that passes is safe to hand to the core as it is; a refusal names the field, says what is
 * wrong with it and what would be right; what this version does not offer yet is refused by name, never ignored.
 */
import { z } from 'zod';
import { DURATION_FORMS, prettyDuration, readDuration } from './durations.ts';

export const SCOPE_BYTES_MAX = 512;
export const HOLDER_BYTES_MAX = 256;
export const LABEL_BYTES_MAX = 256;
export const LIST_LIMIT_MAX = 1_000;
const LIST_LIMIT = 100;
export const AUTO_MIN_MS = 5_000;
export const AUTO_MAX_MS = 300_000;

/** Fields of later versions: refused by name, with words of their own. */
export const LATER_FIELDS: ReadonlySet<string> = new Set([
  'poll',
  'heartbeat',
  'session',
  'reason',
  'permits',
]);
export const LATER = 'is not offered by this version yet';

/** The error of a field that should be `what`. */
function expects(what: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => (input === undefined ? `is missing: give ${what}` : `must be ${what}`) };
}

const CONTROL = /\p{Cc}/u;
/** With the flag u this matches only halves of pairs: they have no UTF-8, so two names would become one. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;

/** @returns what is wrong with a name, or undefined. */
export function faultOfName(text: string, bytesMax: number): string | undefined {
  if (text === '') return 'is empty';
  if (text.length * 3 > bytesMax) {
    const bytes = Buffer.byteLength(text);
    if (bytes > bytesMax) return `is ${bytes} bytes long, at most ${bytesMax} are allowed`;
  }
  if (CONTROL.test(text)) return 'holds a control character';
  if (LONE_SURROGATE.test(text)) return 'is no valid Unicode text';
  return undefined;
}

function name(bytesMax: number, what: string) {
  const expected = `${what}: 1 to ${bytesMax} bytes of UTF-8, no control characters`;
  return z
    .string(expects(expected))
    .superRefine((text, context) => {
      const fault = faultOfName(text, bytesMax);
      if (fault !== undefined) context.addIssue({ code: 'custom', message: `${fault}: give ${expected}` });
    })
    .meta({ description: expected, minLength: 1, maxLength: bytesMax });
}

const durationInput = z.union([z.string(), z.number()], expects(`a duration: ${DURATION_FORMS}`));

/** A duration, as milliseconds. */
function duration(what: string) {
  return durationInput
    .transform((input, context) => {
      const ms = readDuration(input);
      if (typeof ms === 'number') return ms;
      context.addIssue({ code: 'custom', message: ms });
      return z.NEVER;
    })
    .meta({ description: `${what}: ${DURATION_FORMS}`, examples: ['30s'] });
}

const timeout = z
  .union([z.string(), z.number()], expects(`"auto", "none" or a duration: ${DURATION_FORMS}`))
  .transform((said, context) => {
    if (said === 'auto' || said === 'none') return { said, ms: undefined };
    const ms = readDuration(said);
    if (typeof ms === 'number' && ms > 0) return { said, ms };
    const fault = typeof ms === 'string' ? ms : 'must be longer than 0';
    context.addIssue({ code: 'custom', message: `${fault}; or "auto", or "none" for a lock without an end` });
    return z.NEVER;
  })
  .meta({
    description: `the lease: "auto", a duration (${DURATION_FORMS}), or "none": it never ends by itself`,
    examples: ['auto', '30s', 'none'],
  });

/** Only what means the same as leaving the field out. */
function later<const T extends string | number | boolean>(field: string, harmless: readonly T[]) {
  const only = harmless.map((value) => JSON.stringify(value)).join(' or ');
  return z
    .literal(harmless, { error: () => `${LATER} except as ${only}: leave it out` })
    .optional()
    .meta({ description: `${field}: this version offers only ${only}` });
}

const ACTIONS = ['lock', 'unlock', 'status', 'extend'] as const;
const LATER_ACTIONS = ['heartbeat', 'cancel'];
const LOCK_ID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const aLockId = 'a UUID such as "01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11"';

export const scopeName = name(SCOPE_BYTES_MAX, 'the name to lock');

/** POST /api/v1.0/lock. */
export const lockRequest = z
  .strictObject({
    scope: scopeName,
    action: z
      .enum(ACTIONS, {
        error: ({ input }) =>
          LATER_ACTIONS.includes(input as string)
            ? `"${input}" ${LATER}: use ${ACTIONS.join(', ')}`
            : expects(`one of ${ACTIONS.join(', ')}`).error({ input }),
      })
      .describe('what to do with the scope'),
    lock_type: z
      .literal('write', {
        error: ({ input }) =>
          input === 'read' || input === 'permit' ? `"${input}" ${LATER}: use "write"` : 'must be "write"',
      })
      .optional()
      .describe('how the scope is held'),
    holder: name(HOLDER_BYTES_MAX, 'who holds').optional(),
    lock_id: z
      .string(expects(aLockId))
      .regex(LOCK_ID, { error: `must be ${aLockId}` })
      .toLowerCase()
      .optional()
      .describe('the id of one acquisition, also its idempotency key'),
    timeout: timeout.optional(),
    min_timeout: duration('the least that `auto` may choose').optional(),
    max_timeout: duration('the most that `auto` may choose').optional(),
    learning_window: duration('how far back `auto` looks').optional(),
    operation: name(LABEL_BYTES_MAX, 'a label for the work, for `auto`').optional(),
    complexity: z
      .number(expects('a number above 0'))
      .positive({ error: 'must be a number above 0' })
      .optional()
      .describe('a size of the work, for `auto`'),
    repeat: z
      .int(expects('a whole number, 0 or more'))
      .min(0, { error: 'must be a whole number, 0 or more' })
      .optional()
      .describe('how many times this lock_id was sent before'),
    wait: later('wait', ['0', 0, '0s', '0ms']),
    priority: later('priority', ['normal']),
    force: later('force', [false]),
  })
  .superRefine(({ min_timeout: min = 0, max_timeout: max = AUTO_MAX_MS }, context) => {
    if (max === 0) {
      context.addIssue({ code: 'custom', path: ['max_timeout'], message: 'must be longer than 0' });
    } else if (min > max) {
      const message = `is longer than max_timeout (${prettyDuration(max)}): make it shorter, or max_timeout longer`;
      context.addIssue({ code: 'custom', path: ['min_timeout'], message });
    }
  })
  .meta({ id: 'LockRequest', examples: [{ scope: 'db-migration', action: 'lock' }] });

const aLimit = `a whole number from 1 to ${LIST_LIMIT_MAX}`;

/** GET /api/v1.0/locks. */
export const listQuery = z.strictObject({
  prefix: z.string(expects('one text')).optional().describe('only scopes that start with this'),
  holder: z.string(expects('one text')).optional().describe('only scopes that this holder holds'),
  state: z
    .enum(['locked', 'free'], expects('locked or free'))
    .optional()
    .describe('only scopes in this state'),
  older_than: duration('only scopes held for at least this long').optional(),
  limit: z.coerce
    .number(expects(aLimit))
    .int({ error: `must be ${aLimit}` })
    .min(1, { error: `must be ${aLimit}` })
    .max(LIST_LIMIT_MAX, { error: `must be ${aLimit}` })
    .default(LIST_LIMIT)
    .describe('how many at most'),
  cursor: z.string(expects('one text')).optional().describe('`next_cursor` of the page before'),
});

/** The path of one scope. */
export const scopePath = z.strictObject({ scope: scopeName });

export type LockRequest = z.output<typeof lockRequest>;
export type ListQuery = z.output<typeof listQuery>;
