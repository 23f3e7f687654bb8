/**
 * What a seed draws: the size of the mesh, its load and its faults. Printed at the start of a traced run.
 */
import { Random } from './random.ts';

export interface Options {
  readonly seed: number;
  readonly voters: number;
  readonly scopes: number;
  readonly clients: number;
  /** How long faults go on, and how long the mesh may take to recover after that, in milliseconds. */
  readonly stormMs: number;
  readonly calmMs: number;
  readonly delayMs: number;
  readonly drop: number;
  readonly double: number;
  /** Chance that a message takes far longer than usual. */
  readonly straggle: number;
  readonly flushMs: number;
  /** Mean time between faults of each kind in the whole mesh, 0 for never. */
  readonly crashEveryMs: number;
  readonly pauseEveryMs: number;
  readonly cutEveryMs: number;
  readonly slowDiskEveryMs: number;
  readonly forgetEveryMs: number;
  readonly wipeEveryMs: number;
  /** Clocks run at rates in 1 plus or minus this. */
  readonly drift: number;
  /** The rate of one voter's clock, which is out of all bounds; 0 for none. No lease may end by it alone. */
  readonly wildClock: number;
  readonly minLeaseMs: number;
  readonly maxLeaseMs: number;
  readonly maxTtlMs: number;
  /** Shares of acquires that wait, that read, that live with a session; of holds that convert. */
  readonly waits: number;
  readonly maxWaitMs: number;
  readonly reads: number;
  readonly sessions: number;
  /** All scopes are semaphores of so many permits; 0: they are locks. */
  readonly permits: number;
  /** Share of acquires that are urgent. */
  readonly urgent: number;
  readonly converts: number;
  /** Chance that a client hangs up while it waits; that it takes a lock by force. */
  readonly hangUp: number;
  readonly force: number;
  readonly clientCrash: number;
  readonly clientPause: number;
  /** Chance that an answer to a client is lost. */
  readonly lostReply: number;
  /** Clients act on what they hold after up to this share of its lease. */
  readonly holdShare: number;
  /** Chance that a gateway never hears that its client hung up. */
  readonly lostHangUp: number;
  /** Whether clients hold for moments only, so that lock ids retire by the hundred. */
  readonly hasty: boolean;
  /** Chance that a peer watches a scope, 0 for never. */
  readonly watches: number;
  /** Whether frames go through the codecs of the wire. */
  readonly wire: boolean;
}

/** Draws the options of a seed. Some seeds have few faults of one kind each, some have all at once. */
export function draw(seed: number): Options {
  const random = new Random(seed * 2 + 1);
  const some = (p: number, low: number, high: number) => (random.chance(p) ? random.between(low, high) : 0);
  // Drawn apart, so that seeds without watchers run as they always did.
  const apart = new Random(seed * 2 + 1_000_003);
  const watches = apart.chance(0.25) ? apart.pick([0.3, 0.7, 1]) : 0;
  const voters = random.pick([3, 3, 3, 3, 3, 4, 5, 5, 5, 10]);
  const hasty = random.chance(0.06);
  const minLeaseMs = random.pick([150, 300, 700]);
  const options: Options = {
    seed,
    voters,
    scopes: random.pick([1, 1, 2, 3]),
    clients: random.pick([2, 3, 4, 5, 6, 6, 10, 24]),
    stormMs: random.between(4_000, 10_000),
    calmMs: 40_000,
    delayMs: random.pick([0.2, 1, 1, 5, 12]),
    drop: some(0.6, 0, 0.12),
    double: some(0.5, 0, 0.1),
    straggle: some(0.6, 0, 0.05),
    flushMs: random.pick([0.2, 0.5, 2, 8]),
    crashEveryMs: some(0.7, 300, 4_000),
    pauseEveryMs: some(0.6, 300, 4_000),
    cutEveryMs: some(0.7, 300, 4_000),
    slowDiskEveryMs: some(0.4, 500, 4_000),
    forgetEveryMs: some(0.6, 20, 500),
    wipeEveryMs: some(0.15, 1_000, 8_000),
    drift: random.pick([0, 0.001, 0.00497, 0.00497]),
    wildClock: random.chance(0.12) ? random.pick([5, 2, 0.2]) : 0,
    minLeaseMs,
    maxLeaseMs: minLeaseMs * random.pick([1, 2, 5]),
    maxTtlMs: random.pick([600, 1_200, 3_000]),
    waits: random.pick([0, 0.5, 0.8, 1]),
    maxWaitMs: random.pick([1_000, 4_000, 12_000]),
    reads: random.pick([0, 0.3, 0.6]),
    sessions: random.pick([0, 0, 0.3, 0.7]),
    permits: 0,
    urgent: random.pick([0, 0.1, 0.3]),
    converts: some(0.5, 0, 0.5),
    hangUp: some(0.5, 0, 0.3),
    force: some(0.2, 0, 0.03),
    clientCrash: some(0.6, 0, 0.25),
    clientPause: some(0.6, 0, 0.25),
    lostReply: some(0.7, 0, 0.2),
    holdShare: 0.6,
    lostHangUp: some(0.4, 0, 0.3),
    hasty,
    watches,
    wire: random.chance(0.2),
  };
  if (hasty) return { ...options, ...HASTY };
  const flavour = random.next();
  if (flavour < 0.05) return { ...options, ...CROWDED };
  if (flavour < 0.12) return { ...options, ...CONVERTING };
  if (flavour < 0.16) return { ...options, ...SESSIONS, maxTtlMs: 8_000 };
  if (flavour < 0.2) return { ...options, ...SESSIONS };
  if (flavour < 0.28) return { ...options, ...PERMITS, permits: random.pick([1, 2, 2, 3, 5]) };
  return options;
}

/** Many fight for one scope for moments each, most of them in a hurry. */
const CROWDED: Partial<Options> = {
  voters: 3,
  scopes: 1,
  clients: 24,
  stormMs: 5_000,
  delayMs: 0.5,
  flushMs: 0.5,
  hasty: true,
  waits: 1,
  maxWaitMs: 12_000,
  urgent: 0.6,
  reads: 0,
  clientPause: 0,
  clientCrash: 0,
};

/** Readers and writers that turn into each other, while copies of their commands are late. */
const CONVERTING: Partial<Options> = {
  scopes: 1,
  clients: 3,
  stormMs: 10_000,
  straggle: 0.15,
  drop: 0.05,
  lostReply: 0.05,
  minLeaseMs: 2_000,
  maxLeaseMs: 6_000,
  waits: 0.7,
  reads: 0.5,
  sessions: 0,
  converts: 0.9,
  pauseEveryMs: 800,
  lostHangUp: 0.5,
  clientPause: 0,
  clientCrash: 0,
  holdShare: 0.1,
};

/** Everything lives with sessions, and little else ends it. */
const SESSIONS: Partial<Options> = {
  sessions: 0.9,
  waits: 1,
  clients: 6,
  scopes: 2,
  drop: 0.15,
  lostReply: 0.15,
  minLeaseMs: 1_500,
  maxLeaseMs: 3_000,
  hangUp: 0,
  clientPause: 0.4,
  clientCrash: 0.2,
};

/** Semaphores, with enough clients to fill them; now and then somebody takes them for something else. */
const PERMITS: Partial<Options> = {
  reads: 0,
  converts: 0,
  clients: 8,
  // Whoever finds out that a scope is free again comes to write, which kept places of a semaphore do not admit.
  calmMs: 60_000,
};

/** Little goes wrong but stragglers, so that hundreds of lock ids end while one is on its way. */
const HASTY: Partial<Options> = {
  voters: 3,
  scopes: 1,
  clients: 6,
  stormMs: 6_000,
  delayMs: 0.2,
  flushMs: 0.2,
  drop: 0,
  straggle: 0.01,
  crashEveryMs: 0,
  pauseEveryMs: 0,
  cutEveryMs: 0,
  slowDiskEveryMs: 0,
  wipeEveryMs: 0,
  minLeaseMs: 150,
  maxLeaseMs: 150,
  waits: 0,
  reads: 0,
  sessions: 0,
  converts: 0,
  force: 0,
  clientCrash: 0,
  clientPause: 0,
  lostReply: 0.001,
};
