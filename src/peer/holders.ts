/**
 * How many locks each holder name has, as far as this voter's registers tell: for the limit, not for any decision.
 * Always true: a count is the number of grants under that name in the registers of this voter's memory.
 */
import type { Grant, LockState } from '../lock/state.ts';
import type { Entry } from './scopes.ts';

export class Holders {
  private readonly counts = new Map<string, number>();

  of(holder: string): number {
    return this.counts.get(holder) ?? 0;
  }

  /** The holders of a register have changed. @param noted when each of those before was first accepted. */
  changed(entry: Entry, before: LockState, noted: readonly number[], now: number): void {
    const { state } = entry.register;
    const had = new Set(before.holders.map(({ lockId }) => lockId));
    const has = new Set(state.holders.map(({ lockId }) => lockId));
    for (const grant of state.holders) if (!had.has(grant.lockId)) this.came(grant);
    for (const [i, grant] of before.holders.entries()) {
      if (has.has(grant.lockId)) continue;
      this.went(grant);
      if (grant.unclaimed !== null) continue; // nobody ever held it
      entry.holds++;
      entry.heldMs += now - noted[i]!;
    }
  }

  came({ holder }: Grant): void {
    this.counts.set(holder, this.of(holder) + 1);
  }

  private went({ holder }: Grant): void {
    const left = this.of(holder) - 1;
    if (left > 0) this.counts.set(holder, left);
    else this.counts.delete(holder);
  }
}
