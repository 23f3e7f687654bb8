/**
 * What follows from a state by itself (L3, L9, L10): whoever can be granted is granted in the same change that made it
 * possible, all leading readers or permits at once, so that a hand-off costs one vote and wakes nobody else.
 */
import type { LockEvent } from './event.ts';
import { leave, nextOf, overtake } from './queue.ts';
import { type FencingToken, hasRoom, type LeaseId, type LockState, slotsOf, takeSlot } from './state.ts';

/** The events that the state calls for; none if it is settled. */
export function settling(state: LockState, leaseId: LeaseId, at: number): LockEvent[] {
  const { upgrade, holders } = state;
  let token: number = state.token;
  if (upgrade !== null) {
    // The slot is ahead of the queue: nothing is granted until it is served or gone.
    const { lockId, gateway } = upgrade;
    if (holders.length !== 1 || holders[0]!.lockId !== lockId) return [];
    return [{ kind: 'converted', lockId, mode: 'write', token: (token + 1) as FencingToken, gateway }];
  }
  const events: LockEvent[] = [];
  let mode = holders[0]?.mode;
  let slots: Set<number> | undefined;
  for (let { queue } = state; ; ) {
    const next = nextOf(queue);
    if (next === undefined || !hasRoom(next, mode, holders.length + events.length)) break;
    const { lockId, gateway } = next;
    token++;
    let slot = 0;
    if (next.mode === 'permit') {
      slots ??= slotsOf(holders);
      slot = takeSlot(slots);
    }
    events.push({ kind: 'promoted', lockId, token: token as FencingToken, slot, leaseId, gateway, at });
    queue = overtake(leave(queue, next), next.arrival);
    mode = next.mode;
  }
  return events;
}
