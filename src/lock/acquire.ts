/**
 * What an acquire comes to (L1, L2, L4, L5, L7, L10).
 *
 *   row  guard                                              events           outcome
 *   A1   the lock id holds, same client and session         (moved)          granted (repeat)        L4
 *   A2   the lock id waits, same client and session         (moved)          queued, or elsewhere    L4 T6
 *   A3   the lock id is parked, same, and it shall wait     moved            queued, or granted      L4
 *   A4   the lock id is parked, same, and shall not wait    -                queued
 *   A5   the lock id holds, waits or is parked otherwise    -                mismatch                L4
 *   A6   the lock id is retired                             -                ended                   L4
 *   A7   seen is more than the ring behind                  -                stale                   L4
 *   A8   it is a semaphore, or one of others, or none       -                misfit                  L10
 *   A9   the holder name holds in this or a stronger mode   -                already_held            L5
 *   A10  the holder name holds in a weaker mode             -                deadlock                L5
 *   A11  compatible, not too many, and nobody is ahead      granted          granted                 L1 L2 L7
 *   A12  shall not wait                                     -                busy
 *   A13  too many wait                                      -                full
 *   A14  otherwise                                          queued           queued                  L2
 *
 * (moved): only by who would wait, at another gateway or with a later repeat, and not by what a gateway asks again
 * of itself: two gateways would pull one place back and forth (T6).
 */
import type { Acquire, Outcome } from './command.ts';
import type { Decision } from './decide.ts';
import { evolve, evolveAll, type LockEvent } from './event.ts';
import { aheadOf, findWaiter, lengthOf } from './queue.ts';
import { RETIRED_RING } from './ring.ts';
import { settling } from './settle.ts';
import {
  type FencingToken,
  findGrant,
  findParked,
  type Grant,
  hasRoom,
  type LeaseId,
  type LockState,
  newGrant,
  permitsOf,
  slotsOf,
  takeSlot,
  WAITERS_MAX,
  type Waiter,
} from './state.ts';
import { sizeOf } from './tree.ts';

const NO_EVENTS: readonly LockEvent[] = [];

export function acquire(state: LockState, command: Acquire, leaseId: LeaseId): Decision {
  const { lockId } = command;
  const own = findGrant(state, lockId);
  if (own !== undefined) {
    if (!isSame(own, command)) return unchanged({ kind: 'mismatch' });
    const move = own.unclaimed === null ? NO_EVENTS : moving(own.unclaimed, command);
    const grant =
      move.length === 0
        ? own
        : { ...own, unclaimed: { ...own.unclaimed!, gateway: command.gateway, repeat: command.repeat } };
    return { outcome: { kind: 'granted', grant, repeat: true }, events: move };
  }
  const waiter = findWaiter(state.queue, lockId);
  if (waiter !== undefined) {
    if (!isSame(waiter, command)) return unchanged({ kind: 'mismatch' });
    const move = moving(waiter, command);
    const here = move.length > 0 || waiter.gateway === command.gateway;
    const outcome = queuedAt(state, waiter);
    return { outcome: here ? outcome : { ...outcome, kind: 'elsewhere' }, events: move };
  }
  const parked = findParked(state, lockId);
  if (parked !== undefined) {
    if (!isSame(parked, command)) return unchanged({ kind: 'mismatch' });
    return command.wait ? adopt(state, command, parked, leaseId) : unchanged(queuedAt(state, parked));
  }
  const old = state.retired.find(lockId);
  if (old !== undefined) {
    return unchanged({ kind: 'ended', ending: old.ending, token: old.token, note: old.note });
  }
  if (state.retirements - command.seen > RETIRED_RING) return unchanged({ kind: 'stale' });
  const permits = permitsOf(state);
  if (permits !== undefined && permits !== command.permits) return unchanged({ kind: 'misfit', permits });
  for (const grant of state.holders) {
    if (grant.holder !== command.holder || grant.mode === 'permit') continue;
    const enough = grant.mode === 'write' || command.mode === 'read';
    return unchanged({ kind: enough ? 'already_held' : 'deadlock', grant });
  }
  return enter(state, command, leaseId);
}

/** A lock id that the scope does not know yet. */
function enter(state: LockState, command: Acquire, leaseId: LeaseId): Decision {
  const arrival = state.arrivals + 1;
  const ahead = aheadOf(state.queue, command.priority, arrival);
  const { holders } = state;
  if (ahead === 0 && state.upgrade === null && hasRoom(command, holders[0]?.mode, holders.length)) {
    const grant = grantOf(state, command, leaseId);
    return { outcome: { kind: 'granted', grant, repeat: false }, events: [{ kind: 'granted', grant }] };
  }
  if (!command.wait) return unchanged({ kind: 'busy', position: ahead + 1 });
  if (isFull(state)) return unchanged({ kind: 'full' });
  const waiter = waiterOf(command, arrival);
  return { outcome: { kind: 'queued', position: ahead + 1 }, events: [{ kind: 'queued', waiter }] };
}

/** Who is unclaimed may yet come back to a kept place, and counts as one who waits. */
function isFull({ queue, parked, holders }: LockState): boolean {
  let places = lengthOf(queue) + sizeOf(parked);
  if (places + holders.length < WAITERS_MAX) return false;
  for (const { unclaimed } of holders) if (unclaimed !== null) places++;
  return places >= WAITERS_MAX;
}

/** Back into the queue at its own place; that may be the place of whoever can be granted now. */
function adopt(state: LockState, command: Acquire, parked: Waiter, leaseId: LeaseId): Decision {
  const { lockId, gateway } = command;
  const repeat = Math.max(command.repeat, parked.repeat);
  const events: LockEvent[] = [{ kind: 'moved', lockId, gateway, repeat }];
  let after = evolve(state, events[0]!);
  after = evolveAll(after, settling(after, leaseId, command.at));
  const grant = findGrant(after, lockId);
  if (grant !== undefined) return { outcome: { kind: 'granted', grant, repeat: true }, events };
  return { outcome: queuedAt(after, parked), events };
}

/** A client without a name gets a new made-up one at each gateway; its lock id alone proves who it is. */
function isSame(known: Grant | Waiter, command: Acquire): boolean {
  return known.session === command.session && (!command.named || known.holder === command.holder);
}

function moving(waiter: Waiter, { lockId, gateway, repeat, wait, again }: Acquire): readonly LockEvent[] {
  const stays = gateway === waiter.gateway ? repeat === waiter.repeat : again;
  if (!wait || stays || repeat < waiter.repeat) return NO_EVENTS;
  return [{ kind: 'moved', lockId, gateway, repeat }];
}

function queuedAt(state: LockState, { priority, arrival }: Waiter): Outcome & { readonly kind: 'queued' } {
  return { kind: 'queued', position: 1 + aheadOf(state.queue, priority, arrival) };
}

function grantOf(state: LockState, command: Acquire, leaseId: LeaseId): Grant {
  const { mode, leaseMs, at } = command;
  const token = (state.token + 1) as FencingToken;
  const slot = mode === 'permit' ? takeSlot(slotsOf(state.holders)) : 0;
  return newGrant(command, mode, token, slot, leaseMs, leaseId, at, null);
}

/** Written out, as `newGrant` is. */
function waiterOf(command: Acquire, arrival: number): Waiter {
  const { lockId, holder, named, priority, reason, session, ttlMs, permits } = command;
  const { mode, leaseMs, claimMs, gateway, repeat, at } = command;
  return {
    lockId,
    holder,
    named,
    priority,
    reason,
    session,
    ttlMs,
    permits,
    mode,
    leaseMs,
    claimMs,
    gateway,
    repeat,
    at,
    arrival,
  };
}

function unchanged(outcome: Outcome): Decision {
  return { outcome, events: NO_EVENTS };
}
