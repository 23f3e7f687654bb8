/** What every other command comes to, row by row; and how long an extended lease is. */
import { describe, expect, test } from 'vitest';
import type { Cancel, Command, Release } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll } from '../../../src/lock/event.ts';
import { type Ending, type Grant, NO_EXPIRY } from '../../../src/lock/state.ts';
import {
  AT,
  AWAY,
  ended,
  GATEWAY,
  held,
  ID,
  id,
  LAST,
  LEASE,
  lease,
  NEW_LEASE,
  over,
  promoted,
  type Row,
  rows,
  scope,
  session,
  token,
  unclaimed,
  waiter,
} from './scene.ts';

const S = session('s');
const mine = held(ID, 'write', 41);
const waits = waiter(ID, 7);
const pending = unclaimed(waits, 41);
const other = held(id('other'), 'write', 41);
const reader = (lockId: string, has: number, more: Partial<Grant> = {}) =>
  held(id(lockId), 'read', has, more);
const read = (lockId: string, arrival: number, more = {}) =>
  waiter(id(lockId), arrival, { mode: 'read', ...more });
const write = (lockId: string, arrival: number, more = {}) => waiter(id(lockId), arrival, more);
const queued = { holders: [other], waits: [write('w', 3), waits] };
const kept = { holders: [other], waits: [write('w', 3)], parked: [waits] };
const own = { lockId: ID, gateway: GATEWAY };
const slot = { holders: [reader('r', 40), held(ID, 'read', 41)], upgrade: own };

const again = (grant: Grant = mine) => ({ kind: 'granted', grant, repeat: true }) as const;
const at = (position: number) => ({ kind: 'queued', position }) as const;
const NOT_FOUND = { kind: 'not_found' } as const;
const CANCELLED = { kind: 'cancelled' } as const;
const PARKED = { kind: 'parked' } as const;
const SWEPT = { kind: 'swept' } as const;
const EXPIRED = { kind: 'expired' } as const;
const released = (repeat: boolean) => ({ kind: 'released', token: token(repeat ? 40 : 41), repeat }) as const;
const deserted = (gateway = GATEWAY) => ({ kind: 'deserted', gateway }) as const;
const parked = { kind: 'parked', lockId: ID } as const;

const base = { lockId: ID, at: AT };
const claim = (gateway = GATEWAY): Command => ({ kind: 'claim', ...base, gateway });
const park = (gateway = GATEWAY): Command => ({ kind: 'park', ...base, gateway });
const release = (more: Partial<Release> = {}): Command => ({
  kind: 'release',
  ...base,
  gateway: null,
  force: null,
  ...more,
});
const cancel = (more: Partial<Cancel> = {}): Command => ({
  kind: 'cancel',
  ...base,
  gateway: null,
  token: token(0),
  ...more,
});
const upgradeOff = (has: number): Command => cancel({ token: token(has) });
const extend = (leaseMs: number, replaces = lease('old')): Command => ({
  kind: 'extend',
  lockId: ID,
  leaseMs,
  replaces,
});
const expire = (leaseId = LEASE, lockId = ID): Command => ({ kind: 'expire', lockId, leaseId, at: AT });
const sweep = (who = S): Command => ({ kind: 'sweep', session: who, at: AT });
const reap: Command = { kind: 'reap', ...base };
const PASTS = ['released', 'expired', 'cancelled', 'crashed', 'forced'] as const;
const past = (row: string, command: Command, ...but: Ending[]): Row[] =>
  PASTS.filter((one) => !but.includes(one)).map((one) => [row, one, { past: one }, command, over(one)]);
const claimed = { ...pending, leaseMs: 30_000, leaseId: NEW_LEASE, at: AT, unclaimed: null };
const extended = (grant: Grant): Row[4] => ({ kind: 'extended', grant });
const lengthened = (leaseMs: number) =>
  ({ kind: 'extended', lockId: ID, leaseMs, leaseId: NEW_LEASE }) as const;

const TABLE: readonly Row[] = [
  [
    'K1',
    'its lease begins',
    { holders: [pending] },
    claim(),
    { kind: 'granted', grant: claimed, repeat: false },
    [{ kind: 'claimed', lockId: ID, leaseId: NEW_LEASE, at: AT }],
  ],
  ['K2', 'claimed before', { holders: [mine] }, claim(), again()],
  ['K2', 'at another gateway', { holders: [pending] }, claim(AWAY), again(pending)],
  ['K3', 'waits', queued, claim(), at(2)],
  ['K3', 'kept', kept, claim(), at(2)],
  ...past('K4', claim()),
  ['K4', 'unknown', {}, claim(), NOT_FOUND],
  ['R1', 'claimed meanwhile', { holders: [mine] }, release({ gateway: GATEWAY }), again()],
  ['R1', 'moved meanwhile', { holders: [pending] }, release({ gateway: AWAY }), again(pending)],
  ['R2', 'held', { holders: [mine] }, release(), released(false), [ended(ID, 'released')]],
  [
    'R2',
    'undeliverable',
    { holders: [pending] },
    release({ gateway: GATEWAY }),
    released(false),
    [ended(ID, 'released')],
  ],
  [
    'R2',
    'unclaimed, by its client',
    { holders: [pending] },
    release(),
    released(false),
    [ended(ID, 'released')],
  ],
  [
    'R2',
    'by force',
    { holders: [mine] },
    release({ force: { by: 'ops', reason: 'stuck' } }),
    released(false),
    [ended(ID, 'forced', 'ops: stuck')],
  ],
  [
    'R2',
    'and the next is granted',
    { holders: [mine], waits: [write('w', 3), write('v', 4)] },
    release(),
    released(false),
    [ended(ID, 'released'), promoted(id('w'), 42)],
  ],
  [
    'R2',
    'and all leading readers are',
    {
      holders: [mine],
      waits: [read('a', 3), read('b', 4), write('w', 5), read('c', 6), read('d', 7, { priority: 'high' })],
    },
    release(),
    released(false),
    [ended(ID, 'released'), promoted(id('d'), 42), promoted(id('a'), 43), promoted(id('b'), 44)],
  ],
  [
    'R2',
    'and a writer waits for the last reader',
    { holders: [reader('r', 40), held(ID, 'read', 41)], waits: [write('w', 3)] },
    release(),
    released(false),
    [ended(ID, 'released')],
  ],
  ['R3', 'waits', queued, release(), at(2)],
  ['R3', 'kept', kept, release({ gateway: GATEWAY }), at(2)],
  ['R4', 'a repeat', { past: 'released' }, release(), released(true)],
  [
    'R4',
    'a repeat by force',
    { past: 'released' },
    release({ force: { by: 'a', reason: 'b' } }),
    released(true),
  ],
  [
    'R4',
    'a repeat of a forced one',
    { past: 'forced' },
    release({ force: { by: 'a', reason: 'b' } }),
    released(true),
  ],
  ...past('R5', release(), 'released'),
  ['R5', 'unknown', {}, release(), NOT_FOUND],
  [
    'X1',
    'longer',
    { holders: [mine] },
    extend(60_000),
    extended({ ...mine, leaseMs: 60_000, leaseId: NEW_LEASE }),
    [lengthened(60_000)],
  ],
  [
    'X1',
    'not shorter',
    { holders: [mine] },
    extend(10_000),
    extended({ ...mine, leaseId: NEW_LEASE }),
    [lengthened(20_000)],
  ],
  [
    'X1',
    'shorter, naming the lease',
    { holders: [mine] },
    extend(10_000, LEASE),
    extended({ ...mine, leaseMs: 10_000, leaseId: NEW_LEASE }),
    [lengthened(10_000)],
  ],
  [
    'X1',
    'of an unclaimed one',
    { holders: [pending] },
    extend(60_000),
    extended({ ...pending, leaseMs: 60_000, leaseId: NEW_LEASE, unclaimed: null }),
    [lengthened(60_000)],
  ],
  ...past('X2', extend(60_000)),
  ['X2', 'unknown', {}, extend(60_000), NOT_FOUND],
  ['X2', 'waits', queued, extend(60_000), NOT_FOUND],
  ['C1', 'the slot is given up', slot, upgradeOff(41), CANCELLED, [{ kind: 'upgrading', upgrade: null }]],
  [
    'C1',
    'and a reader gets in',
    { ...slot, waits: [read('a', 3)] },
    upgradeOff(41),
    CANCELLED,
    [{ kind: 'upgrading', upgrade: null }, promoted(id('a'), 42)],
  ],
  ['C2', 'upgraded before', { holders: [mine] }, upgradeOff(30), again()],
  ['C2', 'another token', slot, upgradeOff(30), again(held(ID, 'read', 41))],
  ['C2', 'unknown', {}, upgradeOff(41), NOT_FOUND],
  ['C2', 'ended', { past: 'expired' }, upgradeOff(41), over('expired')],
  ['C3', 'held', { holders: [mine] }, cancel(), again()],
  ['C3', 'unclaimed', { holders: [pending] }, cancel({ gateway: GATEWAY }), again(pending)],
  ['C3', 'a slot', slot, cancel(), again(held(ID, 'read', 41))],
  ['C4', 'moved meanwhile', queued, cancel({ gateway: AWAY }), at(2)],
  ['C5', 'waits here', queued, cancel({ gateway: GATEWAY }), CANCELLED, [ended(ID, 'cancelled')]],
  ['C5', 'waits anywhere', queued, cancel(), CANCELLED, [ended(ID, 'cancelled')]],
  ['C5', 'kept', kept, cancel({ gateway: GATEWAY }), CANCELLED, [ended(ID, 'cancelled')]],
  ['C5', 'unknown', {}, cancel({ gateway: GATEWAY }), CANCELLED, [ended(ID, 'cancelled')]],
  [
    'C5',
    'and readers behind it get in',
    { holders: [reader('r', 41)], waits: [waits, read('a', 8), write('w', 9)] },
    cancel(),
    CANCELLED,
    [ended(ID, 'cancelled'), promoted(id('a'), 42)],
  ],
  ['C6', 'a repeat', { past: 'cancelled' }, cancel(), CANCELLED],
  ...past('C7', cancel(), 'cancelled'),
  ['P1', 'waits there', queued, park(), PARKED, [parked]],
  [
    'P1',
    'unclaimed there, and the next is granted',
    { holders: [pending], waits: [write('w', 9)] },
    park(),
    PARKED,
    [parked, promoted(id('w'), 42)],
  ],
  [
    'P1',
    'readers behind it get in',
    { holders: [reader('r', 41)], waits: [waits, read('a', 8)] },
    park(),
    PARKED,
    [parked, promoted(id('a'), 42)],
  ],
  ['P2', 'a repeat', kept, park(), PARKED],
  ['P3', 'held', { holders: [mine] }, park(), again()],
  ['P3', 'unclaimed elsewhere', { holders: [pending] }, park(AWAY), again(pending)],
  ['P3', 'waits elsewhere', queued, park(AWAY), at(2)],
  ['P3', 'ended', { past: 'forced' }, park(), over('forced')],
  ['P3', 'unknown', {}, park(), NOT_FOUND],
  ['Q1', 'kept', kept, reap, CANCELLED, [ended(ID, 'cancelled')]],
  ['Q2', 'waits', queued, reap, NOT_FOUND],
  ['Q2', 'held', { holders: [mine] }, reap, NOT_FOUND],
  ['Q2', 'ended', { past: 'cancelled' }, reap, NOT_FOUND],
  [
    'E1',
    'all that waits at that gateway is kept, the others are next',
    { holders: [pending], waits: [write('a', 8), write('b', 9, { gateway: AWAY })] },
    expire(),
    EXPIRED,
    [deserted(), promoted(id('b'), 42, AWAY)],
  ],
  [
    'E2',
    'and the next is granted',
    { holders: [mine], waits: [write('w', 3)] },
    expire(),
    EXPIRED,
    [ended(ID, 'expired'), promoted(id('w'), 42)],
  ],
  ['E2', 'a slot ends with it', slot, expire(), EXPIRED, [ended(ID, 'expired')]],
  ['E3', 'another lease', { holders: [mine] }, expire(lease('old')), NOT_FOUND],
  ['E3', 'ended', { past: 'expired' }, expire(), NOT_FOUND],
  ['E3', 'waits', queued, expire(), NOT_FOUND],
  [
    'W',
    'a session ends with all its locks and places, in any state',
    {
      holders: [reader('a', 39, { session: S }), reader('b', 40)],
      waits: [read('c', 4, { session: S }), read('d', 5)],
      parked: [write('e', 6, { session: S })],
    },
    sweep(),
    SWEPT,
    [ended(id('a'), 'crashed'), ended(id('c'), 'crashed'), ended(id('e'), 'crashed'), promoted(id('d'), 42)],
  ],
  [
    'W',
    "what waits at a gateway is kept, its upgrade's read lock too",
    { ...slot, waits: [write('w', 3), read('a', 8, { gateway: AWAY })] },
    sweep(GATEWAY),
    SWEPT,
    [deserted(), promoted(id('a'), 42, AWAY)],
  ],
  [
    'W',
    'what is unclaimed at a gateway is kept',
    { holders: [pending] },
    sweep(GATEWAY),
    SWEPT,
    [deserted()],
  ],
  [
    'W',
    'a lock without an end ends with its session before it is claimed',
    { holders: [unclaimed({ ...waits, session: S, leaseMs: NO_EXPIRY }, 41)] },
    sweep(),
    SWEPT,
    [ended(ID, 'crashed')],
  ],
  ['W', 'nothing is left of it', { ...kept }, sweep(AWAY), SWEPT],
  ['S', 'read', queued, { kind: 'read' }, { kind: 'state' }],
  ['S', 'look', queued, { kind: 'look', gateway: GATEWAY }, { kind: 'state' }],
];

rows('decide.ts', TABLE);

/** L6 as a table: the present lease, the wanted one, and what it comes to without and with `replaces`. */
describe('an extension never shortens, unless it names the present lease', () => {
  test.each([
    [20_000, 10_000, 20_000, 10_000],
    [20_000, 20_000, 20_000, 20_000],
    [20_000, 30_000, 30_000, 30_000],
    [20_000, NO_EXPIRY, NO_EXPIRY, NO_EXPIRY],
    [NO_EXPIRY, 10_000, NO_EXPIRY, 10_000],
    [NO_EXPIRY, 30_000, NO_EXPIRY, 30_000],
    [NO_EXPIRY, NO_EXPIRY, NO_EXPIRY, NO_EXPIRY],
  ])('from %i, wanted %i: %i, or %i', (leaseMs, wanted, plain, replacing) => {
    const state = scope({ holders: [{ ...mine, leaseMs }] });
    const grant = { ...mine, leaseId: NEW_LEASE };
    expect(decide(state, extend(wanted), NEW_LEASE).outcome).toEqual(extended({ ...grant, leaseMs: plain }));
    expect(decide(state, extend(wanted, LEASE), NEW_LEASE).outcome).toEqual(
      extended({ ...grant, leaseMs: replacing }),
    );
  });
});

describe('what was promoted (T4)', () => {
  const next = (one: ReturnType<typeof waiter>) => {
    const state = scope({ holders: [other], waits: [one] });
    return evolveAll(state, decide(state, release({ lockId: other.lockId }), NEW_LEASE).events).holders;
  };
  const rest = { leaseId: NEW_LEASE, at: AT };

  test.each([
    ['without a session', waits],
    ['for a lock without an end', { ...waits, session: S, leaseMs: NO_EXPIRY }],
  ])('%s has the time of a claim', (_, one) => {
    expect(next(one)).toEqual([unclaimed(one, LAST + 1, rest)]);
    expect(next(one)[0]!.leaseMs).toBe(one.claimMs);
  });

  test('with a session of its own has its lease at once', () => {
    const one = { ...waits, session: S };
    expect(next(one)).toEqual([unclaimed(one, LAST + 1, { ...rest, leaseMs: 30_000, unclaimed: null })]);
  });
});
