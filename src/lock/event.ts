/**
 * What happened to one scope. Events are the one source of replication, audit and figures: a state is what its
 * events made of it, and an event carries all that `evolve` needs.
 */
import { everybody, findWaiter, join, leave, overtake } from './queue.ts';
import {
  type Ending,
  type FencingToken,
  findGrant,
  findParked,
  type Grant,
  type LeaseId,
  type LockId,
  type LockMode,
  type LockState,
  NO_EXPIRY,
  NO_TOKEN,
  newGrant,
  type SessionId,
  type Upgrade,
  type Waiter,
} from './state.ts';
import { remove, set, values } from './tree.ts';

export type LockEvent =
  /** Granted as it asked. */
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'queued'; readonly waiter: Waiter }
  /** A waiter was granted. */
  | {
      readonly kind: 'promoted';
      readonly lockId: LockId;
      readonly token: FencingToken;
      /** Of a semaphore; else 0. */
      readonly slot: number;
      readonly leaseId: LeaseId;
      /** Where its client waits, to be told. */
      readonly gateway: SessionId;
      readonly at: number;
    }
  /** A promotion was claimed: the lease that was wanted begins. */
  | { readonly kind: 'claimed'; readonly lockId: LockId; readonly leaseId: LeaseId; readonly at: number }
  | {
      readonly kind: 'extended';
      readonly lockId: LockId;
      readonly leaseMs: number;
      readonly leaseId: LeaseId;
    }
  | {
      readonly kind: 'converted';
      readonly lockId: LockId;
      readonly mode: LockMode;
      readonly token: FencingToken;
      /** Where its client waits, to be told; null if it did not wait. */
      readonly gateway: SessionId | null;
    }
  /** A reader waits to be the only one; null: it does no longer. */
  | { readonly kind: 'upgrading'; readonly upgrade: Upgrade | null }
  /** Who waits, is kept a place or is unclaimed under this lock id now waits at another gateway. */
  | {
      readonly kind: 'moved';
      readonly lockId: LockId;
      readonly gateway: SessionId;
      readonly repeat: number;
    }
  /** Out of the queue, or unclaimed, into a kept place. */
  | { readonly kind: 'parked'; readonly lockId: LockId }
  /** All that wait or are unclaimed at this gateway are parked: it is dead, or was too slow to claim. */
  | { readonly kind: 'deserted'; readonly gateway: SessionId }
  /** The lock id is retired: its lock ended, or (token 0) it never held. */
  | {
      readonly kind: 'ended';
      readonly lockId: LockId;
      readonly ending: Ending;
      readonly note: string | null;
    };

type Promoted = LockEvent & { readonly kind: 'promoted' };

/** The state after one event. Total: an event about a lock id that is not there changes nothing, but `ended` retires it. */
export function evolve(state: LockState, event: LockEvent): LockState {
  switch (event.kind) {
    case 'granted':
      return grant(state, event.grant, state.arrivals + 1);
    case 'queued':
      return {
        ...state,
        queue: join(state.queue, event.waiter),
        arrivals: Math.max(state.arrivals, event.waiter.arrival),
      };
    case 'promoted':
      return promote(state, [event]);
    case 'claimed':
      return change(state, event.lockId, (held) => ({
        ...held,
        leaseMs: held.unclaimed?.leaseMs ?? held.leaseMs,
        leaseId: event.leaseId,
        at: event.at,
        unclaimed: null,
      }));
    case 'extended':
      return change(state, event.lockId, (held) => ({
        ...held,
        leaseMs: event.leaseMs,
        leaseId: event.leaseId,
        unclaimed: null,
      }));
    case 'converted': {
      const converted = change(state, event.lockId, (held) => ({
        ...held,
        mode: event.mode,
        token: event.token,
        former: held.token,
      }));
      return { ...converted, token: event.token, upgrade: event.mode === 'write' ? null : state.upgrade };
    }
    case 'upgrading':
      return { ...state, upgrade: event.upgrade };
    case 'moved':
      return move(state, event.lockId, event.gateway, event.repeat);
    case 'parked': {
      const waiter = findWaiter(state.queue, event.lockId);
      if (waiter !== undefined) {
        return {
          ...state,
          queue: leave(state.queue, waiter),
          parked: set(state.parked, waiter.lockId, waiter),
        };
      }
      return giveBack(state, (held) => held.lockId === event.lockId);
    }
    case 'deserted': {
      let { queue, parked } = state;
      for (const waiter of everybody(queue)) {
        if (waiter.gateway !== event.gateway) continue;
        queue = leave(queue, waiter);
        parked = set(parked, waiter.lockId, waiter);
      }
      const gone = state.upgrade?.gateway === event.gateway;
      const rest = { ...state, queue, parked, upgrade: gone ? null : state.upgrade };
      return giveBack(rest, (held) => held.unclaimed?.gateway === event.gateway);
    }
    case 'ended':
      return retire(state, event.lockId, event.ending, event.note);
  }
}

/** Applies events in order. Promotions in a row are applied at once: a writer may give way to thousands of readers. */
export function evolveAll(state: LockState, events: readonly LockEvent[]): LockState {
  let next = state;
  for (let i = 0; i < events.length; ) {
    const event = events[i]!;
    if (event.kind !== 'promoted') {
      next = evolve(next, event);
      i++;
      continue;
    }
    const row: Promoted[] = [];
    for (; i < events.length && events[i]!.kind === 'promoted'; i++) row.push(events[i] as Promoted);
    next = promote(next, row);
  }
  return next;
}

function promote(state: LockState, row: readonly Promoted[]): LockState {
  let { queue, token, arrivals } = state;
  const granted: Grant[] = [];
  for (const event of row) {
    const waiter = findWaiter(queue, event.lockId);
    if (waiter === undefined) continue;
    queue = overtake(leave(queue, waiter), waiter.arrival);
    arrivals = Math.max(arrivals, waiter.arrival);
    token = event.token;
    granted.push(promotion(waiter, event));
  }
  if (granted.length === 0) return state;
  return { ...state, token, queue, arrivals, holders: [...state.holders, ...granted] };
}

/**
 * The grant that a waiter becomes. Without a client session nobody may know of it yet, so its lease is the time in
 * which it must be claimed; so it is for a lease without an end, which nothing but its session would ever end.
 */
function promotion(waiter: Waiter, event: Promoted): Grant {
  const { session, mode, leaseMs, claimMs } = waiter;
  const claimed = session !== null && leaseMs !== NO_EXPIRY;
  const { token, slot, leaseId, at } = event;
  const its = claimed ? leaseMs : claimMs;
  return newGrant(waiter, mode, token, slot, its, leaseId, at, claimed ? null : waiter);
}

/** @param arrival counts as overtaking for whoever came before and still waits. */
function grant(state: LockState, granted: Grant, arrival: number): LockState {
  const { holders, parked, upgrade, retired, retirements } = state;
  const alone = state.queue.byId === undefined;
  return {
    token: granted.token,
    holders: holders.length === 0 ? [granted] : [...holders, granted],
    queue: overtake(state.queue, arrival),
    parked,
    upgrade,
    arrivals: alone ? state.arrivals : Math.max(state.arrivals, arrival),
    retired,
    retirements,
  };
}

function change(state: LockState, lockId: LockId, to: (held: Grant) => Grant): LockState {
  const at = state.holders.findIndex((held) => held.lockId === lockId);
  if (at < 0) return state;
  const holders = state.holders.slice();
  holders[at] = to(holders[at]!);
  return { ...state, holders };
}

function move(state: LockState, lockId: LockId, gateway: SessionId, repeat: number): LockState {
  const moved = (waiter: Waiter): Waiter => ({ ...waiter, gateway, repeat });
  const waiter = findWaiter(state.queue, lockId);
  if (waiter !== undefined) return { ...state, queue: join(state.queue, moved(waiter)) };
  const parked = findParked(state, lockId);
  if (parked !== undefined) {
    return {
      ...state,
      queue: join(state.queue, moved(parked)),
      parked: remove(state.parked, lockId),
    };
  }
  return change(state, lockId, (held) =>
    held.unclaimed === null ? held : { ...held, unclaimed: moved(held.unclaimed) },
  );
}

/** Unclaimed grants go back to the places that they came from, as kept ones. */
function giveBack(state: LockState, which: (held: Grant) => boolean): LockState {
  let { parked } = state;
  const holders: Grant[] = [];
  for (const held of state.holders) {
    if (held.unclaimed !== null && which(held)) parked = set(parked, held.lockId, held.unclaimed);
    else holders.push(held);
  }
  return holders.length === state.holders.length ? state : { ...state, holders, parked };
}

function retire(state: LockState, lockId: LockId, ending: Ending, note: string | null): LockState {
  const held = findGrant(state, lockId);
  const waiter = held === undefined ? findWaiter(state.queue, lockId) : undefined;
  return {
    token: state.token,
    holders: held === undefined ? state.holders : state.holders.filter((grant) => grant !== held),
    queue: waiter === undefined ? state.queue : leave(state.queue, waiter),
    parked: remove(state.parked, lockId),
    upgrade: state.upgrade?.lockId === lockId ? null : state.upgrade,
    arrivals: state.arrivals,
    retired: state.retired.with(lockId, ending, held?.token ?? NO_TOKEN, note),
    retirements: state.retirements + 1,
  };
}

/** Everybody who waits or is kept a place at this gateway or with this session. */
export function* placesOf(state: LockState, session: SessionId): Generator<Waiter> {
  for (const waiter of everybody(state.queue)) if (waiter.session === session) yield waiter;
  for (const waiter of values(state.parked)) if (waiter.session === session) yield waiter;
}
