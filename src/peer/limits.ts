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

/** Gateways' sessions of which a voter remembers where to find them. */
export const GATEWAYS_REMEMBERED = 1_024;

/** A voter looks at a session that its own copy says ran out this much later: its home ends it meanwhile. */
export const SESSION_SLACK_MS = 50;

/** A place is kept for this long for a client that is away. */
export const PLACE_KEPT_MS = 30_000;

/** How often kept places are looked at. */
export const REAP_EVERY_MS = 5_000;

/** Who waits, as shown in a status: the first of them. Holders shown with a refusal: the first of them. */
export const VIEW_WAITERS_MAX = 1_000;
export const VIEW_HOLDERS_MAX = 100;

/** Requests that wait at one gateway. */
export const WAITING_MAX = 100_000;

/** Locks of one holder name, as far as one home sees them. */
export const LOCKS_PER_HOLDER_MAX = 200_000;

/** The session under which a gateway keeps the places of its clients: three missed beats end it. */
export const GATEWAY_TTL_MS = 6_000;
export const GATEWAY_BEAT_MS = 2_000;

/** A gateway looks at the scopes where its clients wait this often (T4). */
export const LOOK_EVERY_MS = 1_000;

/** The time for a claim is at least this, and at least this many times the slowest vote seen lately, up to a bound (T4). */
export const CLAIM_MIN_MS = 2_000;
export const CLAIM_VOTES = 10;
export const CLAIM_MAX_MS = 30_000;

/**
 * A voter asks the others once something that it accepted in a watched scope is not known to be chosen for this long,
 * again after twice as long, up to a bound; and this often when nothing happens at all.
 */
export const SURE_MS = 1_000;
export const SURE_MAX_MS = 5_000;
export const SURE_EVERY_MS = 5_000;

/** Changes of one watched scope that wait for the word that they are chosen; beyond, they are told as a difference. */
export const UNTOLD_MAX = 1_000;

/**
 * Held scopes that a voter keeps as objects; beyond, those that were not used lately are frozen, so many at a time and
 * so often.
 */
export const WARM_SCOPES = 2_000;
export const FREEZE_SCOPES = 1_000;
export const FREEZE_EVERY_MS = 200;
/** From one walk over all of them to the next: what is frozen was not used for at least that long. */
export const FREEZE_IDLE_MS = 30_000;

/** What more than so many hold stays as objects: each look at one of their sessions would read all of it. */
export const FREEZE_HOLDERS_MAX = 64;
