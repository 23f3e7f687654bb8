/**
 * Every combination of message, ballot, version, body and horizon meets exactly one row of the table in
 * acceptor.ts, and the register changes as that row says.
 */
import { describe, expect, test } from 'vitest';
import type { LockEvent } from '../../../src/lock/event.ts';
import { Ring } from '../../../src/lock/ring.ts';
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
  firstOverAt,
  loadRegister,
  nackOf,
  overAt,
  promisedAfterRestart,
  promisedOf,
  type Register,
  type Row,
  reportOf,
  rowOfAccept,
  rowOfPrepare,
} from '../../../src/vote/acceptor.ts';
import { type Ballot, endOfRound, NO_BALLOT } from '../../../src/vote/ballot.ts';
import type { Accept } from '../../../src/vote/messages.ts';

const b = (round: number, peer: string, boot: number): Ballot => ({ round, peer, boot });

const grant = (lockId: string, leaseId: string, token = 1, leaseMs = 1_000): Grant => ({
  lockId: lockId as LockId,
  holder: 'alice',
  named: true,
  priority: 'normal',
  reason: null,
  session: null,
  ttlMs: 0,
  permits: 0,
  mode: 'write',
  token: token as FencingToken,
  slot: 0,
  former: 0 as FencingToken,
  leaseMs,
  leaseId: leaseId as LeaseId,
  at: 0,
  unclaimed: null,
});
const held = (...holders: Grant[]): LockState => ({ ...EMPTY, token: 9 as FencingToken, holders });

const BEFORE = held(grant('x', 'lease-1'));
const WHOLE = held(grant('x', 'lease-2'));
const EVENTS: readonly LockEvent[] = [
  { kind: 'ended', lockId: 'x' as LockId, ending: 'released', note: null },
];
const AFTER_EVENTS: LockState = {
  ...EMPTY,
  token: 9 as FencingToken,
  retired: Ring.of([{ lockId: 'x' as LockId, ending: 'released', token: 1 as FencingToken, note: null }]),
  retirements: 1,
};
const NOTED = 100;
const NOW = 500;

/** Where the ballot stands; rounds tie in places, so that peer and boot decide. Ascending. */
const LADDERS: Record<string, readonly (readonly [at: string, ballot: Ballot])[]> = {
  'nothing yet': [
    ['accepted and promised', NO_BALLOT],
    ['above', b(1, 'p1', 1)],
    ['above', endOfRound(1)],
  ],
  'promised, nothing accepted': [
    ['accepted', NO_BALLOT],
    ['between', b(4, 'p9', 9)],
    ['between', b(5, 'p1', 9)],
    ['between', b(5, 'p2', 6)],
    ['promised', b(5, 'p2', 7)],
    ['above', b(5, 'p2', 8)],
    ['above', b(5, 'p3', 1)],
    ['above', b(6, 'p1', 1)],
  ],
  'accepted as promised': [
    ['below', b(4, 'p9', 9)],
    ['below', b(5, 'p1', 9)],
    ['below', b(5, 'p2', 6)],
    ['accepted and promised', b(5, 'p2', 7)],
    ['above', b(5, 'p2', 8)],
    ['above', b(5, 'p3', 1)],
    ['above', endOfRound(5)],
    ['above', b(6, 'p1', 1)],
  ],
  'promised more': [
    ['below', b(5, 'p2', 6)],
    ['accepted', b(5, 'p2', 7)],
    ['between', b(5, 'p2', 8)],
    ['between', b(5, 'p3', 1)],
    ['between', b(6, 'p2', 6)],
    ['promised', b(6, 'p2', 7)],
    ['above', b(6, 'p3', 1)],
    ['above', b(7, 'p1', 1)],
  ],
  restarted: [
    ['accepted', b(5, 'p2', 7)],
    ['between', b(6, 'p1', 1)],
    ['promised', endOfRound(8)],
    ['above', b(9, 'p1', 1)],
  ],
};

interface Case {
  readonly register: string;
  readonly kind: 'prepare' | 'accept';
  readonly at: string;
  readonly ballot: Ballot;
  readonly horizon: 'within' | 'beyond';
  readonly version: 'older' | 'same' | 'next' | 'later';
  readonly body: 'none' | 'events' | 'state' | 'both';
}

function registerOf(name: string): Register {
  const ladder = LADDERS[name]!;
  const ballotAt = (word: string) => ladder.find(([at]) => at.split(' and ').includes(word))![1];
  const ballot = ballotAt('accepted');
  const some = ballot !== NO_BALLOT;
  return {
    promised: ballotAt('promised'),
    ballot,
    version: some ? 3 : 0,
    state: some ? BEFORE : EMPTY,
    noted: some ? [NOTED] : [],
    write: 1,
  };
}

function acceptOf(c: Case): Accept {
  const { version } = registerOf(c.register);
  return {
    kind: 'accept',
    scope: 's',
    ballot: c.ballot,
    version: version + { older: -1, same: 0, next: 1, later: 2 }[c.version],
    seq: 4,
    events: c.body === 'events' || c.body === 'both' ? EVENTS : null,
    state: c.body === 'state' || c.body === 'both' ? WHOLE : null,
  };
}

const horizonOf = (c: Case) => (c.horizon === 'within' ? c.ballot.round : c.ballot.round - 1);

function* cases(): Iterable<Case> {
  for (const [register, ladder] of Object.entries(LADDERS))
    for (const [at, ballot] of ladder)
      for (const horizon of ['within', 'beyond'] as const) {
        yield { register, kind: 'prepare', at, ballot, horizon, version: 'same', body: 'none' };
        for (const version of ['older', 'same', 'next', 'later'] as const)
          for (const body of ['none', 'events', 'state', 'both'] as const)
            yield { register, kind: 'accept', at, ballot, horizon, version, body };
      }
}

/** The table, as data: words apart by `|`, `*` for any. */
const BELOW = 'below|accepted|between';
const TABLE: readonly (readonly [Row, kind: string, at: string, hor: string, ver: string, body: string])[] = [
  ['A', 'prepare', `${BELOW}|promised|accepted and promised`, '*', '*', '*'],
  ['B', 'prepare', 'above', 'beyond', '*', '*'],
  ['C', 'prepare', 'above', 'within', '*', '*'],
  ['D', 'accept', BELOW, '*', '*', '*'],
  ['E', 'accept', 'promised|accepted and promised|above', 'beyond', '*', '*'],
  ['F', 'accept', 'accepted and promised', 'within', 'older|same', '*'],
  ['G', 'accept', 'accepted and promised', 'within', 'next|later', 'state|both'],
  ['G', 'accept', 'promised|above', 'within', '*', 'state|both'],
  ['H', 'accept', 'accepted and promised', 'within', 'next', 'events'],
  ['I', 'accept', 'accepted and promised', 'within', 'next', 'none'],
  ['I', 'accept', 'accepted and promised', 'within', 'later', 'events|none'],
  ['I', 'accept', 'promised|above', 'within', '*', 'events|none'],
];

function rowsOf(c: Case): Row[] {
  const is = (words: string, word: string) => words === '*' || words.split('|').includes(word);
  return TABLE.filter(
    ([, kind, at, horizon, version, body]) =>
      kind === c.kind && is(at, c.at) && is(horizon, c.horizon) && is(version, c.version) && is(body, c.body),
  ).map(([row]) => row);
}

function rowInCode(c: Case): Row {
  const register = registerOf(c.register);
  if (c.kind === 'accept') return rowOfAccept(register, acceptOf(c), horizonOf(c));
  return rowOfPrepare(register, { kind: 'prepare', scope: 's', ballot: c.ballot }, horizonOf(c));
}

/** What the table's column `next` says, and T2: a lease that was known keeps its moment, a new one is noted now. */
function next(c: Case, row: Row, register: Register): Register {
  if (row === 'F' || row === 'I') return { ...register, promised: c.ballot };
  const { version } = acceptOf(c);
  const whole = row === 'G';
  const stamp = { promised: c.ballot, ballot: c.ballot, version, write: register.write };
  return { ...stamp, state: whole ? WHOLE : AFTER_EVENTS, noted: whole ? [NOW] : [] };
}

describe('every combination', () => {
  test('meets exactly one row, the one in the code, and every row comes up', () => {
    const met = new Set<Row>();
    let count = 0;
    for (const c of cases()) {
      const rows = rowsOf(c);
      const code = rowInCode(c);
      if (rows.length !== 1 || rows[0] !== code) expect({ rows, code, ...c }).toBeUndefined();
      met.add(code);
      count++;
    }
    expect([...met].sort().join('')).toBe('ABCDEFGHI');
    expect(count).toBe(31 * 2 * 17);
  });

  test('changes the register as its row says', () => {
    for (const c of cases()) {
      const row = rowInCode(c);
      if (!'FGHI'.includes(row)) continue; // the voter carries out A to E
      if (c.at === 'accepted and promised' && c.register === 'nothing yet') continue; // nobody sends NO_BALLOT
      const register = registerOf(c.register);
      const expected = next(c, row, register);
      applyAccept(register, acceptOf(c), row, NOW);
      expect({ c, register }).toEqual({ c, register: expected });
    }
  });
});

describe('ages (T2)', () => {
  const accept = (state: LockState): Accept => {
    return { kind: 'accept', scope: 's', ballot: b(9, 'p1', 1), version: 9, seq: 1, events: null, state };
  };

  test('a known (lock id, lease id) keeps its moment wherever it stands; any other is noted now', () => {
    const register: Register = {
      ...loadRegister({ ballot: b(5, 'p1', 1), version: 1, state: EMPTY }, b(5, 'p1', 1), 0),
      state: held(grant('x', '1'), grant('y', '2'), grant('z', '3')),
      noted: [10, 20, 30],
    };
    const state = held(grant('z', '3'), grant('new', '1'), grant('y', '9'), grant('x', '1'));
    applyAccept(register, accept(state), 'G', NOW);
    expect(register.noted).toEqual([30, NOW, NOW, 10]);
  });

  test('a lease that went and came again is noted again', () => {
    const register = loadRegister(undefined, NO_BALLOT, 0);
    applyAccept(register, accept(held(grant('x', '1'))), 'G', 1);
    applyAccept(register, accept(held()), 'G', 2);
    applyAccept(register, accept(held(grant('x', '1'))), 'G', 3);
    expect(register.noted).toEqual([3]);
  });

  test('a restart notes now for all', () => {
    const stored = { ballot: b(5, 'p1', 1), version: 1, state: held(grant('x', '1'), grant('y', '2')) };
    expect(loadRegister(stored, endOfRound(8), NOW).noted).toEqual([NOW, NOW]);
  });

  test('a lease is over 1% late, and one of "none" never; the first one due is told', () => {
    const state = held(grant('x', '1', 1, 1_000), grant('y', '2', 2, 0), grant('z', '3', 3, 500));
    const register = loadRegister({ ballot: b(5, 'p1', 1), version: 1, state }, endOfRound(8), 100);
    expect([0, 1, 2].map((i) => overAt(register, i))).toEqual([1_110, Number.POSITIVE_INFINITY, 605]);
    expect(firstOverAt(register)).toBe(605);
    expect(firstOverAt(loadRegister(undefined, NO_BALLOT, 0))).toBe(Number.POSITIVE_INFINITY);
  });
});

test('V8: a restart promises the horizon or what is stored, whichever is more', () => {
  const floor = endOfRound(8);
  const stored = (ballot: Ballot) => ({ ballot, version: 1, state: EMPTY });
  expect(promisedAfterRestart(undefined, floor)).toEqual(floor);
  expect(promisedAfterRestart(stored(b(8, 'p9', 9)), floor)).toEqual(floor);
  expect(promisedAfterRestart(stored(b(9, 'p1', 1)), floor)).toEqual(b(9, 'p1', 1));
});

test('what rows A, C, D and J say', () => {
  const register = registerOf('promised more');
  const [promised, accepted] = [b(6, 'p2', 7), b(5, 'p2', 7)];
  expect(nackOf(register, b(1, 'p1', 1))).toEqual({ kind: 'nack', ballot: b(1, 'p1', 1), promised });
  const joined = b(9, 'p1', 1);
  expect(promisedOf('s', register, joined)).toEqual({
    ...{ kind: 'promised', scope: 's', ballot: joined, accepted, version: 3, state: BEFORE },
  });
  const report = { kind: 'report', scope: 's', ask: 2, promised, accepted: { ballot: accepted, version: 3 } };
  const told = (flushed: boolean, now: number) =>
    reportOf({ kind: 'ask', scope: 's', ask: 2 }, register, flushed, now);
  expect(told(true, 1_109)).toEqual({ ...report, flushed: true, overdue: [], dueMs: 1 });
  expect(told(false, 1_110)).toEqual({ ...report, flushed: false, overdue: [['x', 'lease-1']], dueMs: -1 });
});
