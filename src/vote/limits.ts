/** Bounds of the vote, units last, and how they relate. */

/** Two clocks' rates differ by at most this factor (design: 1%). A lease is over for voters this much later. */
export const LEASE_MARGIN = 1.01;

/** How far a promise horizon is raised at a time: rounds. One flush serves that many new ballots. */
export const HORIZON_STRIDE_ROUNDS = 10_000;

/** Sends of one ballot that may be on their way at once; what comes meanwhile shares the next. */
export const PIPELINE_MAX = 8;

/** A prepare without a majority of answers is given up after this long, and tried in a new round. */
export const PREPARE_RETRY_MS = 250;

/** An accept without a majority is sent again after this long, at first, and at most this long. */
export const RESEND_MS = 250;
export const RESEND_MAX_MS = 2_000;

/** A ballot that a minority has left behind is given up at the latest after this long (V5). */
export const MINORITY_NACK_MS = 1_000;

/** The random pause after a lost duel is at most this long after the first one, doubled each time, up to a bound. */
export const DUEL_PAUSE_MS = 10;
export const DUEL_PAUSE_MAX_MS = 500;

/** Ages are asked for again no sooner than this. */
export const AGE_RETRY_MS = 100;

/** The i-th in line acts on a lease that ran out i times this later. */
export const LINE_STEP_MS = 1_000;
