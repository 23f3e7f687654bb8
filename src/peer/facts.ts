/**
 * Events in the words of a watcher: whom each of them concerned, as it was then.
 * Always true: each change of who holds, waits or is kept a place has its facts, in order; events of the vote's own
 * (a place that is counted to another gateway) have none.
 */
import { evolveAll, type LockEvent } from '../lock/event.ts';
import { findWaiter } from '../lock/queue.ts';
import { type Ending, findGrant, findParked, type LockId, type LockState, NO_TOKEN } from '../lock/state.ts';
import { values } from '../lock/tree.ts';
import { type Fact, factOf } from './told.ts';

/** The facts of these events, which happened to that state. */
export function factsOf(before: LockState, events: readonly LockEvent[]): Fact[] {
  const facts: Fact[] = [];
  let state = before;
  for (let i = 0; i < events.length; ) {
    let end = i + 1;
    // A writer may give way to thousands of readers: they are granted at once, as the state does it.
    if (events[i]!.kind === 'promoted') while (events[end]?.kind === 'promoted') end++;
    const row = events.slice(i, end);
    const next = evolveAll(state, row);
    if (row[0]!.kind === 'promoted') {
      for (const grant of next.holders.slice(state.holders.length)) facts.push(factOf('promoted', grant));
    } else addFacts(facts, row[0]!, state, next);
    state = next;
    i = end;
  }
  return facts;
}

function addFacts(facts: Fact[], event: LockEvent, before: LockState, after: LockState): void {
  switch (event.kind) {
    case 'granted':
      facts.push(factOf('granted', event.grant));
      return;
    case 'queued':
      facts.push(factOf('queued', event.waiter));
      return;
    case 'claimed':
    case 'extended':
    case 'converted': {
      const grant = findGrant(after, event.lockId);
      if (grant !== undefined) facts.push(factOf(event.kind, grant));
      return;
    }
    case 'upgrading':
      addUpgrade(facts, before, after);
      return;
    case 'moved': {
      if (findParked(before, event.lockId) === undefined) return;
      const waiter = findWaiter(after.queue, event.lockId);
      if (waiter !== undefined) facts.push(factOf('queued', waiter));
      return;
    }
    case 'parked': {
      const kept = findParked(after, event.lockId);
      if (kept !== undefined && findParked(before, event.lockId) === undefined)
        facts.push(factOf('kept', kept));
      return;
    }
    case 'deserted':
      addUpgrade(facts, before, after);
      for (const kept of values(after.parked)) {
        if (findParked(before, kept.lockId) === undefined) facts.push(factOf('kept', kept));
      }
      return;
    case 'ended':
      facts.push(endingIn(before, event.lockId, event.ending, event.note));
      return;
  }
}

/** The end of whatever that state knows under this lock id. @param ending null: nobody knows how it ended. */
export function endingIn(
  before: LockState,
  lockId: LockId,
  ending: Ending | null,
  note: string | null,
): Fact {
  const grant = findGrant(before, lockId);
  const of = grant ?? findWaiter(before.queue, lockId) ?? findParked(before, lockId) ?? null;
  return { kind: 'ended', lockId, token: grant?.token ?? NO_TOKEN, of, ending, note };
}

/** A reader has begun to wait for the others to go, or does so no longer without having ended or got what it wanted. */
export function addUpgrade(facts: Fact[], before: LockState, after: LockState): void {
  const was = before.upgrade?.lockId;
  const is = after.upgrade?.lockId;
  if (was === is) return;
  const stays = was === undefined ? undefined : findGrant(after, was);
  if (stays?.mode === 'read') facts.push(factOf('stays', stays));
  const waits = is === undefined ? undefined : findGrant(after, is);
  if (waits !== undefined) facts.push(factOf('upgrading', waits));
}
