/** Bounds of gossip about members, units last, and what a higher or lower value costs. */

/** Each member pings one other per period. Shorter finds the dead sooner, for two small frames per ping. */
export const PERIOD_MS = 1_000;

/** A ping without an ack is tried through others after this long; longer spares others, shorter finds a cut link. */
export const PING_TRY_MS = 400;

/** Through how many others a member is pinged that does not answer. */
export const HELPERS = 3;

/** Those through others have the rest of the period. */
export const INDIRECT_MS = PERIOD_MS - PING_TRY_MS;

if (PING_TRY_MS + INDIRECT_MS > PERIOD_MS)
  throw new Error('a ping must have failed before the next one is due');

/** A suspect has this many periods, times log2 of the members, to refute: a rumour needs log2 of them to be heard. */
export const SUSPICION_PERIODS = 3;

/** Each rumour is told this many times, times log2 of the members, then no more. */
export const REPEATS = 3;

/** Rumours on one ping or ack; the least told go first. */
export const RUMOURS_PER_MESSAGE = 8;

/** Once in so many periods all that is known goes along, for what was lost more often than it was repeated. */
export const SYNC_PERIODS = 20;

/** Voters and observers; observers beyond are not noted. */
export const MEMBERS_MAX = 256;

/** An observer that is dead or left is forgotten after this long: far longer than any rumour of it goes round. */
export const FORGET_MS = 3_600_000;

/** Grows as information does in an epidemic: each who knows tells another, so the number doubles each period. */
export function log2Of(members: number): number {
  return Math.max(1, Math.ceil(Math.log2(members + 1)));
}
