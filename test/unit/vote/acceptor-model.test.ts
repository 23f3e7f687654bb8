/**
 * One register under random messages of an honest world: every stamp has one content, every ballot one chain of
 * versions; messages come late, twice, in any order, and the horizon rises when it likes.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import {
  EMPTY,
  type FencingToken,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
} from '../../../src/lock/state.ts';
import {
  applyAccept,
  loadRegister,
  type Register,
  rowOfAccept,
  rowOfPrepare,
} from '../../../src/vote/acceptor.ts';
import { type Ballot, compareBallots, compareStamps, NO_BALLOT } from '../../../src/vote/ballot.ts';

const BALLOTS: readonly Ballot[] = [1, 1, 2, 2, 2, 3, 4].map((round, i) => ({
  round,
  peer: `p${(i * 2) % 3}`,
  boot: i,
}));
const VERSIONS = 6;

/** What each (ballot, version) contains: three leases come, go and are renewed; some outlive a ballot. */
function contentOf(ballot: number, version: number): LockState {
  let state: LockState = ballot % 2 === 0 ? EMPTY : contentOf(ballot - 1, 2);
  for (let v = 1; v <= version; v++) state = evolveAll(state, eventsOf(ballot, v));
  return state;
}

function eventsOf(ballot: number, version: number): readonly LockEvent[] {
  const lockId = `lock-${(ballot + version) % 3}` as LockId;
  const leaseId = `${ballot}.${version}` as LeaseId;
  const token = (ballot * VERSIONS + version) as FencingToken;
  const lease = { lockId, leaseMs: 10, leaseId };
  const former: LockEvent = { kind: 'ended', lockId, ending: 'released', note: null };
  if (version % 3 === 2) return [{ kind: 'extended', ...lease }];
  const grant: Grant = {
    ...lease,
    holder: 'a',
    named: true,
    priority: 'normal',
    reason: null,
    session: null,
    ttlMs: 0,
    permits: 0,
    mode: 'write',
    token,
    slot: 0,
    former: 0 as FencingToken,
    at: 0,
    unclaimed: null,
  };
  return [former, { kind: 'granted', grant }];
}

interface Move {
  readonly kind: 'prepare' | 'accept';
  readonly ballot: number;
  readonly version: number;
  readonly body: 'none' | 'events' | 'state';
  readonly horizon: number;
  readonly wait: number;
}

const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.oneof(
    { weight: 1, arbitrary: fc.constant('prepare') },
    { weight: 4, arbitrary: fc.constant('accept') },
  ),
  ballot: fc.nat(BALLOTS.length - 1),
  version: fc.integer({ min: 1, max: VERSIONS }),
  body: fc.constantFrom('none', 'events', 'events', 'state'),
  horizon: fc.constantFrom(1, 2, 4, 4, 4),
  wait: fc.nat(3),
});

/** Takes a move as a voter does. @returns the row that it met. */
function take(register: Register, m: Move, now: number): string {
  const ballot = BALLOTS[m.ballot]!;
  if (m.kind === 'prepare') {
    const row = rowOfPrepare(register, { kind: 'prepare', scope: 's', ballot }, m.horizon);
    if (row === 'C') register.promised = ballot;
    return row;
  }
  const state = m.body === 'state' ? contentOf(m.ballot, m.version) : null;
  const events = m.body === 'events' ? eventsOf(m.ballot, m.version) : null;
  const accept = { kind: 'accept', scope: 's', ballot, version: m.version, seq: 1, events, state } as const;
  const row = rowOfAccept(register, accept, m.horizon);
  if ('FGHI'.includes(row)) applyAccept(register, accept, row, now);
  return row;
}

/** A lease's moment, by the words of T2: kept while the lease is in the accepted state, else noted now. */
function remember(moments: Map<string, number>, state: LockState, now: number): Map<string, number> {
  const keys = state.holders.map(({ lockId, leaseId }) => `${lockId} ${leaseId}`);
  return new Map(keys.map((key) => [key, moments.get(key) ?? now]));
}

/** `expect` only where it fails: it is slow. */
function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

test('a register keeps its promises, its stamps and its ages', () => {
  const met = new Set<string>();
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60, size: 'max' }), (moves) => {
      const register = loadRegister(undefined, NO_BALLOT, 0);
      let moments = new Map<string, number>();
      let highest = 0;
      let now = 0;
      for (const m of moves) {
        now += m.wait;
        const before = { ...register };
        const ballot = BALLOTS[m.ballot]!;
        const row = take(register, m, now);
        met.add(row);

        const joins = 'CFGHI'.includes(row);
        same(joins, compareBallots(ballot, before.promised) >= 0 && ballot.round <= m.horizon && row !== 'A');
        same(compareBallots(register.promised, before.promised) >= 0, true);
        same(register.promised, joins ? ballot : before.promised);
        if (joins) highest = Math.max(highest, ballot.round);
        same(register.promised.round, highest);
        same(compareBallots(register.ballot, register.promised) <= 0, true);

        const newer = compareStamps(register.ballot, register.version, before.ballot, before.version);
        same(newer > 0, row === 'G' || row === 'H');
        if (newer === 0) same(register, { ...before, promised: register.promised });
        // What is answered `accepted` covers the stamp that was asked for.
        if ('FGH'.includes(row)) {
          same(register.ballot, ballot);
          same(register.version >= m.version, true);
        }
        if (register.version > 0) {
          same(register.state, contentOf(BALLOTS.indexOf(register.ballot), register.version));
        }
        if (newer > 0) moments = remember(moments, register.state, now);
        same(register.noted, [...moments.values()]);
      }
    }),
    { numRuns: 300, seed: 1 },
  );
  expect([...met].sort().join('')).toBe('ABCDEFGHI');
});
