/** What an acquire comes to, row by row; and a scope that nobody ever touched. */
import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll } from '../../../src/lock/event.ts';
import { inOrder, join, NOBODY } from '../../../src/lock/queue.ts';
import { EMPTY, WAITERS_MAX, type Waiter } from '../../../src/lock/state.ts';
import { PERMITS } from './acquire-permits.ts';
import {
  AT,
  AWAY,
  acquire,
  GATEWAY,
  grantOf,
  held,
  ID,
  id,
  LAST,
  lastArrival,
  lease,
  NEW_LEASE,
  over,
  promoted,
  RETIREMENTS,
  type Row,
  rows,
  scope,
  session,
  token,
  unclaimed,
  waiter,
  waiterOf,
} from './scene.ts';

const mine = held(ID, 'write', 41);
const waits = waiter(ID, 7, { repeat: 1 });
const pending = unclaimed(waits, 41);
const other = held(id('other'), 'write', 41);
const reader = held(id('other'), 'read', 41);
const queued = { holders: [other], waits: [waiter(id('w'), 3), waits] };
const kept = { holders: [other], waits: [waiter(id('w'), 9)], parked: [waits] };
const moved = (gateway: typeof GATEWAY, repeat: number) =>
  ({ kind: 'moved', lockId: ID, gateway, repeat }) as const;
const again = (grant = mine) => ({ kind: 'granted', grant, repeat: true }) as const;
const at = (position: number) => ({ kind: 'queued', position }) as const;
const elsewhere = (position: number) => ({ kind: 'elsewhere', position }) as const;
const away = (how: Parameters<typeof acquire>[0]) => acquire({ wait: true, gateway: AWAY, ...how });
const named = (holder: string) => ({ ...other, holder });
const MISMATCH = { kind: 'mismatch' } as const;
const mode = 'read' as const;

function granted(row: string, what: string, holders: Row[2]['holders'], rest: Row[2], how = {}): Row {
  const command = acquire(how);
  const grant = grantOf(command);
  return [
    row,
    what,
    { ...rest, holders: holders ?? [] },
    command,
    { kind: 'granted', grant, repeat: false },
    [{ kind: 'granted', grant }],
  ];
}

function waitsAt(row: string, what: string, scene: Row[2], position: number, how = {}): Row {
  const command = acquire({ wait: true, ...how });
  return [
    row,
    what,
    scene,
    command,
    at(position),
    [{ kind: 'queued', waiter: waiterOf(command, lastArrival(scene) + 1) }],
  ];
}

const movedPending = unclaimed({ ...waits, gateway: AWAY, repeat: 2 }, 41);
const TABLE: readonly Row[] = [
  ['A1', 'a repeat', { holders: [mine] }, acquire(), again()],
  [
    'A1',
    'without a name, under another made-up one',
    { holders: [mine] },
    acquire({ named: false, holder: 'x' }),
    again(),
  ],
  [
    'A1',
    'of a converted lock',
    { holders: [held(ID, 'read', 41)] },
    acquire({ repeat: 9, gateway: AWAY }),
    again(held(ID, 'read', 41)),
  ],
  [
    'A1',
    'in its session',
    { holders: [{ ...mine, session: session('s') }] },
    acquire({ session: session('s') }),
    again({ ...mine, session: session('s') }),
  ],
  ['A1', 'unclaimed, at its gateway', { holders: [pending] }, acquire({ repeat: 1 }), again(pending)],
  [
    'A1',
    'unclaimed, elsewhere',
    { holders: [pending] },
    acquire({ wait: true, gateway: AWAY, repeat: 2 }),
    again(movedPending),
    [moved(AWAY, 2)],
  ],
  [
    'A1',
    'unclaimed, elsewhere, by who would not wait',
    { holders: [pending] },
    acquire({ gateway: AWAY, repeat: 2 }),
    again(pending),
  ],
  [
    'A1',
    'unclaimed, elsewhere, by what a gateway asks again of itself',
    { holders: [pending] },
    acquire({ wait: true, again: true, gateway: AWAY, repeat: 2 }),
    again(pending),
  ],
  [
    'A1',
    'unclaimed, elsewhere, by an earlier one',
    { holders: [pending] },
    acquire({ wait: true, gateway: AWAY }),
    again(pending),
  ],
  ['A2', 'a repeat', queued, acquire({ wait: true, repeat: 1 }), at(2)],
  ['A2', 'a repeat that shall not wait', queued, acquire({ repeat: 1 }), at(2)],
  ['A2', 'elsewhere, by a later one', queued, away({ repeat: 2 }), at(2), [moved(AWAY, 2)]],
  ['A2', 'elsewhere, by the same', queued, away({ repeat: 1 }), at(2), [moved(AWAY, 1)]],
  ['A2', 'elsewhere, by an earlier one', queued, away({ repeat: 0 }), elsewhere(2)],
  ['A2', 'elsewhere, by who would not wait', queued, away({ wait: false, repeat: 2 }), elsewhere(2)],
  ['A2', 'elsewhere, asked again by a gateway', queued, away({ again: true, repeat: 1 }), elsewhere(2)],
  ['A2', 'here, asked again by its gateway', queued, acquire({ wait: true, again: true, repeat: 1 }), at(2)],
  ['A2', 'by a later one, here', queued, acquire({ wait: true, repeat: 2 }), at(2), [moved(GATEWAY, 2)]],
  [
    'A3',
    'behind a holder, ahead of who came later',
    kept,
    acquire({ wait: true }),
    at(1),
    [moved(GATEWAY, 1)],
  ],
  ['A3', 'elsewhere', kept, acquire({ wait: true, gateway: AWAY, repeat: 5 }), at(1), [moved(AWAY, 5)]],
  [
    'A3',
    'elsewhere, asked again by a gateway',
    kept,
    acquire({ wait: true, again: true, gateway: AWAY }),
    at(1),
    [moved(AWAY, 1)],
  ],
  [
    'A3',
    'into a free scope',
    { parked: [waits] },
    acquire({ wait: true }),
    again(unclaimed({ ...waits, gateway: GATEWAY }, 42, { leaseId: NEW_LEASE, at: AT })),
    [moved(GATEWAY, 1), promoted(ID, 42)],
  ],
  [
    'A3',
    'a session of its own needs no claim',
    { parked: [{ ...waits, session: session('s') }] },
    acquire({ wait: true, session: session('s') }),
    again(held(ID, 'write', 42, { session: session('s'), leaseMs: 30_000, leaseId: NEW_LEASE, at: AT })),
    [moved(GATEWAY, 1), promoted(ID, 42)],
  ],
  [
    'A3',
    'readers behind it come along',
    { holders: [], parked: [{ ...waits, mode }], waits: [] },
    acquire({ wait: true }),
    again(unclaimed({ ...waits, mode }, 42, { leaseId: NEW_LEASE, at: AT })),
    [moved(GATEWAY, 1), promoted(ID, 42)],
  ],
  ['A4', 'its place is told', kept, acquire(), at(1)],
  ['A5', 'another name', { holders: [mine] }, acquire({ holder: 'x' }), MISMATCH],
  ['A5', 'a session of its own', { holders: [mine] }, acquire({ session: session('s') }), MISMATCH],
  [
    'A5',
    'another session',
    { holders: [{ ...mine, session: session('r') }] },
    acquire({ session: session('s') }),
    MISMATCH,
  ],
  ['A5', 'no session', { holders: [{ ...mine, session: session('r') }] }, acquire(), MISMATCH],
  ['A5', 'waiting under another name', queued, acquire({ holder: 'x' }), MISMATCH],
  ['A5', 'waiting in another session', queued, acquire({ session: session('s') }), MISMATCH],
  ['A5', 'kept for another name', kept, acquire({ holder: 'x', wait: true }), MISMATCH],
  ['A5', 'kept for another session', kept, acquire({ session: session('s'), wait: true }), MISMATCH],
  ...(['released', 'expired', 'cancelled', 'crashed', 'forced'] as const).map(
    (past): Row => ['A6', past, { past }, acquire({ seen: 0 }), over(past)],
  ),
  ['A7', '65 behind', {}, acquire({ seen: RETIREMENTS - 65 }), { kind: 'stale' }],
  [
    'A7',
    'even if its name holds',
    { holders: [named('x')] },
    acquire({ holder: 'x', seen: 0 }),
    { kind: 'stale' },
  ],
  [
    'A9',
    'write, and it writes',
    { holders: [named('x')] },
    acquire({ holder: 'x' }),
    { kind: 'already_held', grant: named('x') },
  ],
  [
    'A9',
    'read, and it writes',
    { holders: [named('x')] },
    acquire({ holder: 'x', mode }),
    { kind: 'already_held', grant: named('x') },
  ],
  [
    'A9',
    'read, and it reads',
    { holders: [held(id('r'), mode, 40), { ...reader, holder: 'x' }] },
    acquire({ holder: 'x', mode, wait: true }),
    { kind: 'already_held', grant: { ...reader, holder: 'x' } },
  ],
  [
    'A10',
    'write, and it reads',
    { holders: [{ ...reader, holder: 'x' }] },
    acquire({ holder: 'x', wait: true }),
    { kind: 'deadlock', grant: { ...reader, holder: 'x' } },
  ],
  granted('A11', 'a free scope', [], {}),
  granted('A11', '64 behind', [], {}, { seen: RETIREMENTS - 64 }),
  granted('A11', 'a place is kept for somebody', [], { parked: [waiter(id('k'), 3)] }),
  granted(
    'A11',
    'a reader beside readers',
    [held(id('r'), mode, 40), reader],
    {},
    { mode, wait: true, session: session('s'), ttlMs: 9 },
  ),
  granted(
    'A11',
    'high, past a writer who waits',
    [reader],
    { waits: [waiter(id('w'), 3)] },
    { mode, priority: 'high' },
  ),
  ['A12', 'a writer holds', { holders: [other] }, acquire(), { kind: 'busy', position: 1 }],
  [
    'A12',
    'a writer holds, and one waits',
    { ...queued, waits: [waiter(id('w'), 3)] },
    acquire({ mode }),
    { kind: 'busy', position: 2 },
  ],
  ['A12', 'readers hold', { holders: [reader] }, acquire(), { kind: 'busy', position: 1 }],
  [
    'A12',
    'a reader behind a writer who waits',
    { holders: [reader], waits: [waiter(id('w'), 3)] },
    acquire({ mode }),
    { kind: 'busy', position: 2 },
  ],
  [
    'A12',
    'a reader behind an upgrade',
    { holders: [reader, held(id('r'), mode, 40)], upgrade: { lockId: id('r'), gateway: AWAY } },
    acquire({ mode }),
    { kind: 'busy', position: 1 },
  ],
  [
    'A13',
    'so many wait',
    { holders: [other], waits: crowd(WAITERS_MAX) },
    acquire({ wait: true }),
    { kind: 'full' },
  ],
  [
    'A13',
    'or are kept a place, or unclaimed',
    {
      holders: [unclaimed(waiter(id('u'), 1), 41)],
      waits: crowd(WAITERS_MAX - 2),
      parked: [waiter(id('k'), 90)],
    },
    acquire({ wait: true }),
    { kind: 'full' },
  ],
  waitsAt('A14', 'behind a writer', { holders: [other] }, 1),
  waitsAt(
    'A14',
    'behind who waits',
    { holders: [other], waits: [waiter(id('w'), 3), waiter(id('v'), 4)] },
    3,
    { mode, session: session('s') },
  ),
  waitsAt(
    'A14',
    'high, ahead of others',
    { holders: [other], waits: [waiter(id('w'), 3), waiter(id('h'), 4, { priority: 'high' })] },
    2,
    { priority: 'high' },
  ),
  waitsAt(
    'A14',
    'ahead of nobody who was overtaken sixteen times',
    { holders: [other], waits: [waiter(id('w'), 3)], passed: Array(16).fill(80) },
    2,
    { priority: 'high' },
  ),
  waitsAt(
    'A14',
    'the last that is admitted',
    { holders: [other], waits: crowd(WAITERS_MAX - 1) },
    WAITERS_MAX,
  ),
];

function crowd(size: number): Waiter[] {
  return Array.from({ length: size }, (_, i) => waiter(id(`crowd-${i}`), i + 100));
}

rows('acquire.ts', [...TABLE, ...PERMITS]);

test('a scope that nobody ever touched grants token 1, and counts no arrivals', () => {
  const { outcome, events } = decide(EMPTY, acquire({ seen: 0 }), NEW_LEASE);
  expect(outcome).toMatchObject({ kind: 'granted', repeat: false, grant: { token: 1, leaseId: NEW_LEASE } });
  expect(evolveAll(EMPTY, events)).toMatchObject({ token: 1, arrivals: 0, queue: NOBODY });
});

describe('who waits and reads behind one that may be granted', () => {
  test('a place that is taken again lets in all readers up to the next writer', () => {
    const read = (lockId: string, arrival: number) => waiter(id(lockId), arrival, { mode });
    const holders = [held(id('r'), mode, 41)];
    const parked = [read('back', 1)];
    const state = {
      ...scope({ holders, parked }),
      queue: [waiter(id('w'), 5), read('late', 6)].reduce(join, NOBODY),
    };
    const { events } = decide(
      state,
      acquire({ lockId: id('back'), holder: 'holder of back', wait: true }),
      NEW_LEASE,
    );
    const after = evolveAll(state, events);
    expect(after.holders.map(({ lockId }) => lockId)).toEqual(['r', 'back']);
    expect(inOrder(after.queue, 9).map(({ lockId }) => lockId)).toEqual(['w', 'late']);
  });

  test('a reader that was overtaken for the sixteenth time is granted in that very change', () => {
    const low = waiter(id('low'), 3, { mode, priority: 'low' });
    const scene = { holders: [held(id('r'), mode, 41)], waits: [low, waiter(id('w'), 50)] };
    const state = scope({ ...scene, passed: Array(15).fill(60) });
    const command = acquire({ mode, priority: 'high' });
    const { events } = decide(state, command, NEW_LEASE);
    expect(events).toEqual([{ kind: 'granted', grant: grantOf(command) }]);
    // Both have sixteen now: the writer has risen as well, and stays ahead.
    const earlier = { ...state, queue: { ...state.queue, passed: [60, ...Array(14).fill(40)] } };
    expect(decide(earlier, command, NEW_LEASE).events).toEqual([
      { kind: 'granted', grant: grantOf(command) },
      promoted(id('low'), LAST + 2),
    ]);
  });
});

test('what an acquire names is what is granted, and nothing of its way', () => {
  const command = acquire({ session: session('s'), ttlMs: 5, reason: null, mode });
  const { outcome } = decide(scope({}), command, lease('l'));
  expect(outcome).toEqual({ kind: 'granted', grant: { ...grantOf(command), leaseId: 'l' }, repeat: false });
  expect(grantOf(command)).not.toHaveProperty('gateway');
  expect(grantOf(command).token).toBe(token(LAST + 1));
});
