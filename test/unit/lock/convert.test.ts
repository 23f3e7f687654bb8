/** What a conversion comes to, row by row, and what follows from it. */
import { describe, expect, test } from 'vitest';
import type { Convert } from '../../../src/lock/command.ts';
import { decide } from '../../../src/lock/decide.ts';
import { evolveAll } from '../../../src/lock/event.ts';
import {
  AT,
  AWAY,
  acquire,
  GATEWAY,
  held,
  ID,
  id,
  LAST,
  NEW_LEASE,
  of,
  over,
  permit,
  promoted,
  type Row,
  rows,
  scope,
  token,
  unclaimed,
  waiter,
} from './scene.ts';

function convert(more: Partial<Convert> = {}): Convert {
  const kind = 'convert' as const;
  return { kind, lockId: ID, mode: 'write', token: token(30), wait: true, gateway: GATEWAY, at: AT, ...more };
}

const READ = { mode: 'read' } as const;
const reader = held(ID, 'read', 30, { former: token(20) });
const writer = held(ID, 'write', 30, { former: token(20) });
const other = held(id('other'), 'read', 41);
const both = [other, reader];
const own = { lockId: ID, gateway: GATEWAY };
const wanted = { kind: 'upgrading', upgrade: own } as const;
const converted = (mode: 'read' | 'write', gateway: typeof GATEWAY | null = null) =>
  ({ kind: 'converted', lockId: ID, mode, token: token(LAST + 1), gateway }) as const;
const now = (mode: 'read' | 'write') => held(ID, mode, LAST + 1, { former: token(30) });
const upgrading = { kind: 'upgrading', grant: reader } as const;
const outdated = (grant = reader) => ({ kind: 'outdated', grant }) as const;
const pending = unclaimed(waiter(ID, 7, READ), 30);
const waitingReader = (lockId: string, arrival: number) => waiter(id(lockId), arrival, READ);

const misfit = (permits: number) => ({ kind: 'misfit', permits }) as const;
const beside = permit(id('other'), 2, 0, 41);
const second = permit(ID, 2, 1, 30);

const TABLE: readonly Row[] = [
  ['V0', 'to write', { holders: [second] }, convert(), misfit(2)],
  ['V0', 'to read', { holders: [beside, second] }, convert(READ), misfit(2)],
  ['V0', 'to what it is', { holders: [second] }, convert({ mode: 'permit' }), misfit(2)],
  ['V0', 'under another token', { holders: [second] }, convert({ token: token(20) }), misfit(2)],
  [
    'V0',
    'unclaimed',
    { holders: [unclaimed(waiter(ID, 7, of(1)), 30)], waits: [waiter(id('w'), 8, of(1))] },
    convert(READ),
    misfit(1),
  ],
  ['V0', 'a reader, to a permit', { holders: [reader] }, convert({ mode: 'permit' }), misfit(0)],
  ['V0', 'a writer, to a permit', { holders: [writer] }, convert({ mode: 'permit' }), misfit(0)],
  ['V1', 'it is not known', {}, convert(), { kind: 'not_found' }],
  ['V1', 'it ended', { past: 'crashed' }, convert(), over('crashed')],
  [
    'V1',
    'it waits',
    { holders: [other], waits: [waiter(id('w'), 3), waiter(ID, 4)] },
    convert(),
    { kind: 'queued', position: 2 },
  ],
  [
    'V1',
    'it waits for a permit',
    { holders: [beside, permit(id('b'), 2, 1, 40)], waits: [waiter(ID, 4, of(2))] },
    convert(),
    { kind: 'queued', position: 1 },
  ],
  [
    'V1',
    'it is kept a place',
    { holders: [other], parked: [waiter(ID, 4)] },
    convert(),
    { kind: 'queued', position: 1 },
  ],
  ['V2', 'the token', { holders: [writer] }, convert(), { kind: 'converted', grant: writer, repeat: true }],
  [
    'V2',
    'the former',
    { holders: [writer] },
    convert({ token: token(20) }),
    { kind: 'converted', grant: writer, repeat: true },
  ],
  [
    'V2',
    'read already',
    { holders: both },
    convert(READ),
    { kind: 'converted', grant: reader, repeat: true },
  ],
  ['V3', 'an older token', { holders: both }, convert({ token: token(20) }), outdated()],
  ['V3', 'an older token, same mode', { holders: both }, convert({ ...READ, token: token(19) }), outdated()],
  ['V3', 'a newer token', { holders: [reader] }, convert({ token: token(31) }), outdated()],
  ['V3', 'unclaimed', { holders: [pending] }, convert(), outdated(pending)],
  [
    'V4',
    'alone',
    { holders: [writer] },
    convert(READ),
    { kind: 'converted', grant: now('read'), repeat: false },
    [converted('read')],
  ],
  [
    'V4',
    'and all leading readers join',
    {
      holders: [writer],
      waits: [waitingReader('a', 3), waitingReader('b', 4), waiter(id('w'), 5), waitingReader('c', 6)],
    },
    convert({ ...READ, wait: false }),
    { kind: 'converted', grant: now('read'), repeat: false },
    [converted('read'), promoted(id('a'), LAST + 2), promoted(id('b'), LAST + 3)],
  ],
  [
    'V5',
    'alone',
    { holders: [reader] },
    convert({ wait: false }),
    { kind: 'converted', grant: now('write'), repeat: false },
    [converted('write')],
  ],
  [
    'V5',
    'ahead of all who wait',
    { holders: [reader], waits: [waiter(id('w'), 3, { priority: 'high' })] },
    convert(),
    { kind: 'converted', grant: now('write'), repeat: false },
    [converted('write')],
  ],
  [
    'V6',
    'the slot is taken',
    { holders: both, upgrade: { lockId: other.lockId, gateway: AWAY } },
    convert(),
    { kind: 'deadlock', grant: reader },
  ],
  ['V7', 'others read', { holders: both }, convert({ wait: false }), { kind: 'busy', position: 1 }],
  [
    'V7',
    'a repeat that shall not wait',
    { holders: both, upgrade: own },
    convert({ wait: false, gateway: AWAY }),
    { kind: 'busy', position: 1 },
  ],
  ['V8', 'a repeat', { holders: both, upgrade: own }, convert(), upgrading],
  [
    'V8',
    'elsewhere',
    { holders: both, upgrade: own },
    convert({ gateway: AWAY }),
    upgrading,
    [{ kind: 'upgrading', upgrade: { lockId: ID, gateway: AWAY } }],
  ],
  ['V9', 'others read', { holders: both }, convert(), upgrading, [wanted]],
];

rows('convert.ts', TABLE);

describe('a reader that waits to be the only one (L9)', () => {
  const state = scope({ holders: both, upgrade: own, waits: [waiter(id('w'), 3), waitingReader('r', 4)] });
  const release = { kind: 'release', gateway: null, force: null, at: AT } as const;

  test('is upgraded by the change that leaves it alone, ahead of the queue, and its client is told', () => {
    const { events } = decide(state, { ...release, lockId: other.lockId }, NEW_LEASE);
    expect(events.slice(1)).toEqual([converted('write', GATEWAY)]);
    const after = evolveAll(state, events);
    expect(after).toMatchObject({ token: LAST + 1, holders: [now('write')], upgrade: null });
  });

  test('gives up its slot with its read lock, and the queue goes on', () => {
    const { events } = decide(state, { ...release, lockId: ID }, NEW_LEASE);
    expect(evolveAll(state, events)).toMatchObject({ holders: [other], upgrade: null });
    const free = scope({ holders: both, upgrade: own, waits: [waitingReader('r', 4)] });
    const more = decide(free, { ...release, lockId: ID }, NEW_LEASE).events;
    expect(more.slice(1)).toEqual([promoted(id('r'), LAST + 1)]);
  });

  test('keeps readers out until then, and extends meanwhile', () => {
    const command = acquire({ lockId: id('new'), holder: 'x', mode: 'read', priority: 'high', wait: true });
    expect(decide(state, command, NEW_LEASE).outcome).toEqual({ kind: 'queued', position: 1 });
    const extend = { kind: 'extend', lockId: ID, leaseMs: 50_000, replaces: null } as const;
    expect(decide(state, extend, NEW_LEASE).outcome).toMatchObject({
      kind: 'extended',
      grant: { leaseMs: 50_000 },
    });
  });
});
