/**
 * How long a holder may count on a lease or a session, by its own clocks (T1, T4). Pure.
 * Always true: a count begins at this machine's own send, or later by what the peer says that the request had waited,
 * and never after the arrival of the answer; it ends a margin before the lease does, so that work can be stopped in
 * time; a wall clock that outran the monotonic one (a suspend) ends it.
 */
import { LEASE_MARGIN } from '../vote/limits.ts';

/** Monotonic milliseconds, and the wall clock's at that moment. */
export interface Instant {
  readonly mono: number;
  readonly wall: number;
}

export interface Count {
  readonly from: Instant;
  /** Infinity: no end. */
  readonly ms: number;
}

/** Beyond this, and 1% of what passed, the wall clock ran while the monotonic one stood still. */
const SUSPEND_MS = 1_000;
const MARGIN_MAX_MS = 2_000;
const MARGIN_SHARE = 0.1;

/** How long before its end what is counted is given up. */
export function marginOf(ms: number): number {
  return Math.min(MARGIN_MAX_MS, ms * MARGIN_SHARE);
}

/**
 * @param sent before the request was sent. @param waitedMs how long the peer had had the request when the lease was
 * set. @param arrived monotonic, when the answer came. @param ms the lease; Infinity: none.
 */
export function countOf(sent: Instant, waitedMs: number, arrived: number, ms: number): Count {
  const waited = waitedMs / LEASE_MARGIN;
  // The wall clock is not held back to the arrival: if the machine was suspended since the grant, it shall show.
  return { from: { mono: Math.min(sent.mono + waited, arrived), wall: sent.wall + waited }, ms };
}

/** Whether this machine was suspended since the count began. */
export function wasSuspended({ from }: Count, now: Instant): boolean {
  return now.wall - from.wall > (now.mono - from.mono) * LEASE_MARGIN + SUSPEND_MS;
}

/** Milliseconds until it is given up; 0: it is over. */
export function leftOf(count: Count, now: Instant): number {
  return wasSuspended(count, now) ? 0 : Math.max(0, givenUpAt(count) - now.mono);
}

/** When it is given up, monotonic milliseconds. */
export function givenUpAt({ from, ms }: Count): number {
  return ms === Number.POSITIVE_INFINITY ? ms : from.mono + ms - marginOf(ms);
}
