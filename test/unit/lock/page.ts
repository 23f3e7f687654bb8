/** What of a scope's state anybody may rely on: the contents, not the shape. */
import type { Ending, Grant, LockState, Upgrade, Waiter } from '../../../src/lock/state.ts';
import { entriesOf } from './same.ts';

export interface Past {
  readonly id: string;
  readonly why: Ending;
  readonly token: number;
  readonly note: string | null;
}

export interface Page {
  token: number;
  holders: readonly Grant[];
  /** In order of arrival, with the tallies as far as they change a class. */
  waiting: readonly [Waiter, number][];
  /** In order of lock id. */
  away: readonly Waiter[];
  upgrade: Upgrade | null;
  arrivals: number;
  retired: readonly Past[];
  retirements: number;
}

/** Beyond that many a tally changes no class. */
export const most = (tally: number) => Math.min(tally, 32);

/** The code's state as a page. */
export function pageOf(state: LockState): Page {
  const waiting = state.queue.lines.flatMap((line) => entriesOf(line).map(([, waiter]) => waiter as Waiter));
  return {
    token: state.token,
    holders: state.holders,
    waiting: waiting
      .sort((a, b) => a.arrival - b.arrival)
      .map((waiter) => [waiter, most(state.queue.passed.filter((later) => later > waiter.arrival).length)]),
    away: entriesOf(state.parked).map(([, waiter]) => waiter as Waiter),
    upgrade: state.upgrade,
    arrivals: state.arrivals,
    retired: [...state.retired].map(({ lockId, ending, token, note }) => ({
      id: lockId,
      why: ending,
      token,
      note,
    })),
    retirements: state.retirements,
  };
}
