/**
 * Two chosen states of one scope in the words of a watcher that did not see what lay between them.
 * Always true: who took what is told leads from what stood in the first state to what stands in the second; tokens
 * are told in their order, and an ending after the grant that it ends. What both began and ended in between is told by
 * its end alone, as long as the ring of retired lock ids has it.
 */
import { everybody, findWaiter } from '../lock/queue.ts';
import {
  findParked,
  type Grant,
  type LockId,
  type LockState,
  NO_TOKEN,
  type Retired,
  type Waiter,
} from '../lock/state.ts';
import { values } from '../lock/tree.ts';
import { addUpgrade, endingIn } from './facts.ts';
import { type Fact, type FactKind, factOf } from './told.ts';

export function differenceOf(before: LockState, after: LockState): Fact[] {
  const facts: Fact[] = [];
  const held = new Map<LockId, Grant>();
  for (const grant of before.holders) held.set(grant.lockId, grant);
  const retired = after.retired.newest(after.retirements - before.retirements);

  addForgotten(facts, before, isThere(after), retired);
  const grants = grantsIn(before, after, held, retired).sort((a, b) => a.token - b.token);
  let told = 0;
  for (const entry of retired) {
    while (told < grants.length && grants[told]!.token <= entry.token) facts.push(grants[told++]!);
    facts.push(endingOf(before, entry));
  }
  while (told < grants.length) facts.push(grants[told++]!);
  for (const grant of after.holders) {
    const was = held.get(grant.lockId);
    if (was === undefined || was.token !== grant.token) continue;
    if (was.unclaimed !== null && grant.unclaimed === null) facts.push(factOf('claimed', grant));
    else if (was.leaseId !== grant.leaseId) facts.push(factOf('extended', grant));
  }
  addPlaces(facts, before, after, isThere(before));
  addUpgrade(facts, before, after);
  return facts;
}

/** What was there and is not, and is not in the ring either: so many ended meanwhile that it has forgotten. */
function addForgotten(
  facts: Fact[],
  before: LockState,
  isThereAfter: (lockId: LockId) => boolean,
  retired: readonly Retired[],
): void {
  const ended = new Set(retired.map(({ lockId }) => lockId));
  const add = ({ lockId }: { readonly lockId: LockId }) => {
    if (!ended.has(lockId) && !isThereAfter(lockId)) facts.push(endingIn(before, lockId, null, null));
  };
  before.holders.forEach(add);
  for (const waiter of everybody(before.queue)) add(waiter);
  for (const waiter of values(before.parked)) add(waiter);
}

/** Whether a lock id holds, waits or is kept a place in that state. */
function isThere(state: LockState): (lockId: LockId) => boolean {
  const held = new Set(state.holders.map(({ lockId }) => lockId));
  return (lockId) => held.has(lockId) || isPlaced(state, lockId);
}

function isPlaced(state: LockState, lockId: LockId): boolean {
  return findWaiter(state.queue, lockId) !== undefined || findParked(state, lockId) !== undefined;
}

/** Every grant that got its token in between, as far as anything of it is left. */
function grantsIn(
  before: LockState,
  after: LockState,
  held: ReadonlyMap<LockId, Grant>,
  retired: readonly Retired[],
): Fact[] {
  const grants: Fact[] = [];
  for (const grant of after.holders) {
    const was = held.get(grant.lockId);
    if (was?.token !== grant.token) grants.push(factOf(kindOf(before, was, grant), grant));
  }
  for (const { lockId, token } of retired) {
    if (token === NO_TOKEN || held.has(lockId)) continue;
    const of = findWaiter(before.queue, lockId) ?? findParked(before, lockId) ?? null;
    const kind = of === null ? 'granted' : 'promoted';
    grants.push({ kind, lockId, token, of, ending: null, note: null });
  }
  return grants;
}

/** How it came by its token: a lock id is granted once, unless it did not claim what it was promoted to. */
function kindOf(before: LockState, was: Grant | undefined, grant: Grant): FactKind {
  if (was !== undefined)
    return was.unclaimed !== null && grant.former === NO_TOKEN ? 'promoted' : 'converted';
  return grant.unclaimed !== null || isPlaced(before, grant.lockId) ? 'promoted' : 'granted';
}

function endingOf(before: LockState, { lockId, ending, token, note }: Retired): Fact {
  return { ...endingIn(before, lockId, ending, note), token };
}

function addPlaces(
  facts: Fact[],
  before: LockState,
  after: LockState,
  isThereBefore: (lockId: LockId) => boolean,
): void {
  const queued: Waiter[] = [];
  const kept: Waiter[] = [];
  for (const waiter of everybody(after.queue)) {
    if (findWaiter(before.queue, waiter.lockId) === undefined) queued.push(waiter);
  }
  for (const waiter of values(after.parked)) {
    if (findParked(before, waiter.lockId) !== undefined) continue;
    if (!isThereBefore(waiter.lockId)) queued.push(waiter);
    kept.push(waiter);
  }
  queued.sort((a, b) => a.arrival - b.arrival);
  for (const waiter of queued) facts.push(factOf('queued', waiter));
  for (const waiter of kept) facts.push(factOf('kept', waiter));
}
