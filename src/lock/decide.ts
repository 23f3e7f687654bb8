/**
 * The rules of one scope: what a command comes to in a state, and which events it causes.
 * Pure and total. Rules L1 to L8 of ARCHITECTURE.md; each row below says which.
 *
 *   row  command  guard                                    events              outcome
 *   A    acquire  the lock id holds, same client           -                   granted (repeat)        L4
 *   B    acquire  the lock id holds, another name          -                   mismatch                L4
 *   C    acquire  the lock id is retired                   -                   ended                   L4
 *   D    acquire  seen is more than the ring behind        -                   stale                   L4
 *   E    acquire  the holder name holds already            -                   already_held            L5
 *   F    acquire  nobody holds                             granted             granted                 L1 L2 L7
 *   G    acquire  otherwise                                -                   busy                    L1
 *   H    release  the lock id holds                        ended(released)     released                L6
 *   I    release  it was released                          -                   released (repeat)       L6
 *   J    release  it is retired otherwise                  -                   ended
 *   K    release  unknown                                  -                   not_found
 *   L    extend   the lock id holds                        extended            extended                L6
 *   M    extend   it is retired                            -                   ended
 *   N    extend   unknown                                  -                   not_found
 *   O    cancel   the lock id holds                        -                   granted (repeat)        L4
 *   P    cancel   it was cancelled                         -                   cancelled               L4
 *   Q    cancel   it is retired otherwise                  -                   ended
 *   R    cancel   unknown                                  ended(cancelled)    cancelled               L4
 *   S    expire   the lock id holds under that lease id    ended(expired)      expired                 T3
 *   T    expire   otherwise                                -                   not_found               T3
 *   U    read                                              -                   state
 */
import type { Acquire, Command, Extend, Outcome } from './command.ts';
import type { LockEvent } from './event.ts';
import {
  type FencingToken,
  findGrant,
  findRetired,
  type Grant,
  type LeaseId,
  type LockState,
  NO_EXPIRY,
  RETIRED_RING,
} from './state.ts';

export interface Decision {
  readonly outcome: Outcome;
  readonly events: readonly LockEvent[];
}

const NO_EVENTS: readonly LockEvent[] = [];
const BUSY: Decision = { outcome: { kind: 'busy' }, events: NO_EVENTS };
const STALE: Decision = { outcome: { kind: 'stale' }, events: NO_EVENTS };
const MISMATCH: Decision = { outcome: { kind: 'mismatch' }, events: NO_EVENTS };
const NOT_FOUND: Decision = { outcome: { kind: 'not_found' }, events: NO_EVENTS };
const CANCELLED: Decision = { outcome: { kind: 'cancelled' }, events: NO_EVENTS };
const STATE: Decision = { outcome: { kind: 'state' }, events: NO_EVENTS };

/**
 * Decides one command.
 * @param leaseId names a lease that this change sets: unique to the change, for ever.
 */
export function decide(state: LockState, command: Command, leaseId: LeaseId): Decision {
  switch (command.kind) {
    case 'acquire':
      return acquire(state, command, leaseId);
    case 'extend':
      return extend(state, command, leaseId);
    case 'release': {
      const grant = findGrant(state, command.lockId);
      if (grant !== undefined) {
        return {
          outcome: { kind: 'released', token: grant.token, repeat: false },
          events: [{ kind: 'ended', lockId: command.lockId, ending: 'released' }],
        };
      }
      const old = findRetired(state, command.lockId);
      if (old?.ending === 'released') return unchanged({ kind: 'released', token: old.token, repeat: true });
      return ended(state, command.lockId) ?? NOT_FOUND;
    }
    case 'cancel': {
      const grant = findGrant(state, command.lockId);
      if (grant !== undefined) return unchanged({ kind: 'granted', grant, repeat: true });
      if (findRetired(state, command.lockId)?.ending === 'cancelled') return CANCELLED;
      return (
        ended(state, command.lockId) ?? {
          outcome: CANCELLED.outcome,
          events: [{ kind: 'ended', lockId: command.lockId, ending: 'cancelled' }],
        }
      );
    }
    case 'expire': {
      if (findGrant(state, command.lockId)?.leaseId !== command.leaseId) return NOT_FOUND;
      return {
        outcome: { kind: 'expired' },
        events: [{ kind: 'ended', lockId: command.lockId, ending: 'expired' }],
      };
    }
    case 'read':
      return STATE;
  }
}

function acquire(state: LockState, command: Acquire, leaseId: LeaseId): Decision {
  const own = findGrant(state, command.lockId);
  if (own !== undefined) {
    // A client without a name gets a new made-up one at each gateway; its lock id alone proves who it is.
    const same = !command.named || own.holder === command.holder;
    return same ? unchanged({ kind: 'granted', grant: own, repeat: true }) : MISMATCH;
  }
  const old = ended(state, command.lockId);
  if (old !== undefined) return old;
  if (state.retirements - command.seen > RETIRED_RING) return STALE;
  for (const grant of state.holders) {
    if (grant.holder === command.holder) return unchanged({ kind: 'already_held', grant });
  }
  if (state.holders.length > 0) return BUSY;
  const grant: Grant = {
    lockId: command.lockId,
    holder: command.holder,
    named: command.named,
    mode: command.mode,
    token: (state.token + 1) as FencingToken,
    leaseMs: command.leaseMs,
    leaseId,
    at: command.at,
  };
  return { outcome: { kind: 'granted', grant, repeat: false }, events: [{ kind: 'granted', grant }] };
}

function extend(state: LockState, command: Extend, leaseId: LeaseId): Decision {
  const grant = findGrant(state, command.lockId);
  if (grant === undefined) return ended(state, command.lockId) ?? NOT_FOUND;
  const leaseMs =
    command.replaces === grant.leaseId ? command.leaseMs : longer(grant.leaseMs, command.leaseMs);
  return {
    outcome: { kind: 'extended', grant: { ...grant, leaseMs, leaseId } },
    events: [{ kind: 'extended', lockId: grant.lockId, leaseMs, leaseId }],
  };
}

function longer(a: number, b: number): number {
  return a === NO_EXPIRY || b === NO_EXPIRY ? NO_EXPIRY : Math.max(a, b);
}

function ended(state: LockState, lockId: Grant['lockId']): Decision | undefined {
  const old = findRetired(state, lockId);
  if (old === undefined) return undefined;
  return unchanged({ kind: 'ended', ending: old.ending, token: old.token });
}

function unchanged(outcome: Outcome): Decision {
  return { outcome, events: NO_EVENTS };
}
