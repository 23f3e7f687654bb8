/**
 * What a watcher makes of its facts, by nothing but them: who holds under which token and lease, who waits, who is
 * kept a place.
 */
import { everybody } from '../../../src/lock/queue.ts';
import type { Grant, LockState } from '../../../src/lock/state.ts';
import { values } from '../../../src/lock/tree.ts';
import { type Fact, isGrant } from '../../../src/peer/told.ts';

export class Retold {
  private readonly all = new Map<string, string>();
  private upgrade = '';

  constructor(state: LockState) {
    for (const grant of state.holders) this.all.set(grant.lockId, holding(grant));
    for (const { lockId } of everybody(state.queue)) this.all.set(lockId, 'waits');
    for (const { lockId } of values(state.parked)) this.all.set(lockId, 'kept');
    this.upgrade = state.upgrade?.lockId ?? '';
  }

  take({ kind, lockId, of }: Fact): void {
    if (kind === 'upgrading') this.upgrade = lockId;
    else if (kind !== 'extended' && kind !== 'claimed' && this.upgrade === lockId) this.upgrade = '';
    if (kind === 'upgrading' || kind === 'stays') return;
    if (kind === 'ended') this.all.delete(lockId);
    else if (kind === 'queued') this.all.set(lockId, 'waits');
    else if (kind === 'kept') this.all.set(lockId, 'kept');
    else this.all.set(lockId, of !== null && isGrant(of) ? holding(of) : 'unseen');
  }

  get picture(): string {
    const all = [...this.all].map(([lockId, what]) => `${lockId} ${what}`).sort();
    return [...all, `upgrade ${this.upgrade}`].join('\n');
  }
}

function holding({ token, mode, leaseId, leaseMs, slot, unclaimed }: Grant): string {
  return `${mode} ${token} slot ${slot} ${leaseMs} ${leaseId}${unclaimed === null ? '' : ' unclaimed'}`;
}

/** The facts in words. */
export function inWords(facts: readonly Fact[]): string[] {
  return facts.map(({ kind, lockId, token, ending }) => {
    const what = kind === 'ended' ? (ending ?? 'ended somehow') : kind;
    return `${what} ${lockId}${token === 0 ? '' : ` ${token}`}`;
  });
}
