/**
 * Which of two links to one process survives, so that there is one link per pair of peers.
 * Always true: both sides choose the same link if both see the same two hellos from each other.
 *
 *   row  the other side's hellos                       survives
 *   A    it has lost a link since it opened the old    the new one: the old one is what it has lost
 *   B    one of the two was dialed by each side        the one that the lower identity dialed: they crossed
 *   C    otherwise                                     the old one
 * Other boots and other identities under one name are no business of this file: see standing.ts.
 */
export interface Crossing {
  /** Whether this side dialed it. */
  readonly dialed: boolean;
  /** The other side's count of links to this peer that it has lost, when it said hello. */
  readonly lost: number;
}

export type CrossingRow = 'A' | 'B' | 'C';

export function rowOfCrossing(old: Crossing, fresh: Crossing): CrossingRow {
  if (fresh.lost > old.lost) return 'A';
  return old.dialed === fresh.dialed ? 'C' : 'B';
}

/** @param lower whether this peer's identity is the lower of the two. */
export function survivor(old: Crossing, fresh: Crossing, lower: boolean): 'old' | 'fresh' {
  switch (rowOfCrossing(old, fresh)) {
    case 'A':
      return 'fresh';
    case 'B':
      return fresh.dialed === lower ? 'fresh' : 'old';
    case 'C':
      return 'old';
  }
}
