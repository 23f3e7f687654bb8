/**
 * Random commands against one scope, beside a notebook that was written another way (model.ts): the same outcome
 * and the same state after each; and what must hold whatever happens, said without either of them.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Command, Outcome } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import {
  EMPTY,
  type LeaseId,
  type LockId,
  type LockState,
  NO_EXPIRY,
  RETIRED_RING,
} from '../../../src/lock/state.ts';
import { Notebook } from './model.ts';

/** A command that still has to be made for the state it meets: which lease, and how far behind. */
interface Move {
  readonly kind: Command['kind'];
  /** A lock id from a small pool, or whichever holds now. */
  readonly id: number | 'holder';
  readonly holder: string;
  readonly named: boolean;
  readonly leaseMs: number;
  /** The lease that it names: the present one, one of long ago, or none. */
  readonly lease: 'present' | 'old' | 'none';
  /** How many retirements ago the gateway looked. */
  readonly behind: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.oneof(
    { weight: 5, arbitrary: fc.constant('acquire' as const) },
    { weight: 2, arbitrary: fc.constant('release' as const) },
    { weight: 2, arbitrary: fc.constant('extend' as const) },
    { weight: 2, arbitrary: fc.constant('cancel' as const) },
    { weight: 1, arbitrary: fc.constant('expire' as const) },
    { weight: 1, arbitrary: fc.constant('read' as const) },
  ),
  id: fc.oneof({ weight: 2, arbitrary: fc.nat(5) }, fc.constant('holder' as const), fc.nat(150)),
  holder: fc.constantFrom('alice', 'bob', 'carol'),
  named: fc.boolean(),
  leaseMs: fc.constantFrom(NO_EXPIRY, 10, 20, 30),
  lease: fc.constantFrom('present', 'old', 'none'),
  behind: fc.constantFrom(0, 0, 1, RETIRED_RING, RETIRED_RING + 1, 1_000),
});

function commandOf(m: Move, state: LockState): Command {
  const held = state.holders[0];
  const lockId = m.id === 'holder' ? (held?.lockId ?? ('0' as LockId)) : (String(m.id) as LockId);
  const { kind, holder, named, leaseMs } = m;
  switch (kind) {
    case 'acquire': {
      const seen = Math.max(0, state.retirements - m.behind);
      return { kind, lockId, holder, named, mode: 'write', leaseMs, seen, at: m.behind };
    }
    case 'extend':
      return { kind, lockId, leaseMs, replaces: m.lease === 'none' ? null : leaseOf(m, state) };
    case 'expire':
      return { kind, lockId, leaseId: leaseOf(m, state) };
    case 'read':
      return { kind };
    default:
      return { kind, lockId };
  }
}

function leaseOf(m: Move, state: LockState): LeaseId {
  const held = state.holders[0];
  return m.lease === 'present' && held !== undefined ? held.leaseId : ('old' as LeaseId);
}

interface Step {
  readonly before: LockState;
  readonly command: Command;
  readonly outcome: Outcome;
  readonly events: readonly LockEvent[];
  readonly after: LockState;
}

/** A scope with so many retirements behind it, then these moves. */
const scene = fc.record({
  worn: fc.constantFrom(0, 0, 1, RETIRED_RING - 1, RETIRED_RING, RETIRED_RING + 1, 3 * RETIRED_RING),
  moves: fc.array(move, { maxLength: 120, size: 'max' }),
});

function* play(worn: number, moves: readonly Move[]): Iterable<Step> {
  let before = worn === 0 ? EMPTY : wornOut(worn);
  for (let i = 0; i < moves.length; i++) {
    const command = commandOf(moves[i]!, before);
    const { outcome, events } = decide(before, command, `lease-${i}` as LeaseId);
    const after = evolveAll(before, events);
    yield { before, command, outcome, events, after };
    before = after;
  }
}

function wornOut(times: number): LockState {
  let state = EMPTY;
  for (let i = 0; i < times; i++) {
    const events = [{ kind: 'ended', lockId: `worn-${i}` as LockId, ending: 'cancelled' }] as const;
    state = evolveAll(state, events);
  }
  return state;
}

function always(name: string, check: (steps: readonly Step[]) => void): void {
  test(name, () => {
    fc.assert(fc.property(scene, ({ worn, moves }) => check([...play(worn, moves)])));
  });
}

describe('a scope under random commands', () => {
  test('does what the notebook does: outcomes and states', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(scene, ({ worn, moves }) => {
        const notebook = new Notebook();
        for (let i = 0; i < worn; i++) notebook.do({ kind: 'cancel', lockId: `worn-${i}` as LockId }, '');
        const steps = [...play(worn, moves)];
        for (let i = 0; i < steps.length; i++) {
          const { command, outcome, after } = steps[i]!;
          const written = { outcome: notebook.do(command, `lease-${i}`), after: notebook.page() };
          if (!isDeepStrictEqual({ outcome, after }, written)) {
            expect({ command, outcome, after }).toEqual({ command, ...written });
          }
          met.add(`${command.kind} ${outcome.kind}`);
        }
      }),
      { numRuns: 200, seed: 1 },
    );
    // A fixed seed, so that a draw which never meets an outcome cannot pass for a proof.
    expect([...met].sort()).toEqual(EVERY_MEETING);
  });

  always("keeps the invariants of state.ts's header", (steps) => {
    for (const { after } of steps) {
      const ended = new Set(after.retired.map((entry) => entry.lockId));
      for (const { token, lockId } of after.holders) {
        expect(after.token).toBeGreaterThanOrEqual(token);
        expect(ended.has(lockId)).toBe(false);
      }
      expect(after.retired.length).toBe(Math.min(after.retirements, RETIRED_RING));
      expect(ended.size).toBe(after.retired.length);
    }
  });

  always('has one holder at most, and each grant a larger token than all before', (steps) => {
    let last = 0;
    for (const { outcome, before, after } of steps) {
      expect(after.holders.length).toBeLessThanOrEqual(1);
      if (outcome.kind !== 'granted' || outcome.repeat) {
        expect(after.token).toBe(before.token);
        continue;
      }
      expect(before.holders).toEqual([]);
      expect(outcome.grant.token).toBeGreaterThan(Math.max(last, before.token));
      last = outcome.grant.token;
    }
  });

  always('events and changes come together, and a change that is none keeps the very state', (steps) => {
    for (const { before, after, events, outcome } of steps) {
      if (events.length === 0) expect(after).toBe(before);
      else expect(isDeepStrictEqual(after, before)).toBe(false);
      const changes =
        outcome.kind === 'expired' ||
        outcome.kind === 'extended' ||
        ((outcome.kind === 'granted' || outcome.kind === 'released') && !outcome.repeat);
      if (outcome.kind !== 'cancelled') expect(events.length).toBe(changes ? 1 : 0);
    }
  });

  always('an extension never shortens, unless it names the present lease', (steps) => {
    for (const { before, command, outcome } of steps) {
      if (command.kind !== 'extend' || outcome.kind !== 'extended') continue;
      const { leaseMs, leaseId } = before.holders[0]!;
      const length = (ms: number) => (ms === NO_EXPIRY ? Number.POSITIVE_INFINITY : ms);
      if (command.replaces === leaseId) expect(outcome.grant.leaseMs).toBe(command.leaseMs);
      else expect(length(outcome.grant.leaseMs)).toBeGreaterThanOrEqual(length(leaseMs));
      expect(length(outcome.grant.leaseMs)).toBeLessThanOrEqual(
        Math.max(length(leaseMs), length(command.leaseMs)),
      );
    }
  });

  always('a lease id that was set is never set again, and a lease changes only with its id', (steps) => {
    const used = new Set<string>();
    for (const { before, after } of steps) {
      const [old, now] = [before.holders[0], after.holders[0]];
      if (now === undefined || old?.leaseId === now.leaseId) {
        if (now !== undefined) expect(old).toBe(now);
        continue;
      }
      expect(used.has(now.leaseId)).toBe(false);
      used.add(now.leaseId);
    }
  });
});

describe('what ended stays ended (L4)', () => {
  /** The safety claim of the ring and of `stale` together, whatever lies between. */
  always('an acquire that left before its lock id was retired grants nothing after that', (steps) => {
    const retiredAt = new Map<LockId, number>();
    for (const { before, after } of steps) {
      if (after.retirements > before.retirements) {
        retiredAt.set(after.retired.at(-1)!.lockId, after.retirements);
      }
      for (const [lockId, at] of retiredAt) {
        for (const seen of [0, at - 1]) {
          const late: Command = {
            kind: 'acquire',
            lockId,
            holder: 'late',
            named: true,
            mode: 'write',
            leaseMs: 10,
            seen,
            at: 0,
          };
          const { outcome } = decide(after, late, 'late' as LeaseId);
          if (outcome.kind === 'granted' && !outcome.repeat) expect({ late, after }).toBeUndefined();
        }
      }
    }
  });

  const acquire = (lockId: string, seen: number): Command => ({
    kind: 'acquire',
    lockId: lockId as LockId,
    holder: 'late',
    named: true,
    mode: 'write',
    leaseMs: 10,
    seen,
    at: 0,
  });

  test.each([1, 63, 64, 65, 66, 129, 300])('after %i retirements the ring holds the newest 64', (times) => {
    const state = wornOut(times);
    const first = Math.max(0, times - 64);
    expect(state.retirements).toBe(times);
    expect(state.retired.map((entry) => entry.lockId)).toEqual(
      Array.from({ length: Math.min(64, times) }, (_, i) => `worn-${first + i}`),
    );
    const outcomes = Array.from({ length: times }, (_, i) => {
      return decide(state, acquire(`worn-${i}`, i), 'x' as LeaseId).outcome.kind;
    });
    expect(outcomes.slice(0, first).every((kind) => kind === 'stale')).toBe(true);
    expect(outcomes.slice(first).every((kind) => kind === 'ended')).toBe(true);
  });

  test.each([
    [64, 0, 'granted'],
    [65, 0, 'stale'],
    [65, 1, 'granted'],
    [200, 135, 'stale'],
    [200, 136, 'granted'],
    [200, 200, 'granted'],
  ])('after %i retirements, an acquire that saw %i of them: %s', (times, seen, kind) => {
    expect(decide(wornOut(times), acquire('new', seen), 'x' as LeaseId).outcome.kind).toBe(kind);
  });
});

const EVERY_MEETING = [
  'acquire already_held',
  'acquire busy',
  'acquire ended',
  'acquire granted',
  'acquire mismatch',
  'acquire stale',
  'cancel cancelled',
  'cancel ended',
  'cancel granted',
  'expire expired',
  'expire not_found',
  'extend ended',
  'extend extended',
  'extend not_found',
  'read state',
  'release ended',
  'release not_found',
  'release released',
];
