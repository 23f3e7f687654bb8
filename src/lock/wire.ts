/**
 * States, grants and waiters as positional arrays of plain values, and back.
 * Always true: decoding what was encoded gives the same value; whatever else is decoded is a valid value or a
 * WireError; equal states give equal arrays. Kinds and positions are only ever appended, and decoders take longer
 * arrays than they know, so that peers of two versions share a mesh, and a disk outlives a version.
 */
import { flag, LOCK_ID_CHARS_MAX, list, NOTE_CHARS_MAX, natural, text, upTo, WireError } from './plain.ts';
import { everybody, join, NOBODY, PASSED_MAX, type Queue } from './queue.ts';
import { RETIRED_RING, Ring } from './ring.ts';
import {
  type Claimant,
  EMPTY,
  type FencingToken,
  type Grant,
  type LockId,
  type LockState,
  type Mode,
  type Retired,
  slotsOf,
  type Upgrade,
  WAITERS_MAX,
  type Waiter,
} from './state.ts';
import { set, type Tree, values } from './tree.ts';
import {
  COMMA,
  endingFromWire,
  endingToWire,
  holderFromWire,
  leaseIdFromWire,
  lockIdFromWire,
  modeToWire,
  priorityFromWire,
  priorityToWire,
  reasonFromWire,
  sessionFromWire,
  sessionIdFromWire,
  tokenFromWire,
  wishFromWire,
} from './wire-words.ts';

/** Places of one scope, waiting, kept or unclaimed, that are taken; a version may admit fewer. */
const PLACES_MAX = 2 * WAITERS_MAX;

// --- waiters and grants ---

export function waiterToWire(w: Waiter): unknown[] {
  return [
    w.lockId,
    w.holder,
    w.named,
    modeToWire(w.mode),
    priorityToWire(w.priority),
    w.leaseMs,
    w.claimMs,
    w.gateway,
    w.repeat,
    w.at,
    w.arrival,
    w.reason,
    w.session,
    w.ttlMs,
    ...(w.permits === 0 ? [] : [w.permits]),
  ];
}

export function waiterFromWire(u: unknown): Waiter {
  const a = list(u, 14, 'waiter');
  return {
    lockId: lockIdFromWire(a[0], 'waiter.lockId'),
    holder: holderFromWire(a[1], 'waiter.holder'),
    named: flag(a[2], 'waiter.named'),
    priority: priorityFromWire(a[4], 'waiter.priority'),
    reason: reasonFromWire(a[11], 'waiter.reason'),
    session: sessionFromWire(a[12], 'waiter.session'),
    ttlMs: natural(a[13], 'waiter.ttlMs'),
    ...wishFromWire(a[3], a[14], 'waiter.mode', 'waiter.permits'),
    leaseMs: natural(a[5], 'waiter.leaseMs'),
    claimMs: natural(a[6], 'waiter.claimMs'),
    gateway: sessionIdFromWire(a[7], 'waiter.gateway'),
    repeat: natural(a[8], 'waiter.repeat'),
    at: natural(a[9], 'waiter.at'),
    arrival: natural(a[10], 'waiter.arrival'),
  };
}

/** Of an unclaimed grant's waiter only what the grant does not say itself. */
export function grantToWire(g: Grant): unknown[] {
  const w = g.unclaimed;
  return [
    g.lockId,
    g.holder,
    g.named,
    modeToWire(g.mode),
    priorityToWire(g.priority),
    g.token,
    g.former,
    g.leaseMs,
    g.leaseId,
    g.at,
    g.reason,
    g.session,
    g.ttlMs,
    w === null ? null : [w.leaseMs, w.claimMs, w.gateway, w.repeat, w.at, w.arrival],
    ...(g.permits === 0 ? [] : [g.permits, g.slot]),
  ];
}

export function grantFromWire(u: unknown): Grant {
  const a = list(u, 14, 'grant');
  const lockId = lockIdFromWire(a[0], 'grant.lockId');
  const holder = holderFromWire(a[1], 'grant.holder');
  const named = flag(a[2], 'grant.named');
  const { mode, permits } = wishFromWire(a[3], a[14], 'grant.mode', 'grant.permits');
  const priority = priorityFromWire(a[4], 'grant.priority');
  const reason = reasonFromWire(a[10], 'grant.reason');
  const session = sessionFromWire(a[11], 'grant.session');
  const ttlMs = natural(a[12], 'grant.ttlMs');
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
    token: tokenFromWire(a[5], 'grant.token'),
    slot: permits === 0 ? 0 : upTo(a[15], permits - 1, 'grant.slot'),
    former: tokenFromWire(a[6], 'grant.former'),
    leaseMs: natural(a[7], 'grant.leaseMs'),
    leaseId: leaseIdFromWire(a[8], 'grant.leaseId'),
    at: natural(a[9], 'grant.at'),
    unclaimed:
      a[13] === null
        ? null
        : unclaimedFromWire(
            a[13],
            { lockId, holder, named, priority, reason, session, ttlMs, permits },
            mode,
          ),
  };
}

function unclaimedFromWire(u: unknown, claimant: Claimant, mode: Mode): Waiter {
  const a = list(u, 6, 'grant.unclaimed');
  return {
    ...claimant,
    mode,
    leaseMs: natural(a[0], 'unclaimed.leaseMs'),
    claimMs: natural(a[1], 'unclaimed.claimMs'),
    gateway: sessionIdFromWire(a[2], 'unclaimed.gateway'),
    repeat: natural(a[3], 'unclaimed.repeat'),
    at: natural(a[4], 'unclaimed.at'),
    arrival: natural(a[5], 'unclaimed.arrival'),
  };
}

export function grantsFromWire(u: unknown, field: string): Grant[] {
  const a = list(u, 0, field);
  const grants: Grant[] = [];
  for (let i = 0; i < a.length; i++) grants.push(grantFromWire(a[i]));
  return grants;
}

// --- states ---

/** Null is the scope that nobody ever touched. The ring goes in columns: one long text is cheaper than 64 short. */
export function stateToWire(state: LockState): unknown[] | null {
  if (state === EMPTY) return null;
  const { retired, upgrade } = state;
  let ids = '';
  const endings: number[] = [];
  const tokens: number[] = [];
  const notes: unknown[] = [];
  for (const { lockId, ending, token, note } of retired) {
    if (note !== null) notes.push(tokens.length, note);
    ids = tokens.length === 0 ? lockId : ids + COMMA + lockId;
    endings.push(endingToWire(ending));
    tokens.push(token);
  }
  return [
    state.token,
    state.retirements,
    state.holders.map(grantToWire),
    ids,
    endings,
    tokens,
    notes,
    state.arrivals,
    waitersToWire(everybody(state.queue)),
    state.queue.passed,
    waitersToWire(values(state.parked)),
    upgrade === null ? null : [upgrade.lockId, upgrade.gateway],
  ];
}

function waitersToWire(waiters: Iterable<Waiter>): unknown[] {
  const wires: unknown[] = [];
  for (const waiter of waiters) wires.push(waiterToWire(waiter));
  return wires;
}

export function stateFromWire(u: unknown): LockState {
  if (u === null) return EMPTY;
  const a = list(u, 12, 'state');
  const token = tokenFromWire(a[0], 'state.token');
  const retirements = natural(a[1], 'state.retirements');
  const arrivals = natural(a[7], 'state.arrivals');
  const holders = grantsFromWire(a[2], 'state.holders');
  const waiters = waitersFromWire(a[8], 'state.queue');
  const parked = waitersFromWire(a[10], 'state.parked');
  const upgrade = a[11] === null ? null : upgradeFromWire(a[11]);
  const retired = retiredFromWire(a, retirements);
  checkHolders(holders, token, upgrade);
  checkPlaces(holders, waiters, parked, arrivals);
  checkPermits([holders, waiters, parked]);
  return {
    token,
    holders,
    queue: queueFromWire(waiters, a[9], arrivals),
    parked: parkedOf(parked),
    upgrade,
    arrivals,
    retired,
    retirements,
  };
}

function waitersFromWire(u: unknown, field: string): Waiter[] {
  const a = list(u, 0, field);
  const waiters: Waiter[] = [];
  for (let i = 0; i < a.length; i++) waiters.push(waiterFromWire(a[i]));
  return waiters;
}

export function upgradeFromWire(u: unknown): Upgrade {
  const a = list(u, 2, 'upgrade');
  return {
    lockId: lockIdFromWire(a[0], 'upgrade.lockId'),
    gateway: sessionIdFromWire(a[1], 'upgrade.gateway'),
  };
}

/** @param a the whole state: the ring is in four of its columns. */
function retiredFromWire(a: readonly unknown[], retirements: number): Ring {
  const endings = list(a[4], 0, 'state.endings');
  const tokens = list(a[5], 0, 'state.tokens');
  const notes = list(a[6], 0, 'state.notes');
  const size = endings.length;
  if (size > RETIRED_RING || size > retirements || tokens.length !== size) {
    throw new WireError('state.endings', `are ${size} of ${retirements}, with ${tokens.length} tokens`);
  }
  const joined = text(a[3], 0, RETIRED_RING * (LOCK_ID_CHARS_MAX + 1), 'state.ids');
  const ids = joined === '' ? [] : joined.split(COMMA);
  if (ids.length !== size) throw new WireError('state.ids', `are ${ids.length} for ${size} endings`);
  const retired: Retired[] = [];
  let note = 0;
  for (let i = 0; i < size; i++) {
    const noted = notes[note] === i;
    retired.push({
      lockId: text(ids[i], 1, LOCK_ID_CHARS_MAX, 'state.ids') as LockId,
      ending: endingFromWire(endings[i], 'state.endings'),
      token: tokenFromWire(tokens[i], 'state.tokens'),
      note: noted ? text(notes[note + 1], 0, NOTE_CHARS_MAX, 'state.notes') : null,
    });
    if (noted) note += 2;
  }
  if (note !== notes.length) throw new WireError('state.notes', 'are not pairs of place and text, in order');
  return Ring.of(retired);
}

function checkHolders(holders: readonly Grant[], token: FencingToken, upgrade: Upgrade | null): void {
  for (const held of holders) {
    if (held.token > token) throw new WireError('state.token', "is less than a holder's");
    if (held.mode === 'write' && holders.length > 1)
      throw new WireError('state.holders', 'are beside a writer');
  }
  if (holders[0]?.mode === 'permit' && slotsOf(holders).size < holders.length)
    throw new WireError('state.holders', 'have one slot twice');
  if (upgrade === null) return;
  const reads = holders.some(({ lockId, mode }) => lockId === upgrade.lockId && mode === 'read');
  if (!reads) throw new WireError('state.upgrade', 'is of nobody who reads');
}

/** A scope is a semaphore for all of them, with as many permits, or for none (L10). */
function checkPermits(all: readonly (readonly Claimant[])[]): void {
  let permits: number | undefined;
  for (const some of all) {
    for (const one of some) {
      permits ??= one.permits;
      if (one.permits !== permits) throw new WireError('state.permits', 'are not the same for all');
    }
  }
}

/** One lock id twice would hold and wait at once; one arrival twice would be lost from the queue. */
function checkPlaces(
  holders: readonly Grant[],
  waiters: readonly Waiter[],
  parked: readonly Waiter[],
  arrivals: number,
): void {
  const ids = new Set<LockId>();
  const seen = new Set<number>();
  const check = ({ arrival }: Waiter): void => {
    if (arrival > arrivals || seen.has(arrival)) {
      throw new WireError('state.arrivals', `are ${arrivals}, and ${arrival} is beyond or there twice`);
    }
    seen.add(arrival);
  };
  for (const { lockId, unclaimed } of holders) {
    ids.add(lockId);
    if (unclaimed !== null) check(unclaimed);
  }
  for (const places of [waiters, parked]) {
    for (const waiter of places) {
      ids.add(waiter.lockId);
      check(waiter);
    }
  }
  upTo(seen.size, PLACES_MAX, 'state.queue');
  if (ids.size < holders.length + waiters.length + parked.length) {
    throw new WireError('state.queue', 'has a lock id that is there twice');
  }
}

function queueFromWire(waiters: readonly Waiter[], u: unknown, arrivals: number): Queue {
  const a = list(u, 0, 'state.passed');
  if (a.length > (waiters.length === 0 ? 0 : PASSED_MAX)) {
    throw new WireError('state.passed', `are ${a.length} for ${waiters.length} that wait`);
  }
  const passed: number[] = [];
  for (let i = 0; i < a.length; i++) {
    const arrival = upTo(a[i], i === 0 ? arrivals : passed[i - 1]!, 'state.passed');
    passed.push(arrival);
  }
  let queue = NOBODY;
  for (const waiter of waiters) queue = join(queue, waiter);
  return passed.length === 0 ? queue : { ...queue, passed };
}

function parkedOf(waiters: readonly Waiter[]): LockState['parked'] {
  let parked: Tree<string, Waiter>;
  for (const waiter of waiters) parked = set(parked, waiter.lockId, waiter);
  return parked;
}
