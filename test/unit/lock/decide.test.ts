/** Every combination of command and situation meets exactly one row of the table in decide.ts, and what it says. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import { type Decision, decide } from '../../../src/lock/decide.ts';
import {
  EMPTY,
  type Ending,
  type FencingToken,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  NO_EXPIRY,
} from '../../../src/lock/state.ts';

const ID = 'the-id' as LockId;
const OTHER_ID = 'another-id' as LockId;
const LEASE = '1.p1.1.1' as LeaseId;
const OLD_LEASE = '1.p1.1.0' as LeaseId;
const NEW_LEASE = '1.p1.1.2' as LeaseId;
const RETIREMENTS = 100;

/** Who holds the scope: nobody, the command's lock id under this name, or another lock id under this name. */
type Held = null | { readonly by: 'ID' | 'OTHER'; readonly name: string; readonly leaseMs: number };

interface Case {
  readonly held: Held;
  /** How the command's lock id ended, if the ring remembers it. */
  readonly past: Ending | null;
  readonly command: Command;
}

const acquires: Command[] = [];
for (const holder of ['alice', 'bob'])
  for (const named of [true, false])
    for (const seen of [0, RETIREMENTS - 65, RETIREMENTS - 64, RETIREMENTS, RETIREMENTS + 9])
      acquires.push({
        kind: 'acquire',
        lockId: ID,
        holder,
        named,
        mode: 'write',
        leaseMs: 30_000,
        seen,
        at: 7,
      });
const extensions: Command[] = [];
for (const leaseMs of [10_000, 20_000, 30_000, NO_EXPIRY])
  for (const replaces of [null, LEASE, OLD_LEASE])
    extensions.push({ kind: 'extend', lockId: ID, leaseMs, replaces });
const commands: Command[] = [
  ...acquires,
  ...extensions,
  { kind: 'release', lockId: ID },
  { kind: 'cancel', lockId: ID },
  { kind: 'expire', lockId: ID, leaseId: LEASE },
  { kind: 'expire', lockId: ID, leaseId: OLD_LEASE },
  { kind: 'read' },
];

function* cases(): Iterable<Case> {
  const helds: Held[] = [null];
  for (const by of ['ID', 'OTHER'] as const)
    for (const name of ['alice', 'bob'])
      for (const leaseMs of [20_000, NO_EXPIRY]) helds.push({ by, name, leaseMs });
  for (const held of helds)
    for (const past of [null, 'released', 'expired', 'cancelled'] as const)
      if (held?.by !== 'ID' || past === null) for (const command of commands) yield { held, past, command };
}

function grantOf(held: Exclude<Held, null>): Grant {
  const lockId = held.by === 'ID' ? ID : OTHER_ID;
  const token = 41 as FencingToken;
  const { name: holder, leaseMs } = held;
  return { lockId, holder, named: true, mode: 'write', token, leaseMs, leaseId: LEASE, at: 3 };
}

function stateOf({ held, past }: Case): LockState {
  const retired = [
    { lockId: 'long-ago' as LockId, ending: 'released' as const, token: 39 as FencingToken },
    ...(past === null ? [] : [{ lockId: ID, ending: past, token: 40 as FencingToken }]),
    { lockId: 'lately' as LockId, ending: 'expired' as const, token: 0 as FencingToken },
  ];
  const holders = held === null ? [] : [grantOf(held)];
  return { token: 41 as FencingToken, holders, retired, retirements: RETIREMENTS };
}

/** The words of the table's guards. */
const of = (kind: Command['kind']) => (c: Case) => c.command.kind === kind;
const holds = (c: Case) => c.held?.by === 'ID';
const past = (c: Case) => !holds(c) && c.past !== null;
const unknown = (c: Case) => !holds(c) && c.past === null;
const acquired = (c: Case) => c.command as Command & { kind: 'acquire' };
const extended = (c: Case) => c.command as Command & { kind: 'extend' };
const sameClient = (c: Case) => !acquired(c).named || acquired(c).holder === c.held!.name;
const behind = (c: Case) => RETIREMENTS - acquired(c).seen > 64;
const named = (c: Case) => c.held?.name === acquired(c).holder;
const sameLease = (c: Case) => (c.command as Command & { kind: 'expire' }).leaseId === LEASE;

const nothing = (outcome: Decision['outcome']): Decision => ({ outcome, events: [] });
const ended = (c: Case) => nothing({ kind: 'ended', ending: c.past!, token: 40 as FencingToken });
const repeated = (c: Case) => nothing({ kind: 'granted', grant: grantOf(c.held!), repeat: true });
const ends = (ending: Ending, outcome: Decision['outcome']): Decision => ({
  outcome,
  events: [{ kind: 'ended', lockId: ID, ending }],
});

type Row = readonly [letter: string, on: Command['kind'], guard: (c: Case) => boolean, (c: Case) => Decision];
const ROWS: readonly Row[] = [
  ['A', 'acquire', (c) => holds(c) && sameClient(c), repeated],
  ['B', 'acquire', (c) => holds(c) && !sameClient(c), () => nothing({ kind: 'mismatch' })],
  ['C', 'acquire', past, ended],
  ['D', 'acquire', (c) => unknown(c) && behind(c), () => nothing({ kind: 'stale' })],
  [
    'E',
    'acquire',
    (c) => unknown(c) && !behind(c) && named(c),
    (c) => nothing({ kind: 'already_held', grant: grantOf(c.held!) }),
  ],
  [
    'F',
    'acquire',
    (c) => unknown(c) && !behind(c) && c.held === null,
    (c) => {
      const { lockId, holder, named, mode, leaseMs, at } = acquired(c);
      const token = 42 as FencingToken;
      const grant: Grant = { lockId, holder, named, mode, token, leaseMs, leaseId: NEW_LEASE, at };
      return { outcome: { kind: 'granted', grant, repeat: false }, events: [{ kind: 'granted', grant }] };
    },
  ],
  [
    'G',
    'acquire',
    (c) => unknown(c) && !behind(c) && c.held !== null && !named(c),
    () => nothing({ kind: 'busy' }),
  ],
  [
    'H',
    'release',
    holds,
    () => ends('released', { kind: 'released', token: 41 as FencingToken, repeat: false }),
  ],
  [
    'I',
    'release',
    (c) => past(c) && c.past === 'released',
    () => nothing({ kind: 'released', token: 40 as FencingToken, repeat: true }),
  ],
  ['J', 'release', (c) => past(c) && c.past !== 'released', ended],
  ['K', 'release', unknown, () => nothing({ kind: 'not_found' })],
  [
    'L',
    'extend',
    holds,
    (c) => {
      const leaseMs = newLease(c.held!.leaseMs, extended(c).leaseMs, extended(c).replaces === LEASE);
      const grant = { ...grantOf(c.held!), leaseMs, leaseId: NEW_LEASE };
      const events = [{ kind: 'extended', lockId: ID, leaseMs, leaseId: NEW_LEASE } as const];
      return { outcome: { kind: 'extended', grant }, events };
    },
  ],
  ['M', 'extend', past, ended],
  ['N', 'extend', unknown, () => nothing({ kind: 'not_found' })],
  ['O', 'cancel', holds, repeated],
  ['P', 'cancel', (c) => past(c) && c.past === 'cancelled', () => nothing({ kind: 'cancelled' })],
  ['Q', 'cancel', (c) => past(c) && c.past !== 'cancelled', ended],
  ['R', 'cancel', unknown, () => ends('cancelled', { kind: 'cancelled' })],
  ['S', 'expire', (c) => holds(c) && sameLease(c), () => ends('expired', { kind: 'expired' })],
  ['T', 'expire', (c) => !holds(c) || !sameLease(c), () => nothing({ kind: 'not_found' })],
  ['U', 'read', () => true, () => nothing({ kind: 'state' })],
];

/** L6 as a table: the present lease, the wanted one, and what it comes to without and with `replaces`. */
const LEASES: readonly (readonly [now: number, wanted: number, plain: number, replacing: number])[] = [
  [20_000, 10_000, 20_000, 10_000],
  [20_000, 20_000, 20_000, 20_000],
  [20_000, 30_000, 30_000, 30_000],
  [20_000, NO_EXPIRY, NO_EXPIRY, NO_EXPIRY],
  [NO_EXPIRY, 10_000, NO_EXPIRY, 10_000],
  [NO_EXPIRY, 20_000, NO_EXPIRY, 20_000],
  [NO_EXPIRY, 30_000, NO_EXPIRY, 30_000],
  [NO_EXPIRY, NO_EXPIRY, NO_EXPIRY, NO_EXPIRY],
];

function newLease(now: number, wanted: number, replaces: boolean): number {
  const [, , plain, replacing] = LEASES.find((line) => line[0] === now && line[1] === wanted)!;
  return replaces ? replacing : plain;
}

describe('every combination of command and situation', () => {
  const rowsOf = (c: Case) => ROWS.filter(([, on, guard]) => of(on)(c) && guard(c));

  test('meets exactly one row, and every row comes up', () => {
    const met = new Map<string, number>();
    for (const c of cases()) {
      const letters = rowsOf(c).map(([letter]) => letter);
      if (letters.length !== 1) expect({ letters, ...c }).toBeUndefined();
      met.set(letters[0]!, (met.get(letters[0]!) ?? 0) + 1);
    }
    expect([...met.keys()].sort().join('')).toBe('ABCDEFGHIJKLMNOPQRSTU');
  });

  test.each(ROWS.map((row) => [...row] as [...Row]))('row %s, on %s: outcome and events', (letter) => {
    for (const c of cases()) {
      const row = rowsOf(c)[0]!;
      if (row[0] !== letter) continue;
      expect({ c, ...decide(stateOf(c), c.command, NEW_LEASE) }).toEqual({ c, ...row[3](c) });
    }
  });

  test('no decision touches the state that it was given', () => {
    for (const c of cases()) {
      const state = stateOf(c);
      const before = structuredClone(state);
      decide(state, c.command, NEW_LEASE);
      expect(state).toEqual(before);
    }
  });
});

test('a scope that nobody ever touched grants token 1', () => {
  const { outcome } = decide(EMPTY, { ...acquires[0]!, seen: 0 } as Command, NEW_LEASE);
  expect(outcome).toMatchObject({ kind: 'granted', repeat: false, grant: { token: 1, leaseId: NEW_LEASE } });
});
