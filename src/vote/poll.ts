/**
 * One question to all voters about what they hold, and the two ways to count the reports.
 * Always true: a report counts once, and only for the question that is open; a question asks for no promise, so
 * that its answers prove nothing but what each voter held when it answered.
 */
import type { LeaseId, LockId } from '../lock/state.ts';
import type { Register } from './acceptor.ts';
import { type Ballot, compareStamps, sameBallot } from './ballot.ts';
import type { Report } from './messages.ts';
import { count, majority, reachedByMajority, type Tally, tally } from './quorum.ts';
import { NEVER, type ProposerHost } from './task.ts';

export class Poll {
  /** Never the number of any other question of this voter: a proposer may be forgotten, a late report may not. */
  private number = -1;
  private reports: (Report | undefined)[] = [];
  /** Voters that have answered the open question, a mask. */
  heard = 0;

  /** Opens a new question; answers to the former no longer count. */
  ask(host: ProposerHost, scope: string): void {
    this.close();
    this.number = host.nextQuestion++;
    this.reports = new Array(host.voters);
    const message = { kind: 'ask', scope, ask: this.number } as const;
    for (let i = 0; i < host.voters; i++) host.send(i, message);
  }

  close(): void {
    this.number = -1;
    this.reports = [];
    this.heard = 0;
  }

  /** @returns whether the report counts. */
  take(from: number, report: Report): boolean {
    if (report.ask !== this.number || this.heard & (1 << from)) return false;
    this.heard |= 1 << from;
    this.reports[from] = report;
    return true;
  }

  /** V7: whether a majority holds, flushed, the very state that `own` holds: then it is chosen and current. */
  agreesWith(own: Register, voters: number): { readonly result: Tally; readonly votes: number } {
    let same = 0;
    for (const [i, report] of this.reports.entries()) {
      if (!report?.flushed) continue;
      const { ballot, version } = report.accepted;
      if (compareStamps(ballot, version, own.ballot, own.version) === 0) same |= 1 << i;
    }
    return { result: tally(voters, same, this.heard & ~same), votes: count(same) };
  }

  /** The newest version of this ballot that a majority holds, flushed: it is chosen. -1: there is none. */
  chosenUnder(ballot: Ballot): number {
    const reached = Array.from(this.reports, (report) =>
      report?.flushed && sameBallot(report.accepted.ballot, ballot) ? report.accepted.version + 1 : 0,
    );
    return reachedByMajority(reached) - 1;
  }

  /** T3: what a majority of those that stand by this ballot says of leases. */
  ages(ballot: Ballot, voters: number): Ages {
    const needed = majority(voters);
    const votes = new Map<string, number>();
    const waits: number[] = [];
    for (const report of this.reports) {
      if (report === undefined || !sameBallot(report.promised, ballot)) continue;
      for (const [lockId, leaseId] of report.overdue) {
        const key = `${lockId} ${leaseId}`;
        votes.set(key, (votes.get(key) ?? 0) + 1);
      }
      waits.push(report.overdue.length > 0 ? 0 : report.dueMs < 0 ? NEVER : report.dueMs);
    }
    waits.sort((a, b) => a - b);
    return {
      voices: waits.length,
      waitMs: waits[needed - 1] ?? 0,
      overdue: (lockId, leaseId) => (votes.get(`${lockId} ${leaseId}`) ?? 0) >= needed,
    };
  }
}

export interface Ages {
  /** How many voters that stand by the ballot have answered. */
  readonly voices: number;
  /** When a majority may see the next lease run out, in milliseconds. */
  readonly waitMs: number;
  overdue(lockId: LockId, leaseId: LeaseId): boolean;
}
