/** Bounds of one peer, units last. */

/** A gateway asks the next in line when a peer has not answered for this long. */
export const GATEWAY_RETRY_MS = 400;

/** How long a gateway tries to take back a grant that it could not deliver. */
export const UNDO_MS = 30_000;

/** Part of the time that a gateway has left which it gives to the peer that it asks, so that the answer is in time. */
export const FORWARD_SHARE = 0.9;

/** Free scopes kept in memory for speed; beyond, those that were not used lately live on disk only. */
export const FREE_SCOPES_MAX = 10_000;

/** Scopes of which a gateway remembers the count of retirements; beyond, the oldest is forgotten (and asked anew). */
export const SEEN_SCOPES_MAX = 20_000;

/** Numbers of forwarded commands that a voter remembers, so that a doubled one is proposed once. */
export const FORWARDS_REMEMBERED = 4_096;
