/**
 * Quorums: any two of them share a voter.
 * Voters are numbered 0 to n-1; a set of voters is a bit mask, so at most 31 of them vote.
 */

export const VOTERS_MAX = 31;

/** The least number of voters such that any two sets of that size meet. */
export function majority(voters: number): number {
  return (voters >> 1) + 1;
}

/** How many voters are in the set. */
export function count(mask: number): number {
  let m = mask;
  m -= (m >>> 1) & 0x55555555;
  m = (m & 0x33333333) + ((m >>> 2) & 0x33333333);
  return (((m + (m >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
}

/** A count has three results: lost means that the silent voters can no longer change it. */
export type Tally = 'won' | 'lost' | 'pending';

/** @param yes voters that agreed, @param no voters that refused, both as masks. */
export function tally(voters: number, yes: number, no: number): Tally {
  const needed = majority(voters);
  if (count(yes) >= needed) return 'won';
  return voters - count(no & ~yes) < needed ? 'lost' : 'pending';
}

/** The highest value that a majority has reached, given what each voter has reached. */
export function reachedByMajority(reached: readonly number[]): number {
  const needed = majority(reached.length);
  let best = 0;
  for (let i = 0; i < reached.length; i++) {
    const value = reached[i]!;
    if (value <= best) continue;
    let supporters = 0;
    for (let j = 0; j < reached.length; j++) if (reached[j]! >= value) supporters++;
    if (supporters >= needed) best = value;
  }
  return best;
}
