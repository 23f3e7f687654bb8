/** Random commands against one scope, each made for the state that it meets, so that queues build up and commands meet. */
import fc from 'fast-check';
import type { Command, Outcome } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { everybody } from '../../../src/lock/queue.ts';
import { RETIRED_RING } from '../../../src/lock/ring.ts';
import {
  EMPTY,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  type Mode,
  NO_EXPIRY,
  type Priority,
  type SessionId,
  type Waiter,
  type Wish,
} from '../../../src/lock/state.ts';
import { values } from '../../../src/lock/tree.ts';

type Target = 'new' | 'old' | 'held' | 'unclaimed' | 'waits' | 'parked' | 'upgrade';

export interface Move {
  readonly kind: Command['kind'];
  readonly times: number;
  readonly target: Target;
  readonly n: number;
  /** Whether it comes from the client or gateway that the target belongs to. */
  readonly fits: boolean;
  readonly holder: 'own' | 'alice' | 'bob';
  readonly named: boolean;
  readonly session: SessionId | null;
  readonly gateway: SessionId;
  /** Names no gateway where it need not. */
  readonly anywhere: boolean;
  readonly mode: Mode;
  /** Of the semaphore that it wants, if that is its mode. */
  readonly permits: number;
  /** Whether it takes the scope as it is in use, as a lock or a semaphore of so many. */
  readonly suits: boolean;
  readonly priority: Priority;
  readonly leaseMs: number;
  readonly wait: boolean;
  readonly repeat: number;
  readonly again: boolean;
  /** Which lease or token it names. */
  readonly names: 'present' | 'former' | 'old' | 'none';
  /** How many retirements ago the gateway looked. */
  readonly behind: number;
  readonly force: boolean;
}

const constants = <T>(...all: T[]) => fc.constantFrom(...all);
const weighted = <T>(...all: (readonly [number, T])[]): fc.Arbitrary<T> =>
  fc.oneof(...all.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

const rest = {
  n: fc.nat(1_000),
  fits: weighted([5, true], [1, false]),
  holder: weighted<Move['holder']>([8, 'own'], [1, 'alice'], [1, 'bob']),
  named: weighted([4, true], [1, false]),
  session: weighted<SessionId | null>([5, null], [2, 's1' as SessionId], [1, 's2' as SessionId]),
  gateway: constants('g1', 'g2', 'g3') as fc.Arbitrary<SessionId>,
  anywhere: fc.boolean(),
  mode: constants<Mode>('read', 'write', 'permit'),
  permits: constants(1, 2, 3, 3, 5, 20),
  suits: weighted([9, true], [1, false]),
  priority: constants<Priority>('high', 'high', 'normal', 'low'),
  leaseMs: constants(NO_EXPIRY, 10, 20, 30, 20, 30),
  wait: weighted([5, true], [1, false]),
  repeat: fc.nat(3),
  again: weighted([3, false], [1, true]),
  names: weighted<Move['names']>([5, 'present'], [1, 'former'], [1, 'old'], [1, 'none']),
  behind: weighted([12, 0], [1, 1], [1, RETIRED_RING], [1, RETIRED_RING + 1], [1, 1_000]),
  force: weighted([5, false], [1, true]),
};
const target = (...all: (readonly [number, Target])[]) => weighted<Target>([1, 'old'], ...all);
const once = fc.constant(1);
const run = (...kinds: Command['kind'][]) => constants(...kinds);

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      ...rest,
      kind: run('acquire'),
      target: fc.constant<Target>('new'),
      times: fc.oneof(once, once, fc.nat(20)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...rest,
      kind: run('acquire'),
      target: target([1, 'held'], [2, 'unclaimed'], [3, 'waits'], [6, 'parked']),
      times: once,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      ...rest,
      kind: run('claim', 'claim', 'release'),
      target: target([2, 'held'], [8, 'unclaimed'], [1, 'waits'], [1, 'parked']),
      times: fc.oneof(once, fc.nat(10)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...rest,
      kind: run('release', 'expire'),
      target: target([6, 'held'], [2, 'unclaimed'], [1, 'upgrade']),
      times: fc.oneof(once, fc.nat(6), fc.nat(25)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...rest,
      kind: run('extend', 'convert', 'convert', 'convert'),
      target: target([9, 'held'], [2, 'unclaimed'], [2, 'upgrade'], [1, 'waits']),
      times: once,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...rest,
      kind: run('cancel', 'park', 'park'),
      target: target([1, 'held'], [2, 'unclaimed'], [6, 'waits'], [1, 'parked'], [1, 'upgrade']),
      times: fc.oneof(once, once, fc.nat(4)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...rest,
      kind: run('reap', 'cancel'),
      target: target([2, 'parked'], [1, 'upgrade'], [1, 'new']),
      times: fc.oneof(once, fc.nat(20)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...rest,
      kind: run('sweep', 'sweep', 'read', 'look'),
      target: target(),
      times: once,
    }),
  },
);

/** A scope with so many retirements behind it, then these moves. */
export const scene = fc.record({
  worn: constants(0, 0, 1, RETIRED_RING - 1, RETIRED_RING, RETIRED_RING + 1, 3 * RETIRED_RING),
  moves: fc.array(move, { maxLength: 80, size: 'max' }),
});

export interface Step {
  readonly before: LockState;
  readonly command: Command;
  readonly leaseId: LeaseId;
  readonly outcome: Outcome;
  readonly events: readonly LockEvent[];
  /** What the events make of the state, as far as the decision says so itself. */
  readonly told: LockState | undefined;
  readonly after: LockState;
}

export function* play(worn: number, moves: readonly Move[]): Generator<Step> {
  let before = wornOut(worn);
  let count = 0;
  for (const one of moves) {
    for (let time = 0; time < one.times; time++) {
      const leaseId = `lease-${count++}` as LeaseId;
      const command = commandOf(one, before, count);
      const { outcome, events, after: told } = decide(before, command, leaseId);
      const after = evolveAll(before, events);
      yield { before, command, leaseId, outcome, events, told, after };
      before = after;
    }
  }
}

export const wornId = (i: number) => `worn-${i}` as LockId;

export function wornOut(times: number): LockState {
  let state = EMPTY;
  for (let i = 0; i < times; i++) {
    state = evolveAll(state, [{ kind: 'ended', lockId: wornId(i), ending: 'cancelled', note: null }]);
  }
  return state;
}

function commandOf(m: Move, state: LockState, count: number): Command {
  const { kind } = m;
  const found = find(m, state);
  const grant = found !== undefined && 'token' in found ? found : undefined;
  const waiter = found !== undefined && 'arrival' in found ? found : (grant?.unclaimed ?? undefined);
  const own = m.target === 'new' ? `id-${count}` : `id-${m.n % (count + 9)}`;
  const lockId = found?.lockId ?? (own as LockId);
  const at = count * 10;
  const bound = waiter?.gateway ?? (m.target === 'upgrade' ? state.upgrade?.gateway : undefined);
  const gateway = (m.fits ? bound : undefined) ?? m.gateway;
  const token = tokenOf(m, grant);
  switch (kind) {
    case 'acquire': {
      const who = m.fits && found !== undefined ? found : m;
      const holder =
        m.fits && found !== undefined ? found.holder : m.holder === 'own' ? `of ${lockId}` : m.holder;
      const seen = Math.max(0, state.retirements - m.behind);
      const { named, priority, leaseMs, wait, repeat, again } = m;
      const rest = {
        ...wishOf(m, state),
        leaseMs,
        wait,
        claimMs: 5,
        gateway: m.gateway,
        repeat,
        again,
        seen,
        at,
      };
      const session = who.session;
      return { kind, lockId, holder, named, priority, reason: null, session, ttlMs: 1, ...rest };
    }
    case 'release': {
      const force = m.force ? { by: 'ops', reason: `${count}` } : null;
      return { kind, lockId, gateway: m.anywhere ? null : gateway, force, at };
    }
    case 'extend':
      return { kind, lockId, leaseMs: m.leaseMs, replaces: m.names === 'none' ? null : leaseOf(m, grant) };
    case 'convert':
      return { kind, lockId, mode: convertsTo(m), token, wait: m.wait, gateway: m.gateway, at };
    case 'cancel':
      return {
        kind,
        lockId,
        gateway: m.anywhere ? null : gateway,
        token: m.target === 'upgrade' ? token : NONE,
        at,
      };
    case 'expire':
      return { kind, lockId, leaseId: leaseOf(m, grant), at };
    case 'claim':
    case 'park':
      return { kind, lockId, gateway, at };
    case 'reap':
      return { kind, lockId, at };
    case 'sweep':
      return { kind, session: m.session ?? m.gateway, at };
    case 'read':
      return { kind };
    case 'look':
      return { kind, gateway };
  }
}

function convertsTo({ mode, suits }: Move): Mode {
  return mode === 'permit' && suits ? 'write' : mode;
}

function wishOf({ mode, permits, suits, n }: Move, { holders, queue, parked }: LockState): Wish {
  const [other] = [...holders, ...everybody(queue), ...values(parked)];
  if (!suits || other === undefined) return { mode, permits: mode === 'permit' ? permits : 0 };
  if (other.mode === 'permit') return { mode: other.mode, permits: other.permits };
  if (mode === 'permit') return { mode: n % 2 === 0 ? 'read' : 'write', permits: 0 };
  return { mode, permits: 0 };
}

function find({ target, n }: Move, state: LockState): Grant | Waiter | undefined {
  const all = candidates(target, state);
  return all[n % Math.max(1, all.length)];
}

function candidates(target: Target, state: LockState): (Grant | Waiter)[] {
  switch (target) {
    case 'held':
      return [...state.holders];
    case 'unclaimed':
      return state.holders.filter(({ unclaimed }) => unclaimed !== null);
    case 'upgrade':
      return state.holders.filter(({ lockId }) => lockId === state.upgrade?.lockId);
    case 'waits':
      return [...everybody(state.queue)];
    case 'parked':
      return [...values(state.parked)];
    default:
      return [];
  }
}

const NONE = 0 as Grant['token'];

function tokenOf({ names }: Move, grant: Grant | undefined): Grant['token'] {
  if (grant === undefined || names === 'none') return NONE;
  if (names === 'former') return grant.former;
  return names === 'present' ? grant.token : ((grant.token - 1) as Grant['token']);
}

function leaseOf({ names }: Move, grant: Grant | undefined): LeaseId {
  return names === 'present' && grant !== undefined ? grant.leaseId : ('old' as LeaseId);
}
