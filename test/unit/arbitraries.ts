/**
 * Values of every type that goes over a wire or to a disk, for properties; and what garbage looks like.
 * Always true: a value drawn here keeps the invariants that its type's file states.
 */
import fc from 'fast-check';
import type { Command, Outcome } from '../../src/lock/command.ts';
import type { LockEvent } from '../../src/lock/event.ts';
import { join, NOBODY, PASSED_MAX } from '../../src/lock/queue.ts';
import { RETIRED_RING, Ring } from '../../src/lock/ring.ts';
import {
  type Claimant,
  EMPTY,
  type Ending,
  type FencingToken,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  type Mode,
  PERMITS_MAX,
  type Priority,
  type Retired,
  type SessionId,
  type Waiter,
  type Wish,
} from '../../src/lock/state.ts';
import { set, type Tree } from '../../src/lock/tree.ts';
import type { Forward, Frame, Message, Verdict, View } from '../../src/peer/messages.ts';
import type { StoredRegister } from '../../src/vote/acceptor.ts';
import { type Ballot, endOfRound, leaseIdOf, NO_BALLOT } from '../../src/vote/ballot.ts';
import type { VoteMessage } from '../../src/vote/messages.ts';

const natural = fc.oneof(fc.nat({ max: 300 }), fc.maxSafeNat());
const millis = fc.oneof(
  fc.nat({ max: 300_000 }),
  fc.double({ min: 0, max: 1e9, noNaN: true }).map((ms) => ms + 0),
);

export const scope = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !/\p{Cc}/u.test(text)),
  fc.constantFrom('a', 'orders/42', 'é'.repeat(256), 'x'.repeat(512), '😀'.repeat(128), '\u0001session'),
);
export const sessionId = fc.oneof(
  fc.uuid(),
  fc.constantFrom('s', 'p1/é', '😀'.repeat(64)),
) as fc.Arbitrary<SessionId>;
export const lockId = fc.oneof(fc.uuid(), fc.constantFrom('x', 'lock-1')) as fc.Arbitrary<LockId>;
export const ballot: fc.Arbitrary<Ballot> = fc.oneof(
  fc.constant(NO_BALLOT),
  natural.map(endOfRound),
  fc.record({
    round: natural,
    peer: fc.constantFrom('0123456789abcdef', 'fedcba9876543210', 'p1'),
    boot: natural,
  }),
);
export const leaseId: fc.Arbitrary<LeaseId> = fc.tuple(ballot, natural).map(([b, v]) => leaseIdOf(b, v));
export const ending = fc.constantFrom<Ending>('released', 'expired', 'cancelled', 'crashed', 'forced');
const lockMode = fc.constantFrom('write' as const, 'read' as const);
const mode = fc.constantFrom<Mode>('write', 'read', 'permit');
const permits = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: PERMITS_MAX }));
const wish: fc.Arbitrary<Wish> = fc
  .tuple(mode, permits)
  .map(([mode, permits]) => ({ mode, permits: mode === 'permit' ? permits : 0 }));
export const priority = fc.constantFrom<Priority>('high', 'normal', 'low');
const token = natural as fc.Arbitrary<FencingToken>;
const words = (maxLength: number) => fc.string({ unit: 'grapheme', maxLength });
const holder = words(20);
const reason = fc.option(words(30));
const note = fc.option(words(30), { freq: 1 });

const claimant = {
  lockId,
  holder,
  named: fc.boolean(),
  priority,
  reason,
  session: fc.option(sessionId),
  ttlMs: natural,
};
const wait = {
  leaseMs: natural,
  claimMs: natural,
  gateway: sessionId,
  repeat: natural,
  at: natural,
  arrival: natural,
};
const slot = fc.oneof(fc.nat(2), fc.nat(PERMITS_MAX - 1));
const tenure = { token, slot, former: token, leaseMs: natural, leaseId, at: natural };

export const waiter: fc.Arbitrary<Waiter> = fc
  .tuple(fc.record(claimant), wish, fc.record(wait))
  .map(([who, how, rest]) => ({ ...who, ...how, ...rest }));

export const grant: fc.Arbitrary<Grant> = fc
  .tuple(fc.record(claimant), wish, fc.record(tenure), fc.option(fc.record(wait)))
  .map(([who, how, rest, waits]) => grantOf({ ...who, ...how }, rest, waits));

function grantOf(
  who: Claimant & Wish,
  rest: Pick<Grant, keyof typeof tenure>,
  waits: Pick<Waiter, keyof typeof wait> | null,
): Grant {
  const slot = who.permits === 0 ? 0 : rest.slot % who.permits;
  return { ...who, ...rest, slot, unclaimed: waits === null ? null : { ...who, ...waits } };
}

const retired: fc.Arbitrary<Retired> = fc.record({ lockId, ending, token, note });

/** What a scope is made of; the lock ids and arrivals of its places are told apart afterwards. */
const parts = fc.record({
  token,
  wish,
  holders: fc.array(grant, { maxLength: 3 }),
  waiters: fc.array(waiter, { maxLength: 5 }),
  parked: fc.array(waiter, { maxLength: 2 }),
  passed: fc.array(natural, { maxLength: PASSED_MAX }),
  upgrade: fc.option(sessionId),
  later: fc.nat(100),
  retired: fc.oneof(
    fc.array(retired, { maxLength: 3 }),
    fc.array(retired, { minLength: RETIRED_RING, maxLength: RETIRED_RING }),
  ),
  more: fc.nat(1_000),
});

type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;

function stateOf(drawn: Parts): LockState {
  const ids = new Set<string>();
  const arrivals = new Set<number>();
  const apart = <T extends { readonly lockId: LockId }>(one: T): T => {
    let id: string = one.lockId;
    while (ids.has(id)) id = `${id.slice(0, 40)}${ids.size}`;
    ids.add(id);
    return { ...one, lockId: id as LockId };
  };
  const placed = (one: Waiter): Waiter => {
    let { arrival } = one;
    while (arrivals.has(arrival)) arrival = (arrival + 1) % 2 ** 52;
    arrivals.add(arrival);
    return { ...one, arrival };
  };
  const { wish } = drawn;
  const { mode, permits } = wish;
  const slots = new Set<number>();
  const slotFor = (drawn: number): number => {
    let slot = permits === 0 ? 0 : drawn % permits;
    while (slots.has(slot)) slot = (slot + 1) % permits;
    if (permits > 0) slots.add(slot);
    return slot;
  };
  const most = { write: 1, read: 3, permit: permits };
  const holders = drawn.holders.slice(0, most[mode]).map((held): Grant => {
    const { unclaimed, ...rest } = apart(held);
    const { lockId } = rest;
    const slot = slotFor(rest.slot);
    return { ...rest, ...wish, slot, unclaimed: unclaimed && placed({ ...unclaimed, lockId, ...wish }) };
  });
  /** All are of one semaphore, or none is. */
  const fitting = (one: Waiter): Waiter => (one.permits === permits ? one : { ...one, ...wish });
  let queue = NOBODY;
  for (const one of drawn.waiters) queue = join(queue, placed(apart(fitting(one))));
  let parked: Tree<string, Waiter>;
  for (const one of drawn.parked) {
    const kept = placed(apart(fitting(one)));
    parked = set(parked, kept.lockId, kept);
  }
  const last = Math.min(Math.max(0, ...arrivals) + drawn.later, Number.MAX_SAFE_INTEGER);
  const passed = drawn.passed.map((arrival) => Math.min(arrival, last)).sort((a, b) => b - a);
  return {
    token: Math.max(drawn.token, ...holders.map((held) => held.token)) as FencingToken,
    holders,
    queue: drawn.waiters.length === 0 ? queue : { ...queue, passed },
    parked,
    upgrade:
      drawn.upgrade === null || mode !== 'read' || holders.length === 0
        ? null
        : { lockId: holders.at(-1)!.lockId, gateway: drawn.upgrade },
    arrivals: last,
    retired: Ring.of(drawn.retired.map(apart)),
    retirements: drawn.retired.length + (drawn.retired.length === RETIRED_RING ? drawn.more : 0),
  };
}

export const lockState: fc.Arbitrary<LockState> = fc.oneof(
  { weight: 1, arbitrary: fc.constant(EMPTY) },
  { weight: 4, arbitrary: parts.map(stateOf) },
);

const upgrade = fc.record({ lockId, gateway: sessionId });

const kind = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds);

export const event: fc.Arbitrary<LockEvent> = fc.oneof(
  fc.record({ kind: kind('granted'), grant }),
  fc.record({ kind: kind('queued'), waiter }),
  fc.record({ kind: kind('promoted'), lockId, token, slot, leaseId, gateway: sessionId, at: natural }),
  fc.record({ kind: kind('claimed'), lockId, leaseId, at: natural }),
  fc.record({ kind: kind('extended'), lockId, leaseMs: natural, leaseId }),
  fc.record({ kind: kind('converted'), lockId, mode: lockMode, token, gateway: fc.option(sessionId) }),
  fc.record({ kind: kind('upgrading'), upgrade: fc.option(upgrade) }),
  fc.record({ kind: kind('moved'), lockId, gateway: sessionId, repeat: natural }),
  fc.record({ kind: kind('parked'), lockId }),
  fc.record({ kind: kind('deserted'), gateway: sessionId }),
  fc.record({ kind: kind('ended'), lockId, ending, note }),
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(
      wish,
      fc.record({
        kind: kind('acquire'),
        ...claimant,
        leaseMs: natural,
        again: fc.boolean(),
        wait: fc.boolean(),
        claimMs: natural,
        gateway: sessionId,
        repeat: natural,
        seen: natural,
        at: natural,
      }),
    )
    .map(([how, rest]) => ({ ...rest, ...how })),
  fc.record({
    kind: kind('release'),
    lockId,
    gateway: fc.option(sessionId),
    force: fc.option(fc.record({ by: holder, reason: words(30) })),
    at: natural,
  }),
  fc.record({ kind: kind('extend'), lockId, leaseMs: natural, replaces: fc.option(leaseId) }),
  fc.record({
    kind: kind('extend'),
    lockId,
    leaseMs: natural,
    replaces: fc.option(leaseId),
    list: fc.constant(true),
  }),
  fc.record({
    kind: kind('convert'),
    lockId,
    mode,
    token,
    wait: fc.boolean(),
    gateway: sessionId,
    at: natural,
  }),
  fc.record({ kind: kind('cancel'), lockId, gateway: fc.option(sessionId), token, at: natural }),
  fc.record({ kind: kind('claim', 'park'), lockId, gateway: sessionId, at: natural }),
  fc.record({ kind: kind('reap'), lockId, at: natural }),
  fc.record({ kind: kind('expire'), lockId, leaseId, at: natural }),
  fc.record({ kind: kind('sweep'), session: sessionId, at: natural }),
  fc.record({ kind: kind('look'), gateway: sessionId }),
  fc.constant({ kind: 'read' as const }),
);

export const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: kind('granted', 'converted'), grant, repeat: fc.boolean() }),
  fc.record({ kind: kind('already_held', 'upgrading', 'deadlock', 'extended', 'outdated'), grant }),
  fc.record({ kind: kind('queued', 'elsewhere', 'busy'), position: natural }),
  fc.record({ kind: kind('misfit'), permits: fc.nat(PERMITS_MAX) }),
  fc.record({ kind: kind('ended'), ending, token, note }),
  fc.record({ kind: kind('released'), token, repeat: fc.boolean() }),
  fc.record({
    kind: kind('mismatch', 'full', 'stale', 'cancelled', 'parked', 'expired', 'swept', 'not_found', 'state'),
  }),
);

export const register: fc.Arbitrary<StoredRegister> = fc.record({
  ballot,
  version: natural,
  state: lockState,
});

export const voteMessage: fc.Arbitrary<VoteMessage> = fc.oneof(
  fc.record({ kind: fc.constant('prepare' as const), scope, ballot }),
  fc.record({
    kind: fc.constant('promised' as const),
    scope,
    ballot,
    accepted: ballot,
    version: natural,
    state: lockState,
  }),
  fc.record({ kind: fc.constant('nack' as const), scope, ballot, promised: ballot }),
  fc.record({
    kind: fc.constant('accept' as const),
    scope,
    ballot,
    version: natural,
    seq: natural,
    events: fc.option(fc.array(event, { maxLength: 4 })),
    state: fc.option(lockState),
  }),
  fc.record({
    kind: fc.constantFrom('accepted' as const, 'gap' as const),
    scope,
    ballot,
    seq: natural,
  }),
  fc.record({
    kind: fc.constant('accepted' as const),
    scope,
    ballot,
    seq: natural,
    watching: fc.constant(true as const),
  }),
  fc.record({ kind: fc.constant('chosen' as const), scope, ballot, version: natural }),
  fc.record({ kind: fc.constant('ask' as const), scope, ask: natural }),
  fc.record({
    kind: fc.constant('report' as const),
    scope,
    ask: natural,
    promised: ballot,
    accepted: fc.record({ ballot, version: natural }),
    flushed: fc.boolean(),
    overdue: fc.array(fc.tuple(lockId, leaseId), { maxLength: 3 }),
    dueMs: fc.oneof(fc.constant(-1), millis),
  }),
);

const position = fc.nat(20_000);

export const view: fc.Arbitrary<View> = fc
  .record({
    token,
    retirements: natural,
    held: fc.array(fc.tuple(grant, fc.oneof(fc.constant(-1), fc.nat())), { maxLength: 3 }),
    waiters: fc.array(
      fc.record({ lockId, holder, mode, priority, reason, at: natural, session: fc.option(sessionId) }),
      { maxLength: 3 },
    ),
    places: fc.array(fc.tuple(lockId, position), { maxLength: 3 }),
    entries: fc.array(fc.record({ scope, lockId, token }), { maxLength: 3 }),
    contention: fc.record({
      acquires: natural,
      conflicts: natural,
      holds: natural,
      heldMs: millis,
      waiters: position,
    }),
  })
  .map(({ held, ...rest }) => ({
    ...rest,
    holders: held.map(([one]) => one),
    leftMs: held.map(([, left]) => left),
  }));

export const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  fc.record({ kind: kind('decided'), outcome, votes: fc.nat(31), view }),
  fc.record({ kind: kind('overloaded'), limit: words(20) }),
  fc.record({ kind: kind('no_quorum'), missing: fc.nat(2 ** 31 - 1) }),
  fc.constant({ kind: 'unknown' as const }),
);

export const forward: fc.Arbitrary<Forward> = fc.record({
  kind: fc.constant('forward' as const),
  request: natural,
  scope,
  command,
  waitMs: millis,
});

export const message: fc.Arbitrary<Message> = fc.oneof(
  { weight: 3, arbitrary: voteMessage },
  { weight: 1, arbitrary: forward },
  { weight: 1, arbitrary: fc.record({ kind: kind('answer'), request: natural, verdict }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: kind('notice'), scope, grant, votes: fc.nat(31), retirements: natural }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('obituary'), session: sessionId }) },
);

export const frame: fc.Arbitrary<Frame> = fc.record({
  mesh: fc.constantFrom('', '0123456789abcdef0123456789abcdef'),
  epoch: natural,
  messages: fc.array(message, { maxLength: 5 }),
});

/** Anything that a decoder of bytes can hand out. */
export const anyValue: fc.Arbitrary<unknown> = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withTypedArray: true,
  withSparseArray: true,
  maxDepth: 4,
});

/** What is found at one place of a valid value, after a few steps down at random, is replaced, cut or doubled. */
export function mutated(valid: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const path = fc.array(fc.nat(11), { minLength: 1, maxLength: 6 });
  return fc
    .tuple(valid, path, fc.oneof(anyValue, natural, scope), fc.constantFrom('replace', 'cut', 'double'))
    .map(([value, steps, other, how]) => mutate(value, steps, other, how));
}

function mutate(value: unknown, steps: readonly number[], other: unknown, how: string): unknown {
  if (!Array.isArray(value) || value.length === 0) return other;
  const at = steps[0]! % value.length;
  const copy: unknown[] = [...value];
  if (steps.length > 1) copy[at] = mutate(value[at], steps.slice(1), other, how);
  else if (how === 'cut') copy.length = at;
  else if (how === 'double') copy.splice(at, 0, value[at]);
  else copy[at] = other;
  return copy;
}
