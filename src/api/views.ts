/**
 * The parts of which answers and refusals are made: holders, waiters, contention, as people and programs read them.
 * Times are told as what is left or has passed, by this peer's clock or a voter's; nothing here decides anything.
 */
import { type Grant, type Mode, NO_EXPIRY } from '../lock/state.ts';
import type { Contention, View, WaiterView } from '../peer/messages.ts';
import { LEASE_MARGIN } from '../vote/limits.ts';
import type { ContentionView, HolderView, Status, WaiterShown } from './answers.ts';
import { prettyDuration } from './durations.ts';

/** What a status is made of; the holders' leases stand in `leftMs`, -1 for one that never ends. */
export type Shown = Pick<View, 'token' | 'holders' | 'leftMs' | 'waiters'>;

/** @param wallNow milliseconds since 1970, to which waits are told. */
export function statusView(
  scope: string,
  { token, holders, leftMs, waiters }: Shown,
  quorum: string,
  contention: ContentionView,
  wallNow: number,
): Status {
  return {
    status: holders.length > 0 ? 'locked' : 'free',
    scope,
    quorum,
    lock_type: holders[0]?.mode ?? null,
    ...(holders[0]?.mode === 'permit' ? { permits: holders[0].permits } : undefined),
    fencing_token: token,
    holders: holdersView({ holders, leftMs }),
    waiters: waiters.map((waiter, i) => waiterView(waiter, i + 1, wallNow)),
    contention,
  };
}

export function holdersView({ holders, leftMs }: Pick<View, 'holders' | 'leftMs'>): HolderView[] {
  return holders.map((grant, i) => holderView(grant, leftMs[i] ?? 0));
}

export function holderView(grant: Grant, leftMs: number): HolderView {
  return {
    holder: grant.holder,
    lock_id: grant.lockId,
    lock_type: grant.mode,
    fencing_token: grant.token,
    ...slotView(grant),
    acquired_at: new Date(grant.at).toISOString(),
    expires_in_ms: leftView(leftMs),
    timeout_ms: leaseView(grant.leaseMs),
    priority: grant.priority,
    reason: grant.reason,
    session: grant.session,
    takeover_ms: takeoverOf(grant),
  };
}

/** Which permit it is, if it is one. */
export function slotView({ mode, slot }: Grant): { slot?: number } | undefined {
  return mode === 'permit' ? { slot } : undefined;
}

/** How long after its holder's crash a lock ends at the latest, or null if nothing would end it. */
function takeoverOf({ leaseMs, session, ttlMs }: Grant): number | null {
  const lease = leaseMs === NO_EXPIRY ? Number.POSITIVE_INFINITY : leaseMs;
  const least = Math.min(lease, session === null ? Number.POSITIVE_INFINITY : ttlMs);
  return least === Number.POSITIVE_INFINITY ? null : Math.ceil(least * LEASE_MARGIN - 1e-6);
}

function waiterView(waiter: WaiterView, position: number, wallNow: number): WaiterShown {
  return {
    holder: waiter.holder,
    lock_id: waiter.lockId,
    lock_type: waiter.mode,
    priority: waiter.priority,
    reason: waiter.reason,
    queue_position: position,
    // Two machines' wall clocks: for people only.
    waiting_ms: Math.max(0, wallNow - waiter.at),
  };
}

export function leaseView(leaseMs: number): number | null {
  return leaseMs === NO_EXPIRY ? null : leaseMs;
}

export function leftView(leftMs: number): number | null {
  return leftMs < 0 ? null : leftMs;
}

export function quorumText(votes: number, voters: number): string {
  return `${votes}/${voters} nodes agreed`;
}

export function contentionView({ acquires, conflicts, holds, heldMs, waiters }: Contention): ContentionView {
  return {
    waiters,
    hold_duration: holds === 0 ? null : prettyDuration(heldMs / holds),
    conflict_rate: acquires === 0 ? null : `${Math.round((100 * conflicts) / acquires)}%`,
  };
}

/** So many holders are named in a sentence; all of them stand in `holders`. */
const NAMES_MAX = 5;

export function namesOf(holders: readonly Grant[]): string {
  if (holders.length === 0) return 'others';
  const names = holders.slice(0, NAMES_MAX).map(({ holder }) => holder);
  const more = holders.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What a mode lets its holder do, for sentences. */
export const MODE_WORDS: Readonly<Record<Mode, string>> = {
  write: 'to write',
  read: 'to read',
  permit: 'by a permit',
};

export function quoted(text: string): string {
  return JSON.stringify(text);
}
