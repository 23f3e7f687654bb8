/**
 * The chain of chosen states of each scope, seen from outside: which voter accepted which stamp, and when that was
 * flushed. It is the witness for linearizability: an answer must fit a state that was the chosen one at some moment
 * between the request and the answer.
 *
 * Checks: stamp-content (a stamp has one content), promise-fell (no voter accepts below what it ever promised,
 * restarts included), chain-broken (each chosen state contains the one before), token-order (tokens grow),
 * one-writer (or only readers), permits (all agree how many there are, nobody has the slot of another), unsettled (nobody waits who could be granted), order (priority, then arrival),
 * overtaken (nobody is overtaken more often than his priority allows), granted-again (a lock id that ended does not hold again, unless its client still asks for it after
 * the ring forgot it), ended-unasked (a lock ends as released only if somebody asked for that).
 */
import { classOf, everybody, findWaiter, OVERTAKEN_MAX, PRIORITIES } from '../../src/lock/queue.ts';
import { RETIRED_RING } from '../../src/lock/ring.ts';
import { settling } from '../../src/lock/settle.ts';
import { findGrant, findParked, type Grant, type LockId, type LockState } from '../../src/lock/state.ts';
import { values } from '../../src/lock/tree.ts';
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
  /** Every lock id that was ever chosen as retired, and how many were by then. */
  readonly ended: Map<string, number>;
  /** Those that were asked for by who knew of that many: to the ring they may be new, and the guard of L4 is not for them. */
  readonly anew: Set<string>;
  /** How often each who waits has been overtaken since it joined the queue. */
  overtaken: Map<LockId, number>;
}

/** What the chain must know of clients. */
export interface Watcher {
  /** Whether its client still asks for this lock id. */
  wanted(lockId: string): boolean;
  /** Whether its client has ever asked to release it. */
  mayRelease(scope: string, lockId: string): boolean;
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
      record = {
        ballots: new Map(),
        promised: [],
        chain: [],
        ended: new Map(),
        anew: new Set(),
        overtaken: new Map(),
      };
      this.scopes.set(scope, record);
    }
    return record;
  }

  chain(scope: string): readonly Link[] {
    return this.record(scope).chain;
  }

  /** The state with this stamp, if a majority has it flushed by now. */
  chosenState(scope: string, ballot: Ballot, version: number): LockState | undefined {
    const votes = this.record(scope).ballots.get(keyOf(ballot));
    return votes === undefined || votes.chosen < version ? undefined : votes.contents.get(version);
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
      for (const grant of link.state.holders) {
        const before = findGrant(last.state, grant.lockId);
        const fresh = before === undefined || before.token !== grant.token;
        if (link.state.token < last.state.token || (fresh && grant.token <= last.state.token)) {
          throw new Violation('token-order', `${scope}: token ${grant.token} after ${last.state.token}`);
        }
      }
      if (link.state.token < last.state.token) {
        throw new Violation('token-order', `${scope}: token ${link.state.token} after ${last.state.token}`);
      }
    }
    const { holders } = link.state;
    if (holders.length > 1 && holders.some(({ mode }) => mode === 'write'))
      throw new Violation('one-writer', `${scope}: ${holders.length} holders chosen, one of them writes`);
    const unlike = whyUnlike(link.state);
    if (unlike !== '') throw new Violation('permits', `${scope}: ${unlike}`);
    if (settling(link.state, 'x' as never, 0).length > 0)
      throw new Violation(
        'unsettled',
        `${scope}: ${keyOf(link.ballot)} v${link.version} leaves somebody waiting`,
      );
    if (last !== undefined) this.checkOrder(scope, record, last.state, link.state);
    // What is unclaimed nobody has: its client may be gone for good, and then it ends so.
    const again = link.state.holders.find(
      ({ lockId, unclaimed }) =>
        unclaimed === null &&
        record.ended.has(lockId) &&
        !last?.state.holders.some((held) => held.lockId === lockId && held.unclaimed === null),
    );
    if (again !== undefined && !record.anew.has(again.lockId) && !this.watcher.wanted(again.lockId))
      throw new Violation('granted-again', `${scope}: ${again.lockId} had ended`);
    const fresh = link.state.retirements - (last?.state.retirements ?? 0);
    for (const { lockId, ending, token } of link.state.retired.newest(fresh)) {
      record.ended.set(lockId, link.state.retirements);
      if (ending === 'released' && token > 0 && !this.watcher.mayRelease(scope, lockId)) {
        throw new Violation('ended-unasked', `${scope}: nobody asked to release ${lockId}`);
      }
      this.watcher.ended(scope, lockId, ending);
    }
    record.chain.push(link);
    this.journal.note('chosen', link.version, link.state.token, () => {
      const { token, retirements, holders } = link.state;
      const waiting = [...everybody(link.state.queue)].map((w) => w.lockId).join();
      const parked = [...values(link.state.parked)].map((w) => w.lockId).join();
      return `${JSON.stringify(scope)} ${keyOf(link.ballot)} v${link.version} token ${token} ended ${retirements} held by ${holders.map((g) => `${g.lockId}${g.mode === 'read' ? 'r' : ''}${g.unclaimed === null ? '' : '?'}`).join() || 'nobody'} waiting ${waiting} parked ${parked}`;
    });
  }

  /** L2: whoever was granted from the queue, or past it, against whoever waited before and still waits. */
  private checkOrder(scope: string, record: ScopeRecord, before: LockState, after: LockState): void {
    const overtaken = new Map<LockId, number>();
    const fresh = after.holders.filter((grant) => findGrant(before, grant.lockId) === undefined);
    for (const waiter of everybody(after.queue)) {
      const { lockId, arrival, priority } = waiter;
      // Another value has been away meanwhile, if only within one change; or it was read from a wire.
      if (findWaiter(before.queue, lockId) !== waiter) continue;
      let count = record.overtaken.get(lockId) ?? 0;
      for (const grant of fresh) {
        const former = findWaiter(before.queue, grant.lockId);
        if (former === undefined && findParked(before, grant.lockId) !== undefined) continue;
        if ((former?.arrival ?? Number.POSITIVE_INFINITY) < arrival) continue;
        count++;
        const its =
          former === undefined
            ? PRIORITIES.indexOf(grant.priority)
            : classOf(before.queue, former.priority, former.arrival);
        const few = before.queue.passed.length < OVERTAKEN_MAX / 2 && fresh.length < OVERTAKEN_MAX / 2;
        if (few && classOf(before.queue, priority, arrival) <= its) {
          throw new Violation('order', `${scope}: ${grant.lockId} was granted before ${lockId}`);
        }
      }
      if (count > OVERTAKEN_MAX * PRIORITIES.indexOf(priority)) {
        throw new Violation('overtaken', `${scope}: ${lockId} was overtaken ${count} times`);
      }
      if (count > 0) overtaken.set(lockId, count);
    }
    record.overtaken = overtaken;
  }

  /** An acquire is on its way to another peer. */
  asked(scope: string, lockId: LockId, seen: number): void {
    const record = this.record(scope);
    const endedAt = record.ended.get(lockId);
    if (endedAt !== undefined && seen >= endedAt) record.anew.add(lockId);
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

/** L10: all have the same permits, and holders distinct slots of them. */
function whyUnlike({ holders, queue, parked }: LockState): string {
  const all = [...holders, ...everybody(queue), ...values(parked)];
  const kinds = new Set(all.map(({ permits }) => permits));
  if (kinds.size > 1) return `${[...kinds].join(' and ')} permits at once`;
  const held = holders.filter(({ mode }) => mode === 'permit');
  const slots = new Set(held.map(({ slot }) => slot));
  if (slots.size < held.length) return `a slot is held twice by ${held.length} holders`;
  const wrong = held.find(({ slot, permits }) => slot >= permits);
  return wrong === undefined ? '' : `slot ${wrong.slot} of ${wrong.permits}`;
}

function places({ queue, parked }: LockState): string {
  const text = ({ lockId, arrival, gateway }: { lockId: string; arrival: number; gateway: string }) =>
    `${lockId} ${arrival} ${gateway}`;
  return `${[...everybody(queue)].map(text).join()}; ${[...values(parked)].map(text).join()}`;
}

export function sameState(a: LockState, b: LockState): boolean {
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
        grant.leaseMs === other.leaseMs &&
        grant.mode === other.mode &&
        grant.slot === other.slot &&
        grant.unclaimed?.gateway === other.unclaimed?.gateway
      );
    }) &&
    places(a) === places(b) &&
    a.upgrade?.lockId === b.upgrade?.lockId &&
    a.arrivals === b.arrivals &&
    a.queue.passed.join() === b.queue.passed.join() &&
    endings(a) === endings(b)
  );
}

function endings({ retired }: LockState): string {
  let text = '';
  for (const { lockId, ending } of retired) text += `${lockId} ${ending},`;
  return text;
}

/** Why `later` cannot have grown out of `earlier`, or ''. */
function whyNotWithin(earlier: LockState, later: LockState): string {
  if (later.retirements < earlier.retirements)
    return `retirements fell from ${earlier.retirements} to ${later.retirements}`;
  const forgotten = later.retirements - earlier.retirements >= RETIRED_RING;
  for (const grant of earlier.holders) {
    const still = later.holders.find((other) => other.lockId === grant.lockId);
    if (still !== undefined) {
      if (still.token < grant.token || (still.token !== grant.token && !mayChangeToken(grant, still)))
        return `${grant.lockId} changed its token`;
    } else if (grant.unclaimed !== null && isWaiting(later, grant.lockId)) continue;
    else if (!forgotten && later.retired.find(grant.lockId) === undefined) return `${grant.lockId} vanished`;
  }
  for (const { lockId } of [...everybody(earlier.queue), ...values(earlier.parked)]) {
    if (forgotten || isWaiting(later, lockId) || findGrant(later, lockId) !== undefined) continue;
    if (later.retired.find(lockId) === undefined) return `${lockId} lost its place`;
  }
  const common = Math.min(earlier.retired.length, RETIRED_RING - (later.retirements - earlier.retirements));
  for (const entry of earlier.retired.newest(common)) {
    if (later.retired.find(entry.lockId)?.ending !== entry.ending)
      return `${entry.lockId} is no longer ${entry.ending}`;
  }
  return '';
}

/** A conversion takes a new token; an unclaimed grant may have gone back and been granted again. */
function mayChangeToken(before: Grant, after: Grant): boolean {
  return after.former !== 0 || before.unclaimed !== null;
}

function isWaiting(state: LockState, lockId: LockId): boolean {
  return findWaiter(state.queue, lockId) !== undefined || findParked(state, lockId) !== undefined;
}
