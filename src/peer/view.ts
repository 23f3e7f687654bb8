/**
 * What an answer tells of the scope besides the outcome.
 */
import type { Command } from '../lock/command.ts';
import { inOrder, lengthOf, type Queue } from '../lock/queue.ts';
import {
  findGrant,
  type Grant,
  type LockId,
  type LockState,
  NO_EXPIRY,
  type SessionId,
} from '../lock/state.ts';
import type { Settlement } from '../vote/task.ts';
import { VIEW_HOLDERS_MAX, VIEW_WAITERS_MAX } from './limits.ts';
import type { SessionEntry, View, WaiterView } from './messages.ts';
import type { Entry } from './scopes.ts';

type Decided = Settlement & { readonly kind: 'decided' };

/** @param entries the locks and places of the session, if the scope is one's register. */
export function viewOf(
  entry: Entry,
  command: Command,
  settlement: Decided,
  now: number,
  entries: readonly SessionEntry[],
): View {
  const { state } = settlement;
  const holders = holdersFor(command, settlement);
  return {
    token: state.token,
    retirements: state.retirements,
    holders,
    leftMs: holders.map((grant) => leftOf(entry, grant, now)),
    waiters: command.kind === 'read' ? waitersOf(state) : NONE,
    places: command.kind === 'look' ? placesAt(state.queue, command.gateway) : NONE,
    entries,
    contention: {
      acquires: entry.acquires,
      conflicts: entry.conflicts,
      holds: entry.holds,
      heldMs: entry.heldMs,
      waiters: lengthOf(state.queue) + (state.upgrade === null ? 0 : 1),
    },
  };
}

const NONE: readonly never[] = [];

function holdersFor(command: Command, { outcome, state }: Decided): readonly Grant[] {
  if ('grant' in outcome) return [outcome.grant];
  switch (command.kind) {
    case 'read':
      return state.holders;
    case 'look':
      return state.holders.filter((grant) => grant.unclaimed?.gateway === command.gateway);
    case 'acquire':
    case 'convert':
    case 'cancel':
    case 'release':
      return state.holders.length > VIEW_HOLDERS_MAX
        ? state.holders.slice(0, VIEW_HOLDERS_MAX)
        : state.holders;
    default:
      return NONE;
  }
}

/** What is left of a lease by this voter's clock; -1: it never ends. */
function leftOf({ register }: Entry, grant: Grant, now: number): number {
  if (grant.leaseMs === NO_EXPIRY) return -1;
  const at = register.state.holders.findIndex(
    (known) => known.lockId === grant.lockId && known.leaseId === grant.leaseId,
  );
  const age = at < 0 ? 0 : now - register.noted[at]!;
  return Math.max(0, Math.floor(grant.leaseMs - age));
}

/** A reader that waits to write is ahead of the queue. */
function waitersOf(state: LockState): WaiterView[] {
  const waiters = inOrder(state.queue, VIEW_WAITERS_MAX).map(shown);
  const reader = state.upgrade === null ? undefined : findGrant(state, state.upgrade.lockId);
  return reader === undefined ? waiters : [{ ...shown(reader), mode: 'write' }, ...waiters];
}

function shown({ lockId, holder, mode, priority, reason, at, session }: WaiterView): WaiterView {
  return { lockId, holder, mode, priority, reason, at, session };
}

function placesAt(queue: Queue, gateway: SessionId): (readonly [LockId, number])[] {
  const places: (readonly [LockId, number])[] = [];
  for (const [i, waiter] of inOrder(queue, lengthOf(queue)).entries()) {
    if (waiter.gateway === gateway) places.push([waiter.lockId, i + 1]);
  }
  return places;
}
