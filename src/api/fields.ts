/**
 * The kinds of fields that requests are made of: names, durations, ids.
 * Always true: a refusal says what is wrong with the field and what would be right, and never sends back a long value.
 */
import { z } from 'zod';
import { DURATION_FORMS, prettyDuration, readDuration } from './durations.ts';

/** The error of a field that should be `what`. */
export function expects(what: string): { error: (issue: { input?: unknown }) => string } {
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

export function name(bytesMax: number, what: string) {
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

/** A duration between two bounds, as milliseconds. */
export function duration(what: string, leastMs = 0, mostMs = Number.POSITIVE_INFINITY) {
  const bounds = [
    ...(leastMs > 0 ? [`at least ${prettyDuration(leastMs)}`] : []),
    ...(mostMs < Number.POSITIVE_INFINITY ? [`at most ${prettyDuration(mostMs)}`] : []),
  ].join(', ');
  return durationInput
    .transform((input, context) => {
      const ms = readDuration(input);
      if (typeof ms === 'number' && ms >= leastMs && ms <= mostMs) return ms;
      context.addIssue({ code: 'custom', message: typeof ms === 'number' ? `must be ${bounds}` : ms });
      return z.NEVER;
    })
    .meta({
      description: `${what}: ${DURATION_FORMS}${bounds === '' ? '' : `; ${bounds}`}`,
      examples: ['30s'],
    });
}

/** A lease: what was said, and milliseconds if that is a duration. */
export const lease = z
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

const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const SESSION_ID = new RegExp(`${UUID.source.slice(0, -1)}(-[0-9a-zA-Z]{1,8})?$`);

export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function isSessionId(text: string): boolean {
  return SESSION_ID.test(text);
}

/** A UUID, in small letters. */
export function uuid(expected: string) {
  return z
    .string(expects(expected))
    .regex(UUID, { error: `must be ${expected}` })
    .toLowerCase();
}

/** A session's id: a UUID; behind it some characters if it was opened for one lock. */
export function sessionId(expected: string) {
  return z
    .string(expects(expected))
    .regex(SESSION_ID, { error: `must be ${expected}` })
    .toLowerCase();
}
