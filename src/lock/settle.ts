/**
 * What follows from a state by itself (L3, L9): whoever can be granted is granted in the same change that made it
 * possible, all leading readers at once, so that a hand-off costs one vote and wakes nobody else.
 */
import type { LockEvent } from './event.ts';
import { leave, nextOf, overtake } from './queue.ts';
import { type FencingToken, HOLDERS_MAX, type LeaseId, type LockState } from './state.ts';

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
  for (let { queue } = state; holders.length + events.length < HOLDERS_MAX; ) {
    const next = nextOf(queue);
    if (next === undefined || (mode !== undefined && (mode === 'write' || next.mode === 'write'))) break;
    const { lockId, gateway } = next;
    token++;
    events.push({ kind: 'promoted', lockId, token: token as FencingToken, leaseId, gateway, at });
    queue = overtake(leave(queue, next), next.arrival);
    mode = next.mode;
  }
  return events;
}
