/**
 * Arguments and options of calls, checked.
 * Always true: what is returned is safe to send as it is; a refusal is an InvalidRequestError that names the field,
 * says what is wrong with it and what would be right. The limits are those of the API.
 */
import { hostname } from 'node:os';
import { DURATION_FORMS, prettyDuration, readDuration } from '../api/durations.ts';
import { type LockId, NO_EXPIRY, type Priority } from '../lock/state.ts';
import { type Clock, systemClock } from './clock.ts';
import { InvalidRequestError } from './errors.ts';
import type { Duration, QuorateOptions } from './types.ts';

const DAY_MS = 86_400_000;
const DEFAULT_PORT = 20194;
const SCOPE_BYTES_MAX = 512;
const HOLDER_BYTES_MAX = 256;
const PREFIX_BYTES_MAX = 200;
const REASON_BYTES_MAX = 1_024;
const PERMITS_MAX = 1_024;
export const WAIT_MAX_MS = 7 * DAY_MS;
const TTL_MIN_MS = 300;

/** Where a peer listens. */
export interface Server {
  /** HOST:PORT, with brackets around an IPv6 address. */
  readonly host: string;
  readonly secure: boolean;
}

export interface Settings {
  readonly servers: readonly Server[];
  readonly transport: 'ws' | 'http';
  readonly holder: string;
  readonly ttlMs: number;
  readonly requestMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

export function readSettings(options: QuorateOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('options', 'are missing: give { servers: ["HOST:PORT"] }');
  }
  const { servers, transport = 'ws', holder, ttl = '10s', requestTimeout = '5s' } = options;
  const given = typeof servers === 'string' ? servers.split(',') : servers;
  if (!Array.isArray(given) || given.length === 0) {
    throw invalid('servers', `name no peer: give them as ["127.0.0.1:${DEFAULT_PORT}"]`);
  }
  if (transport !== 'ws' && transport !== 'http') throw invalid('transport', 'must be "ws" or "http"');
  return {
    servers: unique(given.map((server, i) => readServer(server, `servers[${i}]`))),
    transport,
    holder: holder === undefined ? ownName() : nameOf(holder, 'holder', PREFIX_BYTES_MAX),
    ttlMs: durationOf(ttl, 'ttl', TTL_MIN_MS, DAY_MS),
    requestMs: durationOf(requestTimeout, 'requestTimeout', 1, DAY_MS),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

function unique(servers: readonly Server[]): Server[] {
  return [...new Map(servers.map((server) => [server.host, server])).values()];
}

const SCHEMES: Readonly<Record<string, boolean>> = {
  'http:': false,
  'ws:': false,
  'https:': true,
  'wss:': true,
};

export function readServer(text: unknown, field: string): Server {
  const example = `write HOST:PORT, such as 127.0.0.1:${DEFAULT_PORT}, or a URL`;
  if (typeof text !== 'string') throw invalid(field, `is no text: ${example}`);
  const trimmed = text.trim();
  const hasScheme = trimmed.includes('://');
  const url = hasScheme ? trimmed : `http://${trimmed}`;
  if (trimmed === '' || !URL.canParse(url)) {
    throw invalid(field, `${JSON.stringify(text)} is no address: ${example}`);
  }
  const { protocol, hostname, port, pathname, search, username, password } = new URL(url);
  const secure = SCHEMES[protocol];
  if (secure === undefined)
    throw invalid(field, `${protocol} is no scheme that peers speak: use http or https`);
  if (pathname !== '/' || search !== '' || username !== '' || password !== '') {
    throw invalid(
      field,
      `${JSON.stringify(text)} has more than a scheme, a host and a port: leave out the rest`,
    );
  }
  // A URL drops the default port of its scheme; without one in the text it is the default of peers.
  const said = /:(\d{1,5})\/?$/.exec(trimmed)?.[1];
  const standard = secure ? '443' : '80';
  return {
    host: `${hostname}:${port || (said === undefined && !hasScheme ? DEFAULT_PORT : standard)}`,
    secure,
  };
}

export function invalid(field: string, fault: string): InvalidRequestError {
  return new InvalidRequestError(`${field} ${fault}.`);
}

/** @returns milliseconds. */
export function durationOf(
  value: unknown,
  field: string,
  leastMs = 0,
  mostMs = Number.POSITIVE_INFINITY,
): number {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw invalid(field, `is no duration: write ${DURATION_FORMS}`);
  }
  const ms = readDuration(value);
  if (typeof ms === 'string') throw invalid(field, ms);
  if (ms < leastMs)
    throw invalid(field, `is ${prettyDuration(ms)}: give at least ${prettyDuration(leastMs)}`);
  if (ms > mostMs) throw invalid(field, `is ${prettyDuration(ms)}: give at most ${prettyDuration(mostMs)}`);
  return ms;
}

const CONTROL = /\p{Cc}/u;
/** With the flag u this matches only halves of pairs, which have no UTF-8. */
const LONE_SURROGATE = /[\uD800-\uDFFF]/u;
/** What most names are made of: nothing further needs to be looked at. */
const PLAIN = /^[\x20-\x7e]+$/;

export function nameOf(value: unknown, field: string, bytesMax: number): string {
  if (typeof value === 'string' && value.length <= bytesMax && PLAIN.test(value)) return value;
  const expected = `give 1 to ${bytesMax} bytes of UTF-8, no control characters`;
  if (typeof value !== 'string') throw invalid(field, `is no text: ${expected}`);
  if (value === '') throw invalid(field, `is empty: ${expected}`);
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax) throw invalid(field, `is ${bytes} bytes long: ${expected}`);
  if (CONTROL.test(value)) throw invalid(field, `holds a control character: ${expected}`);
  if (LONE_SURROGATE.test(value)) throw invalid(field, `is no valid Unicode text: ${expected}`);
  return value;
}

export function scopeOf(value: unknown, field = 'scope'): string {
  return nameOf(value, field, SCOPE_BYTES_MAX);
}

export function holderOf(value: unknown): string {
  return nameOf(value, 'holder', HOLDER_BYTES_MAX);
}

export function reasonOf(value: unknown): string {
  return nameOf(value, 'reason', REASON_BYTES_MAX);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function lockIdOf(value: unknown): LockId {
  const id = typeof value === 'string' ? value.toLowerCase() : '';
  if (UUID.test(id)) return id as LockId;
  throw invalid(
    'lockId',
    'is no UUID: leave it out, or give one such as "01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11"',
  );
}

export function waitOf(value: Duration | undefined): number {
  return value === undefined ? 0 : durationOf(value, 'wait', 0, WAIT_MAX_MS);
}

/** @returns milliseconds, NO_EXPIRY, or null for `auto`. */
export function leaseOf(value: Duration | undefined): number | null {
  if (value === undefined || value === 'auto') return null;
  if (value === 'none') return NO_EXPIRY;
  const ms = durationOf(value, 'timeout');
  if (ms > 0) return ms;
  throw invalid(
    'timeout',
    'must be longer than 0; or "auto", or "none" for a lock that lives with its session',
  );
}

export function priorityOf(value: unknown): Priority {
  if (value === undefined) return 'normal';
  if (value === 'high' || value === 'normal' || value === 'low') return value;
  throw invalid('priority', 'must be "high", "normal" or "low"');
}

export function lockTypeOf(value: unknown): 'write' | 'read' {
  if (value === undefined) return 'write';
  if (value === 'write' || value === 'read') return value;
  throw invalid('lockType', 'must be "write" or "read"; for permits use semaphore(scope, permits)');
}

export function permitsOf(value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= PERMITS_MAX)
    return value as number;
  throw invalid('permits', `must be a whole number from 1 to ${PERMITS_MAX}`);
}

/** Refuses options that this call does not have: a misspelled one must not be left out in silence. */
export function checkKeys(options: object, known: readonly string[]): void {
  for (const key in options) {
    if (!known.includes(key)) throw invalid(key, `is no option of this call: use ${known.join(', ')}`);
  }
}

export function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw invalid('signal', 'must be an AbortSignal');
}

/** Host name and process id, for names of holders. */
export function ownName(): string {
  const host = Buffer.from(hostname())
    .subarray(0, 100)
    .toString()
    .replace(/[^\w.-]/g, '_');
  return `${host || 'host'}-${process.pid}`;
}
