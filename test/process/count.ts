/**
 * How long a holder may count on a lock, by its own clock (T1).
 * Always true: a count begins at the holder's own send, never at the arrival of an answer; an answer that says
 * `already_held` begins none.
 */

/** What two clocks' rates may differ by. */
const MARGIN = 1.01;

/** Milliseconds of the machine's one monotonic clock: processes on it may compare what they read. */
export function clock(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export interface LeaseAnswer {
  readonly timeout_ms: number | null;
  readonly waited_ms: number;
  readonly already_held?: true;
}

/** Until when the lease of a lock or an extension lasts that was sent at `sentAt`. */
export function leaseUntil(sentAt: number, { timeout_ms, waited_ms, already_held }: LeaseAnswer): number {
  if (already_held === true) return Number.NEGATIVE_INFINITY;
  return timeout_ms === null ? Number.POSITIVE_INFINITY : countFrom(sentAt, waited_ms) + timeout_ms;
}

/** When the count of a lock began: it had waited for that long first, by its gateway's clock. */
export function countFrom(sentAt: number, waitedMs: number): number {
  return sentAt + waitedMs / MARGIN;
}
