/**
 * The chain of chosen states of each scope, seen from outside: which voter accepted which stamp, and when that was
 * flushed. It is the witness for linearizability: an answer must fit a state that was the chosen one at some moment
 * between the request and the answer.
 *
 * Checks: stamp-content (a stamp has one content), promise-fell (no voter accepts below what it ever promised,
 * restarts included), chain-broken (each chosen state contains the one before), token-order (tokens grow),
 * one-writer, granted-again (a lock id that ended does not hold again, unless its client still asks for it after
 * the ring forgot it), ended-unasked (a lock ends as released only if somebody asked for that).
 */
import { findRetired, type LockState, RETIRED_RING } from '../../src/lock/state.ts';
import { type Ballot, compareBallots, compareStamps } from '../../src/vote/ballot.ts';
import { type Journal, Violation } from './journal.ts';

export interface Link {
  readonly ballot: Ballot;
  readonly version: number;
  readonly state: LockState;
  /** True time at which a majority had it flushed. */
  readonly at: number;
}

interface Votes {
  readonly ballot: Ballot;
  /** Per voter: the newest version flushed under this ballot. */
  readonly flushed: number[];
  readonly contents: Map<number, LockState>;
  chosen: number;
}

interface ScopeRecord {
  readonly ballots: Map<string, Votes>;
  readonly promised: (Ballot | undefined)[];
  readonly chain: Link[];
  /** Every lock id that was ever chosen as retired. */
  readonly ended: Set<string>;
}

/** What the chain must know of clients. */
export interface Watcher {
  /** Whether its client still asks for this lock id. */
  wanted(lockId: string): boolean;
  /** Whether its client has ever asked to release it. */
  mayRelease(lockId: string): boolean;
  /** It has ended at this moment. */
  ended(scope: string, lockId: string, ending: string): void;
}

export function keyOf(ballot: Ballot): string {
  return `${ballot.round}.${ballot.peer}.${ballot.boot}`;
}

export class Chains {
  private readonly scopes = new Map<string, ScopeRecord>();
  private readonly voters: number;
  private readonly journal: Journal;
  private readonly clock: () => number;

  private readonly watcher: Watcher;

  constructor(voters: number, journal: Journal, clock: () => number, watcher: Watcher) {
    this.watcher = watcher;
    this.voters = voters;
    this.journal = journal;
    this.clock = clock;
  }

  private record(scope: string): ScopeRecord {
    let record = this.scopes.get(scope);
    if (record === undefined) {
      record = { ballots: new Map(), promised: [], chain: [], ended: new Set() };
      this.scopes.set(scope, record);
    }
    return record;
  }

  chain(scope: string): readonly Link[] {
    return this.record(scope).chain;
  }

  /** A promise of this voter left it, or was about to. */
  promised(scope: string, voter: number, ballot: Ballot): void {
    const { promised } = this.record(scope);
    const before = promised[voter];
    if (before === undefined || compareBallots(ballot, before) > 0) promised[voter] = ballot;
  }

  /** This voter took a stamp into its memory. */
  accepted(scope: string, voter: number, ballot: Ballot, version: number, state: LockState): void {
    const record = this.record(scope);
    const before = record.promised[voter];
    if (before !== undefined && compareBallots(ballot, before) < 0) {
      throw new Violation(
        'promise-fell',
        `${scope}: voter ${voter} accepted ${keyOf(ballot)} after promising ${keyOf(before)}`,
      );
    }
    const key = keyOf(ballot);
    let votes = record.ballots.get(key);
    if (votes === undefined) {
      votes = { ballot, flushed: new Array(this.voters).fill(-1), contents: new Map(), chosen: -1 };
      record.ballots.set(key, votes);
    }
    const known = votes.contents.get(version);
    if (known === undefined) votes.contents.set(version, state);
    else if (known !== state && !sameState(known, state)) {
      throw new Violation('stamp-content', `${scope}: ${key} version ${version} has two contents`);
    }
  }

  /** What this voter took is on its disk now. */
  flushed(scope: string, voter: number, ballot: Ballot, version: number): void {
    const record = this.record(scope);
    const votes = record.ballots.get(keyOf(ballot))!;
    if (votes.flushed[voter]! >= version) return;
    votes.flushed[voter] = version;
    const reached = [...votes.flushed].sort((a, b) => b - a)[this.voters >> 1]!;
    if (reached <= votes.chosen) return;
    const from = Math.max(votes.chosen + 1, 0);
    votes.chosen = reached;
    for (let v = from; v <= reached; v++) {
      const state = votes.contents.get(v);
      if (state !== undefined) this.append(scope, record, { ballot, version: v, state, at: this.clock() });
    }
  }

  private append(scope: string, record: ScopeRecord, link: Link): void {
    const last = record.chain[record.chain.length - 1];
    if (last !== undefined) {
      if (compareStamps(link.ballot, link.version, last.ballot, last.version) < 0) {
        // Counted late: it must be part of what was chosen since.
        const why = whyNotWithin(link.state, last.state);
        if (why !== '')
          throw new Violation(
            'chain-broken',
            `${scope}: ${keyOf(link.ballot)} v${link.version} late: ${why}`,
          );
        return;
      }
      const why = whyNotWithin(last.state, link.state);
      if (why !== '') {
        throw new Violation(
          'chain-broken',
          `${scope}: ${keyOf(link.ballot)} v${link.version} after ${keyOf(last.ballot)} v${last.version}: ${why}`,
        );
      }
    }
    if (last !== undefined) {
      const newest = link.state.holders.find(
        (grant) => !last.state.holders.some((other) => other.lockId === grant.lockId),
      );
      if (link.state.token < last.state.token || (newest !== undefined && newest.token <= last.state.token)) {
        throw new Violation(
          'token-order',
          `${scope}: token ${newest?.token ?? link.state.token} after ${last.state.token}`,
        );
      }
    }
    if (link.state.holders.length > 1)
      throw new Violation('one-writer', `${scope}: ${link.state.holders.length} holders chosen`);
    const again = link.state.holders.find(
      ({ lockId }) => record.ended.has(lockId) && !last?.state.holders.some((held) => held.lockId === lockId),
    );
    if (again !== undefined && !this.watcher.wanted(again.lockId))
      throw new Violation('granted-again', `${scope}: ${again.lockId} had ended`);
    const fresh = Math.min(
      link.state.retirements - (last?.state.retirements ?? 0),
      link.state.retired.length,
    );
    for (const { lockId, ending, token } of link.state.retired.slice(link.state.retired.length - fresh)) {
      record.ended.add(lockId);
      if (ending === 'released' && token > 0 && !this.watcher.mayRelease(lockId)) {
        throw new Violation('ended-unasked', `${scope}: nobody asked to release ${lockId}`);
      }
      this.watcher.ended(scope, lockId, ending);
    }
    record.chain.push(link);
    this.journal.note('chosen', link.version, link.state.token, () => {
      const { token, retirements, holders } = link.state;
      return `${scope} ${keyOf(link.ballot)} v${link.version} token ${token} ended ${retirements} held by ${holders.map((g) => g.lockId).join() || 'nobody'}`;
    });
  }

  /** Index of the newest link that was chosen at this true time, -1 for none. */
  indexAt(scope: string, at: number): number {
    const { chain } = this.record(scope);
    let low = 0;
    let high = chain.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (chain[mid]!.at <= at) low = mid + 1;
      else high = mid;
    }
    return low - 1;
  }
}

function sameState(a: LockState, b: LockState): boolean {
  return (
    a.token === b.token &&
    a.retirements === b.retirements &&
    a.holders.length === b.holders.length &&
    a.holders.every((grant, i) => {
      const other = b.holders[i]!;
      return (
        grant.lockId === other.lockId &&
        grant.token === other.token &&
        grant.leaseId === other.leaseId &&
        grant.leaseMs === other.leaseMs
      );
    }) &&
    a.retired.length === b.retired.length &&
    a.retired.every(
      (entry, i) => entry.lockId === b.retired[i]!.lockId && entry.ending === b.retired[i]!.ending,
    )
  );
}

/** Why `later` cannot have grown out of `earlier`, or ''. */
function whyNotWithin(earlier: LockState, later: LockState): string {
  if (later.retirements < earlier.retirements)
    return `retirements fell from ${earlier.retirements} to ${later.retirements}`;
  const forgotten = later.retirements - earlier.retirements >= RETIRED_RING;
  for (const grant of earlier.holders) {
    const still = later.holders.find((other) => other.lockId === grant.lockId);
    if (still !== undefined) {
      if (still.token !== grant.token) return `${grant.lockId} changed its token`;
    } else if (!forgotten && findRetired(later, grant.lockId) === undefined)
      return `${grant.lockId} vanished`;
  }
  const common = Math.min(earlier.retired.length, RETIRED_RING - (later.retirements - earlier.retirements));
  for (let i = 1; i <= common; i++) {
    const entry = earlier.retired[earlier.retired.length - i]!;
    if (findRetired(later, entry.lockId)?.ending !== entry.ending)
      return `${entry.lockId} is no longer ${entry.ending}`;
  }
  return '';
}
