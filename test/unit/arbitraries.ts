/**
 * Values of every type that goes over a wire or to a disk, for properties; and what garbage looks like.
 * Always true: a value drawn here keeps the invariants that its type's file states.
 */
import fc from 'fast-check';
import type { Command, Outcome } from '../../src/lock/command.ts';
import type { LockEvent } from '../../src/lock/event.ts';
import {
  EMPTY,
  type Ending,
  type FencingToken,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
} from '../../src/lock/state.ts';
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
  fc.constantFrom('a', 'orders/42', 'é'.repeat(256), 'x'.repeat(512), '😀'.repeat(128)),
);
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
export const ending = fc.constantFrom<Ending>('released', 'expired', 'cancelled');
const token = natural as fc.Arbitrary<FencingToken>;
const holder = fc.string({ unit: 'grapheme', maxLength: 20 });

export const grant: fc.Arbitrary<Grant> = fc.record({
  lockId,
  holder,
  named: fc.boolean(),
  mode: fc.constant('write' as const),
  token,
  leaseMs: natural,
  leaseId,
  at: natural,
});

const retired = fc.record({ lockId, ending, token });

export const lockState: fc.Arbitrary<LockState> = fc.oneof(
  fc.constant(EMPTY),
  fc
    .record({
      token,
      holders: fc.array(grant, { maxLength: 2 }),
      retired: fc.oneof(
        fc.array(retired, { maxLength: 3 }),
        fc.array(retired, { minLength: 64, maxLength: 64 }),
      ),
      more: fc.nat(1_000),
    })
    .map(({ more, ...state }) => ({
      ...state,
      token: Math.max(state.token, ...state.holders.map((held) => held.token)) as FencingToken,
      retirements: state.retired.length + (state.retired.length === 64 ? more : 0),
    })),
);

export const event: fc.Arbitrary<LockEvent> = fc.oneof(
  fc.record({ kind: fc.constant('granted' as const), grant }),
  fc.record({ kind: fc.constant('extended' as const), lockId, leaseMs: natural, leaseId }),
  fc.record({ kind: fc.constant('ended' as const), lockId, ending }),
);

export const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant('acquire' as const),
    lockId,
    holder,
    named: fc.boolean(),
    mode: fc.constant('write' as const),
    leaseMs: natural,
    seen: natural,
    at: natural,
  }),
  fc.record({ kind: fc.constant('release' as const), lockId }),
  fc.record({
    kind: fc.constant('extend' as const),
    lockId,
    leaseMs: natural,
    replaces: fc.option(leaseId),
  }),
  fc.record({ kind: fc.constant('cancel' as const), lockId }),
  fc.record({ kind: fc.constant('expire' as const), lockId, leaseId }),
  fc.constant({ kind: 'read' as const }),
);

export const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant('granted' as const), grant, repeat: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('already_held' as const, 'extended' as const), grant }),
  fc.record({ kind: fc.constant('ended' as const), ending, token }),
  fc.record({ kind: fc.constant('released' as const), token, repeat: fc.boolean() }),
  fc.constantFrom<Outcome>(
    { kind: 'mismatch' },
    { kind: 'busy' },
    { kind: 'stale' },
    { kind: 'cancelled' },
    { kind: 'expired' },
    { kind: 'not_found' },
    { kind: 'state' },
  ),
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

export const view: fc.Arbitrary<View> = fc
  .record({
    token,
    retirements: natural,
    held: fc.array(fc.tuple(grant, fc.oneof(fc.constant(-1), fc.nat())), { maxLength: 3 }),
    contention: fc.record({ acquires: natural, conflicts: natural, holds: natural, heldMs: millis }),
  })
  .map(({ held, ...rest }) => ({
    ...rest,
    holders: held.map(([one]) => one),
    leftMs: held.map(([, left]) => left),
  }));

export const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  fc.record({ kind: fc.constant('decided' as const), outcome, votes: fc.nat(31), view }),
  fc.record({ kind: fc.constant('no_quorum' as const), missing: fc.nat(2 ** 31 - 1) }),
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
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('answer' as const), request: natural, verdict }) },
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
