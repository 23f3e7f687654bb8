/**
 * How many locks each holder name has, as far as this voter's registers tell: for the limit, not for any decision.
 * Always true: a count is at least the number of grants under that name in the registers of this voter's memory. Names
 * are counted by their hash, since a table of a million names would weigh more than what they hold: a name may be
 * counted together with a few others, which is nothing beside the limit.
 */
import type { Grant, LockId, LockState } from '../lock/state.ts';
import { hashText } from './placement.ts';
import type { Entry } from './scopes.ts';

const BUCKETS = 65_536;

export class Holders {
  private readonly counts = new Uint32Array(BUCKETS);

  of(holder: string): number {
    return this.counts[bucketOf(holder)]!;
  }

  /**
   * The holders of a register have changed.
   * @param noted when each of those before was first accepted. @param gone told of each that is there no more.
   */
  changed(
    entry: Entry,
    before: LockState,
    noted: readonly number[],
    now: number,
    gone: (grant: Grant) => void,
  ): void {
    const { holders } = entry.register.state;
    if (before.holders.length === 0) {
      for (const grant of holders) this.came(grant);
      return;
    }
    const has = namesOf(holders);
    const had = has === undefined ? undefined : namesOf(before.holders);
    for (const grant of holders) if (had?.get(grant.lockId) !== grant.holder) this.came(grant);
    for (let i = 0; i < before.holders.length; i++) {
      const grant = before.holders[i]!;
      const name = has?.get(grant.lockId);
      if (name === grant.holder) continue;
      this.went(grant);
      if (name !== undefined) continue; // what was not chosen had it under another name
      gone(grant);
      if (grant.unclaimed !== null) continue; // nobody ever held it
      entry.holds++;
      entry.heldMs += Math.max(0, now - noted[i]!);
    }
  }

  came({ holder }: Grant): void {
    this.counts[bucketOf(holder)]!++;
  }

  private went({ holder }: Grant): void {
    this.counts[bucketOf(holder)]!--;
  }
}

function bucketOf(holder: string): number {
  return hashText(holder) % BUCKETS;
}

function namesOf(holders: readonly Grant[]): ReadonlyMap<LockId, string> | undefined {
  return holders.length === 0 ? undefined : new Map(holders.map(({ lockId, holder }) => [lockId, holder]));
}
