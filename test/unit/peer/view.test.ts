/** What an answer tells of the scope besides the outcome, to whom, and how much of it at most (view.ts). */
import { describe, expect, test } from 'vitest';
import type { Command, Outcome } from '../../../src/lock/command.ts';
import { type Grant, type LockState, NO_EXPIRY } from '../../../src/lock/state.ts';
import { VIEW_HOLDERS_MAX, VIEW_WAITERS_MAX } from '../../../src/peer/limits.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { viewOf } from '../../../src/peer/view.ts';
import { loadRegister } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import { acquire, GATEWAY, held, id, lease, scope, session, unclaimed, waiter } from '../lock/scene.ts';

const G2 = session('g2');
const READ: Command = { kind: 'read' };
const LOOK: Command = { kind: 'look', gateway: GATEWAY };
const STATE: Outcome = { kind: 'state' };

/** What is told of a state that this voter accepted at 0. */
function view(
  state: LockState,
  command: Command = READ,
  outcome: Outcome = STATE,
  now = 0,
  own = state,
): ReturnType<typeof viewOf> {
  const register = loadRegister({ ballot: NO_BALLOT, version: 1, state: own }, NO_BALLOT, 0);
  const entry = { register, acquires: 4, conflicts: 3, holds: 2, heldMs: 1 } as unknown as Entry;
  return viewOf(entry, command, { kind: 'decided', outcome, state, events: [], votes: 2 }, now, []);
}

const readers = (count: number): Grant[] =>
  Array.from({ length: count }, (_, i) => held(id(`r${i}`), 'read', i + 1));
const ids = (grants: readonly { readonly lockId: string }[]) => grants.map(({ lockId }) => lockId);

describe('holders', () => {
  test('all of them for a read, the first of them with a refusal', () => {
    const state = scope({ holders: readers(VIEW_HOLDERS_MAX + 5) });
    expect(view(state).holders.length).toBe(VIEW_HOLDERS_MAX + 5);
    const told = view(state, acquire({ mode: 'write' }), { kind: 'busy', position: 1 });
    expect(ids(told.holders)).toEqual(ids(state.holders.slice(0, VIEW_HOLDERS_MAX)));
    expect(told.leftMs.length).toBe(VIEW_HOLDERS_MAX);
  });

  test('an outcome with a grant tells that one only, as the outcome has it', () => {
    const state = scope({ holders: readers(3) });
    const grant = { ...state.holders[1]!, leaseId: lease('newer') };
    expect(view(state, acquire(), { kind: 'extended', grant }).holders).toEqual([grant]);
  });

  test('a look tells those that are unclaimed at that gateway only', () => {
    const holders = [
      unclaimed(waiter(id('a'), 1, { mode: 'read' }), 1),
      unclaimed(waiter(id('b'), 2, { mode: 'read', gateway: G2 }), 2),
      held(id('c'), 'read', 3),
    ];
    expect(ids(view(scope({ holders }), LOOK).holders)).toEqual(['a']);
  });

  test('who sweeps or claims is told of none', () => {
    const state = scope({ holders: readers(2) });
    const command: Command = { kind: 'sweep', session: G2, at: 0 };
    expect(view(state, command, { kind: 'swept' }).holders).toEqual([]);
  });
});

describe('what is left of a lease', () => {
  const one = (more: Partial<Grant>) => scope({ holders: [held(id('a'), 'write', 1, more)] });

  test('by this voter’s clock, in whole milliseconds, never less than nothing', () => {
    const state = one({ leaseMs: 1_000 });
    const left = (now: number) => view(state, READ, STATE, now).leftMs;
    expect([left(0), left(250.7), left(999.5), left(5_000)]).toEqual([[1_000], [749], [0], [0]]);
  });

  test('a lease without an end', () => {
    expect(view(one({ leaseMs: NO_EXPIRY }), READ, STATE, 5_000).leftMs).toEqual([-1]);
  });

  test('a lease that this voter has not accepted, or no longer: all of it', () => {
    const told = one({ leaseMs: 1_000, leaseId: lease('newer') });
    expect(view(told, READ, STATE, 400, one({ leaseMs: 1_000 })).leftMs).toEqual([1_000]);
  });
});

describe('who waits', () => {
  const queue = Array.from({ length: VIEW_WAITERS_MAX + 10 }, (_, i) => waiter(id(`w${i}`), i + 1));
  const long = scope({ holders: [held(id('a'), 'write', 1)], waits: queue });

  test('a read tells the first of them, in order; the count is of all', () => {
    const told = view(long);
    expect(ids(told.waiters)).toEqual(ids(queue.slice(0, VIEW_WAITERS_MAX)));
    expect(told.contention).toEqual({
      acquires: 4,
      conflicts: 3,
      holds: 2,
      heldMs: 1,
      waiters: queue.length,
    });
  });

  test('what is shown of a waiter is what people may see: not the gateway, nor the lease it wants', () => {
    const [told] = view(scope({ waits: [waiter(id('w'), 1, { priority: 'high' })] })).waiters;
    expect(Object.keys(told!).sort()).toEqual([
      'at',
      'holder',
      'lockId',
      'mode',
      'priority',
      'reason',
      'session',
    ]);
  });

  test('others are not told', () => {
    for (const command of [acquire(), LOOK]) expect(view(long, command).waiters).toEqual([]);
  });

  test('a look tells the places at that gateway, all of them, by their positions among all', () => {
    const waits = [
      waiter(id('low'), 1, { priority: 'low' }),
      waiter(id('theirs'), 2, { gateway: G2 }),
      waiter(id('high'), 3, { priority: 'high' }),
      waiter(id('kept'), 4),
    ];
    expect(view(scope({ waits }), LOOK).places).toEqual([
      ['high', 1],
      ['kept', 3],
      ['low', 4],
    ]);
    expect(view(long, LOOK).places.length).toBe(queue.length);
    expect(view(scope({ waits }), READ).places).toEqual([]);
    expect(view(scope({ parked: waits }), LOOK).places).toEqual([]);
  });
});
