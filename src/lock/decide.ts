/**
 * The rules of one scope: what a command comes to in a state, and which events it causes.
 * Pure and total. Rules L1 to L10 of ARCHITECTURE.md; each row below says which. After the events of a row come those
 * that the new state calls for by itself (settle.ts).
 *
 *   row  command  guard                                    events              outcome
 *   (acquire and convert: acquire.ts, convert.ts)
 *   K1   claim    unclaimed at this gateway                claimed             granted                 T4
 *   K2   claim    the lock id holds otherwise              -                   granted (repeat)        T4
 *   K3   claim    it waits or is parked                    -                   queued
 *   K4   claim    it is retired; unknown                   -                   ended; not_found
 *   R1   release  for a gateway, not unclaimed there       -                   granted (repeat)        T4
 *   R2   release  the lock id holds                        ended               released                L6
 *   R3   release  it waits or is parked                    -                   queued
 *   R4   release  it was released, or forced likewise      -                   released (repeat)       L6
 *   R5   release  it is retired otherwise; unknown         -                   ended; not_found
 *   X1   extend   the lock id holds                        extended            extended                L6 T4
 *   X2   extend   it is retired; otherwise                 -                   ended; not_found
 *   C1   cancel   an upgrade from the token that it names  upgrading(none)     cancelled               L9
 *   C2   cancel   an upgrade, otherwise                    -                   as the lock is
 *   C3   cancel   the lock id holds                        -                   granted (repeat)        L4
 *   C4   cancel   it waits, at another gateway             -                   queued                  L4
 *   C5   cancel   it waits or is parked; unknown           ended(cancelled)    cancelled               L4
 *   C6   cancel   it was cancelled                         -                   cancelled               L4
 *   C7   cancel   it is retired otherwise                  -                   ended
 *   P1   park     it waits or is unclaimed there           parked              parked                  T4
 *   P2   park     it is parked                             -                   parked
 *   P3   park     the lock id holds; waits; ended; else    -                   granted, queued, ended, not_found
 *   Q1   reap     it is parked                             ended(cancelled)    cancelled
 *   Q2   reap     otherwise                                -                   not_found
 *   E1   expire   that lease, unclaimed                    deserted            expired                 T3 T4
 *   E2   expire   that lease                               ended(expired)      expired                 T3
 *   E3   expire   otherwise                                -                   not_found               T3
 *   W    sweep    always                                   ended.. deserted    swept                   T5 T6
 *   S    read, look                                        -                   state
 */
import { acquire } from './acquire.ts';
import type { Cancel, Claim, Command, Extend, Outcome, Park, Release, Sweep } from './command.ts';
import { convert } from './convert.ts';
import { evolveAll, type LockEvent, placesOf } from './event.ts';
import { aheadOf, everybody, findWaiter } from './queue.ts';
import { settling } from './settle.ts';
import {
  findGrant,
  findParked,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  NO_EXPIRY,
  type SessionId,
  type Waiter,
} from './state.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly events: readonly LockEvent[];
  /** What the events make of the state, if it had to be known to decide. */
  readonly after?: LockState;
}

const NO_EVENTS: readonly LockEvent[] = [];
const NOT_FOUND: Decision = { outcome: { kind: 'not_found' }, events: NO_EVENTS };
const CANCELLED: Decision = { outcome: { kind: 'cancelled' }, events: NO_EVENTS };
const PARKED: Decision = { outcome: { kind: 'parked' }, events: NO_EVENTS };
const STATE: Decision = { outcome: { kind: 'state' }, events: NO_EVENTS };

/**
 * Decides one command.
 * @param leaseId names a lease that this change sets: unique to the change, for ever.
 */
export function decide(state: LockState, command: Command, leaseId: LeaseId): Decision {
  switch (command.kind) {
    case 'acquire':
      return settled(state, acquire(state, command, leaseId), leaseId, command.at);
    case 'convert': {
      const held = findGrant(state, command.lockId);
      if (held === undefined) return elsewhere(state, command.lockId);
      return settled(state, convert(state, command, held), leaseId, command.at);
    }
    case 'claim':
      return claim(state, command, leaseId);
    case 'extend':
      return extend(state, command, leaseId);
    case 'release':
      return settled(state, release(state, command), leaseId, command.at);
    case 'cancel':
      return settled(state, cancel(state, command), leaseId, command.at);
    case 'park':
      return settled(state, park(state, command), leaseId, command.at);
    case 'reap': {
      if (findParked(state, command.lockId) === undefined) return NOT_FOUND;
      return { outcome: CANCELLED.outcome, events: [ending(command.lockId, 'cancelled')] };
    }
    case 'expire': {
      const held = findGrant(state, command.lockId);
      if (held?.leaseId !== command.leaseId) return NOT_FOUND;
      const event: LockEvent =
        held.unclaimed === null
          ? ending(held.lockId, 'expired')
          : { kind: 'deserted', gateway: held.unclaimed.gateway };
      return settled(state, { outcome: { kind: 'expired' }, events: [event] }, leaseId, command.at);
    }
    case 'sweep':
      return settled(state, sweep(state, command), leaseId, command.at);
    case 'read':
    case 'look':
      return STATE;
  }
}

/** With the events that the new state calls for. */
function settled(state: LockState, decision: Decision, leaseId: LeaseId, at: number): Decision {
  if (decision.events.length === 0) return decision;
  const { outcome, events } = decision;
  const after = evolveAll(state, events);
  const more = settling(after, leaseId, at);
  if (more.length === 0) return { outcome, events, after };
  return { outcome, events: [...events, ...more], after: evolveAll(after, more) };
}

function claim(state: LockState, command: Claim, leaseId: LeaseId): Decision {
  const { lockId, at } = command;
  const held = findGrant(state, lockId);
  if (held === undefined) return elsewhere(state, lockId);
  const { unclaimed } = held;
  if (unclaimed === null || unclaimed.gateway !== command.gateway) return repeated(held);
  const grant: Grant = { ...held, leaseMs: unclaimed.leaseMs, leaseId, at, unclaimed: null };
  return {
    outcome: { kind: 'granted', grant, repeat: false },
    events: [{ kind: 'claimed', lockId, leaseId, at }],
  };
}

function release(state: LockState, command: Release): Decision {
  const { lockId, gateway, force } = command;
  const held = findGrant(state, lockId);
  if (held !== undefined) {
    if (gateway !== null && held.unclaimed?.gateway !== gateway) return repeated(held);
    const event: LockEvent =
      force === null
        ? ending(lockId, 'released')
        : { kind: 'ended', lockId, ending: 'forced', note: `${force.by}: ${force.reason}` };
    return { outcome: { kind: 'released', token: held.token, repeat: false }, events: [event] };
  }
  const old = state.retired.find(lockId);
  if (old?.ending === 'released' || (force !== null && old?.ending === 'forced'))
    return unchanged({ kind: 'released', token: old.token, repeat: true });
  return elsewhere(state, lockId);
}

function extend(state: LockState, command: Extend, leaseId: LeaseId): Decision {
  const held = findGrant(state, command.lockId);
  if (held === undefined) return ended(state, command.lockId) ?? NOT_FOUND;
  const leaseMs = command.replaces === held.leaseId ? command.leaseMs : longer(held.leaseMs, command.leaseMs);
  return {
    outcome: { kind: 'extended', grant: { ...held, leaseMs, leaseId, unclaimed: null } },
    events: [{ kind: 'extended', lockId: held.lockId, leaseMs, leaseId }],
  };
}

function cancel(state: LockState, command: Cancel): Decision {
  const { lockId, gateway, token } = command;
  const held = findGrant(state, lockId);
  if (token !== 0) {
    if (held === undefined) return ended(state, lockId) ?? NOT_FOUND;
    if (state.upgrade?.lockId !== lockId || held.token !== token) return repeated(held);
    return { outcome: CANCELLED.outcome, events: [{ kind: 'upgrading', upgrade: null }] };
  }
  if (held !== undefined) return repeated(held);
  const waiter = findWaiter(state.queue, lockId);
  if (waiter !== undefined && gateway !== null && waiter.gateway !== gateway) return queued(state, waiter);
  if (state.retired.find(lockId)?.ending === 'cancelled') return CANCELLED;
  return ended(state, lockId) ?? { outcome: CANCELLED.outcome, events: [ending(lockId, 'cancelled')] };
}

function park(state: LockState, { lockId, gateway }: Park): Decision {
  const held = findGrant(state, lockId);
  const waiter = held === undefined ? findWaiter(state.queue, lockId) : (held.unclaimed ?? undefined);
  if (waiter?.gateway === gateway) {
    return { outcome: PARKED.outcome, events: [{ kind: 'parked', lockId }] };
  }
  if (held !== undefined) return repeated(held);
  if (findParked(state, lockId) !== undefined) return PARKED;
  return elsewhere(state, lockId);
}

function sweep(state: LockState, { session }: Sweep): Decision {
  const events: LockEvent[] = [];
  for (const held of state.holders) if (held.session === session) events.push(ending(held.lockId, 'crashed'));
  for (const waiter of placesOf(state, session)) events.push(ending(waiter.lockId, 'crashed'));
  if (isNamedAt(state, session)) events.push({ kind: 'deserted', gateway: session });
  return { outcome: { kind: 'swept' }, events };
}

/** Whether anybody waits at this gateway, or is unclaimed there. */
export function isNamedAt(state: LockState, gateway: SessionId): boolean {
  if (state.upgrade?.gateway === gateway) return true;
  for (const held of state.holders) if (held.unclaimed?.gateway === gateway) return true;
  for (const waiter of everybody(state.queue)) if (waiter.gateway === gateway) return true;
  return false;
}

/** Whether this lock id holds, waits or is parked here and lives with this session. */
export function isSessionHere(state: LockState, lockId: LockId, session: SessionId): boolean {
  const known = findGrant(state, lockId) ?? findWaiter(state.queue, lockId) ?? findParked(state, lockId);
  return known?.session === session;
}

function longer(a: number, b: number): number {
  return a === NO_EXPIRY || b === NO_EXPIRY ? NO_EXPIRY : Math.max(a, b);
}

function ending(lockId: LockId, why: 'released' | 'expired' | 'cancelled' | 'crashed'): LockEvent {
  return { kind: 'ended', lockId, ending: why, note: null };
}

/** What a lock id that does not hold comes to. */
function elsewhere(state: LockState, lockId: LockId): Decision {
  const waiter = findWaiter(state.queue, lockId) ?? findParked(state, lockId);
  if (waiter !== undefined) return queued(state, waiter);
  return ended(state, lockId) ?? NOT_FOUND;
}

function queued(state: LockState, waiter: Waiter): Decision {
  return unchanged({ kind: 'queued', position: 1 + aheadOf(state.queue, waiter.priority, waiter.arrival) });
}

function repeated(grant: Grant): Decision {
  return unchanged({ kind: 'granted', grant, repeat: true });
}

function ended(state: LockState, lockId: LockId): Decision | undefined {
  const old = state.retired.find(lockId);
  if (old === undefined) return undefined;
  return unchanged({ kind: 'ended', ending: old.ending, token: old.token, note: old.note });
}

function unchanged(outcome: Outcome): Decision {
  return { outcome, events: NO_EVENTS };
}
