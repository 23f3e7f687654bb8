/**
 * What happened to one scope. Events are the one source of replication, audit and figures: a state is what its
 * events made of it, and an event carries all that `evolve` needs.
 */
import {
  type Ending,
  type Grant,
  type LeaseId,
  type LockId,
  type LockState,
  RETIRED_RING,
  type Retired,
} from './state.ts';

export type LockEvent =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | {
      readonly kind: 'extended';
      readonly lockId: LockId;
      readonly leaseMs: number;
      readonly leaseId: LeaseId;
    }
  /** The lock id is retired: its lock ended, or (cancelled) it never held. */
  | { readonly kind: 'ended'; readonly lockId: LockId; readonly ending: Ending };

/** The state after one event. Total: an event about a lock id that is not held retires it with token 0. */
export function evolve(state: LockState, event: LockEvent): LockState {
  switch (event.kind) {
    case 'granted':
      return {
        token: event.grant.token,
        holders: [...state.holders, event.grant],
        retired: state.retired,
        retirements: state.retirements,
      };
    case 'extended':
      return {
        ...state,
        holders: state.holders.map((grant) =>
          grant.lockId === event.lockId
            ? { ...grant, leaseMs: event.leaseMs, leaseId: event.leaseId }
            : grant,
        ),
      };
    case 'ended':
      return retire(state, event.lockId, event.ending);
  }
}

/** Applies events in order. */
export function evolveAll(state: LockState, events: readonly LockEvent[]): LockState {
  let next = state;
  for (const event of events) next = evolve(next, event);
  return next;
}

function retire(state: LockState, lockId: LockId, ending: Ending): LockState {
  const ended = state.holders.find((grant) => grant.lockId === lockId);
  const entry: Retired = { lockId, ending, token: ended?.token ?? (0 as Retired['token']) };
  const kept = state.retired.length < RETIRED_RING ? state.retired : state.retired.slice(1);
  return {
    token: state.token,
    holders: ended === undefined ? state.holders : state.holders.filter((grant) => grant !== ended),
    retired: [...kept, entry],
    retirements: state.retirements + 1,
  };
}
