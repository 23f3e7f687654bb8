/** What an acquire of a semaphore comes to, and one that takes a semaphore for a lock: rows of acquire.test.ts (L10). */
import { type Grant, PERMITS_MAX } from '../../../src/lock/state.ts';
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
  NEW_LEASE,
  of,
  permit,
  promoted,
  RETIREMENTS,
  type Row,
  type Scene,
  session,
  unclaimed,
  waiter,
  waiterOf,
} from './scene.ts';

const one = (slot: number, permits = 3) => permit(id(`slot ${slot}`), permits, slot, 30 + slot);
const full = [one(0), one(2), one(1)];
const waits = waiter(ID, 7, of(3));
const kept = { parked: [waits] };
const first = (more = {}) => waiter(id('first'), 3, { ...of(3), ...more });
const moved = (gateway = GATEWAY) => ({ kind: 'moved', lockId: ID, gateway, repeat: 0 }) as const;
const again = (grant: Grant) => ({ kind: 'granted', grant, repeat: true }) as const;
const misfit = (permits: number) => ({ kind: 'misfit', permits }) as const;
const write = held(id('other'), 'write', 41);
const read = held(id('other'), 'read', 41);

function granted(what: string, scene: Scene, slot: number, how = {}): Row {
  const command = acquire({ ...of(3), ...how });
  const grant = grantOf(command, slot);
  return [
    'A11',
    what,
    scene,
    command,
    { kind: 'granted', grant, repeat: false },
    [{ kind: 'granted', grant }],
  ];
}

function queued(what: string, scene: Scene, position: number, how = {}): Row {
  const command = acquire({ ...of(3), wait: true, ...how });
  const joins = { kind: 'queued', waiter: waiterOf(command, lastArrival(scene) + 1) } as const;
  return ['A14', what, scene, command, { kind: 'queued', position }, [joins]];
}

/** The kept place is granted at once, with the slot. */
function adopted(what: string, scene: Scene, slot: number): Row {
  const grant = unclaimed(waits, LAST + 1, { slot, leaseId: NEW_LEASE, at: AT });
  const events = [moved(), promoted(ID, LAST + 1, GATEWAY, slot)];
  return ['A3', what, { ...scene, ...kept }, acquire({ ...of(3), wait: true }), again(grant), events];
}

const mine = permit(ID, 3, 1, 31);
export const PERMITS: readonly Row[] = [
  ['A1', 'a permit', { holders: [mine] }, acquire(of(3)), again(mine)],
  ['A1', 'a permit, of another semaphore now', { holders: [mine] }, acquire(of(2)), again(mine)],
  ['A1', 'a permit, a lock now', { holders: [mine] }, acquire(), again(mine)],
  [
    'A2',
    'for a permit, of another semaphore now',
    { holders: full, waits: [first(), waits] },
    acquire({ ...of(5), wait: true }),
    { kind: 'queued', position: 2 },
  ],
  adopted('into a free semaphore', {}, 0),
  adopted('into the lowest slot', { holders: [one(1)] }, 0),
  adopted('into a slot between', { holders: [one(2), one(0)] }, 1),
  adopted('into the last slot', { holders: [one(1), one(0)] }, 2),
  [
    'A3',
    'behind all permits',
    { holders: full, ...kept },
    acquire({ ...of(3), wait: true, gateway: AWAY }),
    { kind: 'queued', position: 1 },
    [moved(AWAY)],
  ],
  [
    'A7',
    'whatever it wants',
    { holders: [write] },
    acquire({ ...of(3), seen: RETIREMENTS - 65 }),
    { kind: 'stale' },
  ],
  ['A8', 'write, and it is a semaphore', { holders: [one(0)] }, acquire(), misfit(3)],
  ['A8', 'read, and it is a semaphore', { holders: full }, acquire({ mode: 'read', wait: true }), misfit(3)],
  ['A8', 'a smaller semaphore', { holders: [one(0)] }, acquire(of(2)), misfit(3)],
  ['A8', 'a larger semaphore', { holders: full }, acquire({ ...of(4), wait: true }), misfit(3)],
  ['A8', 'a permit, and it is written', { holders: [write] }, acquire({ ...of(3), wait: true }), misfit(0)],
  ['A8', 'a permit, and it is read', { holders: [read] }, acquire(of(1)), misfit(0)],
  ['A8', 'a lock, and a place is kept for a permit', kept, acquire({ lockId: id('new') }), misfit(3)],
  ['A8', 'a larger one than a place is kept for', kept, acquire({ lockId: id('new'), ...of(4) }), misfit(3)],
  [
    'A8',
    'a permit, and a place is kept for a lock',
    { parked: [waiter(id('k'), 3)] },
    acquire({ ...of(1), wait: true }),
    misfit(0),
  ],
  [
    'A8',
    'even if its name holds',
    { holders: [{ ...write, holder: 'x' }] },
    acquire({ ...of(3), holder: 'x' }),
    misfit(0),
  ],
  [
    'A8',
    'even if its name has a permit',
    { holders: [permit(id('other'), 3, 0, 41, { holder: 'x' })] },
    acquire({ holder: 'x' }),
    misfit(3),
  ],
  granted('the first permit', {}, 0),
  granted('the largest semaphore', {}, 0, of(PERMITS_MAX)),
  granted('the last of the largest', { holders: crowd(PERMITS_MAX - 1) }, PERMITS_MAX - 1, of(PERMITS_MAX)),
  granted('the lowest slot', { holders: [one(2), one(1)] }, 0),
  granted('a slot between', { holders: [one(0), one(2)] }, 1),
  granted('the last slot', { holders: [one(1), one(0)] }, 2, { session: session('s'), ttlMs: 9 }),
  granted('a permit more under one name', { holders: [{ ...one(0), holder: 'x' }] }, 1, { holder: 'x' }),
  granted('while a place is kept', { parked: [first()] }, 0),
  ['A12', 'all are held', { holders: full }, acquire(of(3)), { kind: 'busy', position: 1 }],
  [
    'A12',
    'the only one is held',
    { holders: [one(0, 1)], waits: [waiter(id('w'), 3, of(1))] },
    acquire(of(1)),
    { kind: 'busy', position: 2 },
  ],
  [
    'A12',
    'all are held, one of them under its name',
    { holders: [{ ...one(0), holder: 'x' }, one(1), one(2)] },
    acquire({ ...of(3), holder: 'x' }),
    { kind: 'busy', position: 1 },
  ],
  queued('behind all permits', { holders: full }, 1, { session: session('s') }),
  queued('behind who waits for one', { holders: full, waits: [first()] }, 2),
  queued('high, ahead of who waits for one', { holders: full, waits: [first()] }, 1, { priority: 'high' }),
  queued(
    'ahead of nobody who was overtaken sixteen times',
    { holders: full, waits: [first()], passed: Array(16).fill(80) },
    2,
    { priority: 'high' },
  ),
];

function crowd(size: number) {
  return Array.from({ length: size }, (_, i) => permit(id(`crowd-${i}`), PERMITS_MAX, i, 5));
}
