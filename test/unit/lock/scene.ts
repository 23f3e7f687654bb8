/** Scopes in a few words, for tests of rows; and a run of such tests that misses no row of a table. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Acquire, Command, Outcome } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { join, NOBODY } from '../../../src/lock/queue.ts';
import { Ring } from '../../../src/lock/ring.ts';
import type {
  Ending,
  FencingToken,
  Grant,
  LeaseId,
  LockId,
  LockState,
  Mode,
  Retired,
  SessionId,
  Upgrade,
  Waiter,
} from '../../../src/lock/state.ts';
import { set } from '../../../src/lock/tree.ts';

export const id = (text: string) => text as LockId;
export const session = (text: string) => text as SessionId;
export const token = (number: number) => number as FencingToken;
export const lease = (text: string) => text as LeaseId;

export const ID = id('the-id');
export const GATEWAY = session('gateway');
export const AWAY = session('another-gateway');
export const LEASE = lease('1.p1.1.1');
export const NEW_LEASE = lease('1.p1.1.2');
export const AT = 77;
export const RETIREMENTS = 100;
/** The last token of every scope here; holders have smaller ones. */
export const LAST = 41;

const claimant = (lockId: LockId) => ({
  lockId,
  holder: `holder of ${lockId}`,
  named: true,
  priority: 'normal' as const,
  reason: `why ${lockId}`,
  session: null,
  ttlMs: 0,
  permits: 0,
});

export function waiter(lockId: LockId, arrival: number, more: Partial<Waiter> = {}): Waiter {
  return {
    ...claimant(lockId),
    mode: 'write',
    leaseMs: 30_000,
    claimMs: 2_000,
    gateway: GATEWAY,
    repeat: 0,
    at: 5,
    arrival,
    ...more,
  };
}

export function held(lockId: LockId, mode: Mode, has: number, more: Partial<Grant> = {}): Grant {
  return {
    ...claimant(lockId),
    mode,
    token: token(has),
    slot: 0,
    former: token(0),
    leaseMs: 20_000,
    leaseId: LEASE,
    at: 3,
    unclaimed: null,
    ...more,
  };
}

/** Of a semaphore of so many. */
export const of = (permits: number) => ({ mode: 'permit' as const, permits });

/** One of a semaphore's permits. */
export function permit(lockId: LockId, permits: number, slot: number, has: number, more = {}): Grant {
  return held(lockId, 'permit', has, { permits, slot, ...more });
}

/** One that waited and was granted, and has yet to claim it. */
export function unclaimed(waits: Waiter, has: number, more: Partial<Grant> = {}): Grant {
  const { lockId, holder, named, priority, reason, session, ttlMs, permits, mode, claimMs } = waits;
  const who = { lockId, holder, named, priority, reason, session, ttlMs, permits, mode };
  const rest = { token: token(has), slot: 0, former: token(0), leaseMs: claimMs, leaseId: LEASE, at: 3 };
  return { ...who, ...rest, unclaimed: waits, ...more };
}

export interface Scene {
  readonly holders?: readonly Grant[];
  readonly waits?: readonly Waiter[];
  readonly passed?: readonly number[];
  readonly parked?: readonly Waiter[];
  readonly upgrade?: Upgrade;
  readonly past?: Ending;
}

/** @param past how ID ended, with token 40, if the ring remembers it. */
export function scope(scene: Scene): LockState {
  const { holders = [], waits = [], passed = [], parked = [], upgrade = null, past } = scene;
  const retired: Retired[] = [
    { lockId: id('long-ago'), ending: 'released', token: token(39), note: null },
    { lockId: id('lately'), ending: 'expired', token: token(0), note: null },
  ];
  if (past !== undefined) {
    retired.splice(1, 0, { lockId: ID, ending: past, token: token(40), note: noteOf(past) });
  }
  const queue = waits.reduce(join, NOBODY);
  return {
    token: token(LAST),
    holders,
    queue: passed.length === 0 ? queue : { ...queue, passed },
    parked: parked.reduce<LockState['parked']>((tree, kept) => set(tree, kept.lockId, kept), undefined),
    upgrade,
    arrivals: lastArrival(scene),
    retired: Ring.of(retired),
    retirements: RETIREMENTS,
  };
}

export function lastArrival({ waits = [] }: Scene): number {
  return waits.reduce((last, { arrival }) => Math.max(last, arrival), 90);
}

function noteOf(past: Ending): string | null {
  return past === 'forced' ? 'ops: stuck' : null;
}

export function over(past: Ending): Outcome {
  return { kind: 'ended', ending: past, token: token(40), note: noteOf(past) };
}

export function acquire(more: Partial<Acquire> = {}): Acquire {
  return {
    kind: 'acquire',
    ...claimant(ID),
    mode: 'write',
    leaseMs: 30_000,
    wait: false,
    claimMs: 2_500,
    gateway: GATEWAY,
    repeat: 0,
    again: false,
    seen: RETIREMENTS,
    at: AT,
    ...more,
  };
}

/** The waiter that an acquire becomes. */
export function waiterOf(
  { kind: _kind, wait: _wait, seen: _seen, again: _again, ...rest }: Acquire,
  arrival: number,
): Waiter {
  return { ...rest, arrival };
}

/** The grant that an acquire becomes at once. @param slot which permit of a semaphore it is. */
export function grantOf(command: Acquire, slot = 0): Grant {
  const { lockId, holder, named, priority, reason, session, ttlMs, permits, mode, leaseMs } = command;
  const who = { lockId, holder, named, priority, reason, session, ttlMs, permits, mode, leaseMs };
  return {
    ...who,
    token: token(LAST + 1),
    slot,
    former: token(0),
    leaseId: NEW_LEASE,
    at: AT,
    unclaimed: null,
  };
}

export const ended = (lockId: LockId, ending: Ending, note: string | null = null): LockEvent => ({
  kind: 'ended',
  lockId,
  ending,
  note,
});

export const promoted = (lockId: LockId, has: number, gateway = GATEWAY, slot = 0): LockEvent => ({
  kind: 'promoted',
  lockId,
  token: token(has),
  slot,
  leaseId: NEW_LEASE,
  gateway,
  at: AT,
});

export type Row = readonly [
  row: string,
  what: string,
  scene: Scene,
  command: Command,
  outcome: Outcome,
  events?: readonly LockEvent[],
];

/** Each row does what it says, and touches nothing that it was given; all rows of that file's table are there. */
export function rows(file: string, all: readonly Row[]): void {
  describe(`the table of ${file}`, () => {
    test.each(all.map((row) => [...row] as [...Row]))(
      '%s: %s',
      (_row, _what, scene, command, outcome, events = []) => {
        const state = scope(scene);
        const before = structuredClone(state);
        const decided = decide(state, command, NEW_LEASE);
        expect({ outcome: decided.outcome, events: decided.events }).toEqual({ outcome, events });
        expect(decided.after ?? evolveAll(state, events)).toEqual(evolveAll(state, events));
        expect(state).toEqual(before);
        if (events.length === 0) expect(evolveAll(state, events)).toBe(state);
      },
    );

    test('is covered, row by row', () => {
      const text = readFileSync(new URL(`../../../src/lock/${file}`, import.meta.url), 'utf8');
      const table = [...text.matchAll(/^ \* {3}([A-Z]\d*) /gm)].map(([, row]) => row!);
      expect(table.length).toBeGreaterThan(0);
      expect(new Set(all.map(([row]) => row))).toEqual(new Set(table));
    });
  });
}
