/** From what a caller says to what is asked for, checked. */
import { type LockId, type Mode, NO_EXPIRY } from '../lock/state.ts';
import type { Wish } from './acquiring.ts';
import {
  checkKeys,
  holderOf,
  leaseOf,
  lockIdOf,
  lockTypeOf,
  priorityOf,
  reasonOf,
  scopeOf,
  signalOf,
  waitOf,
} from './options.ts';
import type { AcquireOptions, MultiOptions, PermitOptions } from './types.ts';

const WAIT_KEYS = ['wait', 'priority', 'reason', 'signal', 'holder'] as const;
const PERMIT_KEYS = [...WAIT_KEYS, 'timeout', 'lockId'] as const;
const ACQUIRE_KEYS = [...PERMIT_KEYS, 'lockType'] as const;

/** Most acquires say nothing. */
const NO_OPTIONS: AcquireOptions = {};

export function lockWish(scope: string, options: AcquireOptions = NO_OPTIONS): Wish {
  if (options !== NO_OPTIONS) checkKeys(options, ACQUIRE_KEYS);
  return wishOf(scope, options, lockTypeOf(options.lockType), 0);
}

export function permitWish(scope: string, permits: number, options: PermitOptions = NO_OPTIONS): Wish {
  checkKeys(options, PERMIT_KEYS);
  return wishOf(scope, options, 'permit', permits);
}

/** What all locks of a `multi` have in common. */
export function multiWish(options: MultiOptions): Omit<Wish, 'scope' | 'mode'> {
  checkKeys(options, WAIT_KEYS);
  const { scope: _scope, mode: _mode, ...common } = wishOf('-', options, 'write', 0);
  return { ...common, leaseMs: NO_EXPIRY };
}

function wishOf(scope: string, options: PermitOptions, mode: Mode, permits: number): Wish {
  const { wait, timeout, priority, reason, holder, lockId, signal } = options;
  return {
    scope: scopeOf(scope),
    mode,
    permits,
    waitMs: waitOf(wait),
    leaseMs: leaseOf(timeout),
    priority: priorityOf(priority),
    reason: reason === undefined ? null : reasonOf(reason),
    holder: holder === undefined ? undefined : holderOf(holder),
    lockId: lockId === undefined ? undefined : (lockIdOf(lockId) as LockId),
    signal: signalOf(signal),
  };
}
