/**
 * Plain values from a wire or a disk, checked by hand: numbers, texts, booleans, null and arrays of them.
 * Always true: what these functions return is what its type says and within its bounds; else they throw a
 * WireError that names the field. They run for every field of every message, so they make nothing.
 */

/** Bytes of a scope in UTF-8. */
export const SCOPE_BYTES_MAX = 512;
/** UTF-16 units; longer names are no names. */
export const HOLDER_CHARS_MAX = 256;
export const LOCK_ID_CHARS_MAX = 64;
export const LEASE_ID_CHARS_MAX = 128;
export const SESSION_ID_CHARS_MAX = 128;
export const REASON_CHARS_MAX = 1_024;
/** Who forced a lock and why. */
export const NOTE_CHARS_MAX = 2_048;

/** A session's register is the scope of its id behind this character, which no other scope may have. */
export const SESSION_SCOPE_PREFIX = '\u0001';

/** Bytes that are no value of the expected kind. */
export class WireError extends Error {
  readonly field: string;

  constructor(field: string, why: string) {
    super(`${field}: ${why}`);
    this.name = 'WireError';
    this.field = field;
  }
}

/** A kind that this version does not know: kinds are only ever appended, so a newer peer may have sent it. */
export class UnknownKindError extends WireError {
  constructor(field: string, kind: number) {
    super(field, `kind ${kind} is unknown`);
  }
}

/** An array of at least that many values; more may come from a newer version. */
export function list(u: unknown, least: number, field: string): readonly unknown[] {
  if (!Array.isArray(u)) throw new WireError(field, 'is no array');
  if (u.length < least) throw new WireError(field, `has ${u.length} of ${least} values`);
  return u;
}

/** A safe integer, 0 or more. */
export function natural(u: unknown, field: string): number {
  if (Number.isSafeInteger(u) && (u as number) >= 0) return u as number;
  throw new WireError(field, 'is no natural number');
}

/** A natural number up to `most`. */
export function upTo(u: unknown, most: number, field: string): number {
  const value = natural(u, field);
  if (value <= most) return value;
  throw new WireError(field, `is more than ${most}`);
}

/** A finite number of milliseconds, 0 or more; -1 stands for "never" where `orNever` says so. */
export function millis(u: unknown, orNever: boolean, field: string): number {
  if (typeof u === 'number' && ((u >= 0 && u < Number.POSITIVE_INFINITY) || (orNever && u === -1))) return u;
  throw new WireError(field, 'is no number of milliseconds');
}

export function flag(u: unknown, field: string): boolean {
  if (typeof u === 'boolean') return u;
  throw new WireError(field, 'is neither true nor false');
}

/** A text of `least` to `most` UTF-16 units. */
export function text(u: unknown, least: number, most: number, field: string): string {
  if (typeof u !== 'string') throw new WireError(field, 'is no text');
  if (u.length >= least && u.length <= most) return u;
  throw new WireError(field, `has ${u.length} characters, not ${least} to ${most}`);
}

/**
 * A scope, or a session's behind SESSION_SCOPE_PREFIX. Lone surrogates are refused because two scopes could then
 * become the same bytes on a disk; the doors refuse more than this.
 */
export function scopeText(u: unknown, field: string): string {
  const scope = text(u, 1, SCOPE_BYTES_MAX, field);
  const from = scope.length > 1 && scope.startsWith(SESSION_SCOPE_PREFIX) ? SESSION_SCOPE_PREFIX.length : 0;
  const bytes = checkedBytes(scope, from, field);
  if (bytes <= SCOPE_BYTES_MAX) return scope;
  throw new WireError(field, `has ${bytes} bytes, at most ${SCOPE_BYTES_MAX}`);
}

/**
 * The same text, by itself: what was cut out of a frame keeps all of that alive for as long as it lives. For what is
 * kept long.
 */
export function flat<T extends string>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** A session's id: whatever can stand in a scope. */
export function sessionText(u: unknown, field: string): string {
  const session = text(u, 1, SESSION_ID_CHARS_MAX, field);
  checkedBytes(session, 0, field);
  return session;
}

/** The bytes of a well-formed text that has no control character from this place on. */
function checkedBytes(value: string, from: number, field: string): number {
  let bytes = value.length;
  for (let i = from; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    if (unit >= 0x20 && unit < 0x80) continue;
    if (unit < 0x20) throw new WireError(field, 'has a control character');
    bytes += unit < 0x800 ? 1 : 2;
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = i + 1 < value.length ? value.charCodeAt(i + 1) : 0;
    if (unit > 0xdbff || next < 0xdc00 || next > 0xdfff) throw new WireError(field, 'is not well-formed');
    i++;
  }
  return bytes;
}
