/**
 * Proposer: one peer's attempt to lead one scope.
 * Always true: a stamp's content is fixed before it is first sent (V4); a command is settled only by votes that
 * were given after it arrived; what was sent in a stamp is settled as decided or unknown, never as "nothing
 * happened". Leadership costs one round trip and is kept until a rival or a restart ends it, so that a further
 * change costs one round trip (V4); all commands that wait share the next vote (V3).
 *
 *   phase      on                                 does
 *   idle       commands, all of them reads        ask all voters (V7)                              -> asking
 *   idle       other commands, or an expiry       prepare above every round seen                   -> preparing
 *   asking     one flushed stamp from a majority  settle the reads                                 -> idle
 *   asking     no such majority, or a change      -                                                -> idle, then prepare
 *   preparing  promises of a majority             adopt the newest state                           -> leading
 *   preparing  majority impossible, or too late   pause if it was a duel                           -> idle
 *   leading    commands                           decide all, send one stamp (or a probe)
 *   leading    accepted by a majority             settle what that send covers
 *   leading    gap                                send that voter the state
 *   leading    nacks: majority impossible         take the commands back, pause if it was a duel   -> idle
 *   leading    nacks of a minority                go on; end at the next idle moment or after 1 s  -> idle (V5)
 *   leading    an expiry is due                   ask for ages; a majority overdue: expire (T3)
 */
import type { Command, Expire, Outcome } from '../lock/command.ts';
import { evolveAll, type LockEvent } from '../lock/event.ts';
import { EMPTY, type LockState } from '../lock/state.ts';
import type { Register } from './acceptor.ts';
import { type Ballot, compareBallots, compareStamps, isEndOfRound, NO_BALLOT, sameBallot } from './ballot.ts';
import {
  AGE_RETRY_MS,
  DUEL_PAUSE_MAX_MS,
  DUEL_PAUSE_MS,
  MINORITY_NACK_MS,
  PIPELINE_MAX,
  PREPARE_RETRY_MS,
  RESEND_MAX_MS,
  RESEND_MS,
} from './limits.ts';
import type { Accept, Accepted, Gap, Nack, Promised, Report, VoteMessage } from './messages.ts';
import { count, majority, reachedByMajority, tally } from './quorum.ts';
import type { VoteRules } from './rules.ts';

/** A command that waits for its vote, and whom to tell. */
export interface Task {
  readonly command: Command;
  /** By this peer's monotonic clock: not sent in a stamp by then, the command is dropped (V9). */
  readonly deadline: number;
  /** The peer that asked, and its number for this request. */
  readonly from: number;
  readonly request: number;
  /** Whether a change that it caused ever left in a stamp. */
  sent: boolean;
}

/** What a task came to. */
export type Settlement =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly state: LockState; readonly votes: number }
  /** Certain: no stamp with a change of this command ever left. `missing` are the voters that said nothing. */
  | { readonly kind: 'no_quorum'; readonly missing: number }
  | { readonly kind: 'unknown' };

/** What a proposer needs of the peer that it is a part of. */
export interface ProposerHost {
  readonly me: number;
  readonly voters: number;
  readonly identity: string;
  readonly boot: number;
  readonly rules: VoteRules;
  readonly now: number;
  /** The highest round that any voter's restart horizon forbids. */
  roundFloor: number;
  random(): number;
  register(scope: string): Register;
  send(to: number, message: VoteMessage): void;
  settle(scope: string, task: Task, settlement: Settlement): void;
  /** The leases of the scope were looked at; a majority may see the next one run out after `waitMs`. */
  aged(scope: string, waitMs: number): void;
}

interface Flight {
  readonly seq: number;
  readonly task: Task;
  readonly outcome: Outcome;
  readonly state: LockState;
}

type Phase = 'idle' | 'asking' | 'preparing' | 'leading';

const NEVER = Number.POSITIVE_INFINITY;

export class Proposer {
  readonly scope: string;
  phase: Phase = 'idle';
  ballot: Ballot = NO_BALLOT;
  /** Newest state and version sent under the ballot; while preparing, the newest that was promised. */
  state: LockState = EMPTY;
  version = 0;
  /** When to be woken, by this peer's clock. */
  wakeAt = NEVER;

  private pending: Task[] = [];
  private flights: Flight[] = [];
  private seq = 0;
  private settledSeq = 0;
  /** Per voter: the highest seq it answered, and the newest version it was sent, under this ballot. */
  private acked: number[] = [];
  private sentVersion: number[] = [];
  private promises = 0;
  private nacks = 0;
  private best: Ballot = NO_BALLOT;
  /** Adopted but not yet sent under this ballot: the next send carries the state, changed or not. */
  private fresh = false;
  private maxRound = 0;
  private duels = 0;
  private notBefore = 0;
  private retryAt = NEVER;
  private resendMs = RESEND_MS;
  private endBallotAt = NEVER;
  private ask = 0;
  private reports: (Report | undefined)[] = [];
  private asked: Task[] = [];
  private expiryDue = false;
  private expiryAskAt = NEVER;
  private agesAsked = 0;
  private agesHeard = 0;
  private ageWaitMs = AGE_RETRY_MS;

  constructor(scope: string) {
    this.scope = scope;
  }

  /** Whether nothing would be lost if this proposer were forgotten (but its leadership). */
  get idle(): boolean {
    return (
      this.pending.length === 0 &&
      this.flights.length === 0 &&
      this.asked.length === 0 &&
      !this.expiryDue &&
      this.phase !== 'preparing'
    );
  }

  submit(host: ProposerHost, task: Task): void {
    this.pending.push(task);
    this.pump(host);
  }

  /** Asks the voters whether a lease has run out, and ends it if a majority says so (T3). */
  checkExpiry(host: ProposerHost): void {
    if (this.expiryDue) return;
    this.expiryDue = true;
    this.expiryAskAt = host.now;
    this.pump(host);
  }

  wake(host: ProposerHost): void {
    const now = host.now;
    if (now >= this.retryAt) this.onTimeout(host);
    if (now >= this.endBallotAt) this.endBallot(host);
    this.dropLate(host);
    this.pump(host);
  }

  /** Answers what can no longer be settled in time. */
  private dropLate(host: ProposerHost): void {
    const now = host.now;
    if (this.pending.some((task) => task.deadline <= now)) {
      const late = this.pending.filter((task) => task.deadline <= now);
      this.pending = this.pending.filter((task) => task.deadline > now);
      for (const task of late) this.giveUp(host, task);
    }
    if (this.asked.some((task) => task.deadline <= now)) {
      const late = this.asked.filter((task) => task.deadline <= now);
      this.asked = this.asked.filter((task) => task.deadline > now);
      for (const task of late) this.giveUp(host, task);
    }
    if (this.flights.some((flight) => flight.task.deadline <= now)) {
      const late = this.flights.filter((flight) => flight.task.deadline <= now);
      this.flights = this.flights.filter((flight) => flight.task.deadline > now);
      for (const flight of late) this.giveUp(host, flight.task);
    }
  }

  private giveUp(host: ProposerHost, task: Task): void {
    if (task.sent) host.settle(this.scope, task, { kind: 'unknown' });
    else host.settle(this.scope, task, { kind: 'no_quorum', missing: this.silent(host) });
  }

  /** The voters that have not answered under the present attempt. */
  private silent(host: ProposerHost): number {
    let heard = this.promises | this.nacks;
    for (let i = 0; i < host.voters; i++) {
      if (this.phase === 'leading' && (this.acked[i] ?? 0) > 0) heard |= 1 << i;
      if (this.phase === 'asking' && this.reports[i] !== undefined) heard |= 1 << i;
    }
    return ((1 << host.voters) - 1) & ~heard & ~(1 << host.me);
  }

  private pump(host: ProposerHost): void {
    if (this.phase === 'asking' && this.pending.some((task) => task.command.kind !== 'read')) {
      this.stopAsking();
    }
    if (this.phase === 'idle' && host.now >= this.notBefore) {
      if (this.expiryDue || this.pending.some((task) => task.command.kind !== 'read')) this.prepare(host);
      else if (this.pending.length > 0) this.startAsking(host);
    }
    if (this.phase === 'leading') {
      const free = this.flights.length === 0 || this.seq - this.settledSeq < PIPELINE_MAX;
      if (free && this.pending.length > 0) this.propose(host);
      if (this.expiryDue && host.now >= this.expiryAskAt) this.askAges(host);
    }
    this.schedule(host);
  }

  private schedule(host: ProposerHost): void {
    let at = Math.min(this.retryAt, this.endBallotAt);
    if (this.phase === 'idle' && (this.pending.length > 0 || this.expiryDue))
      at = Math.min(at, this.notBefore);
    if (this.phase === 'leading' && this.expiryDue) at = Math.min(at, this.expiryAskAt);
    // Deadlines are looked at in order of arrival only: a later, earlier one is told with the next in time.
    if (this.pending.length > 0) at = Math.min(at, this.pending[0]!.deadline);
    if (this.asked.length > 0) at = Math.min(at, this.asked[0]!.deadline);
    if (this.flights.length > 0) at = Math.min(at, this.flights[0]!.task.deadline);
    this.wakeAt = at === NEVER ? NEVER : Math.max(at, host.now);
  }

  // --- reading without a ballot (V7) ---

  private startAsking(host: ProposerHost): void {
    this.phase = 'asking';
    this.asked = this.pending;
    this.pending = [];
    this.sendAsk(host);
    this.retryAt = host.now + PREPARE_RETRY_MS;
  }

  private sendAsk(host: ProposerHost): void {
    this.ask++;
    this.reports = new Array(host.voters);
    const message: VoteMessage = { kind: 'ask', scope: this.scope, ask: this.ask };
    for (let i = 0; i < host.voters; i++) host.send(i, message);
  }

  private stopAsking(): void {
    this.pending = [...this.asked, ...this.pending];
    this.asked = [];
    this.phase = 'idle';
    this.retryAt = NEVER;
  }

  onReport(host: ProposerHost, from: number, report: Report): void {
    if (report.ask !== this.ask || this.reports[from] !== undefined) return;
    this.reports[from] = report;
    if (this.phase === 'asking') this.countReads(host);
    else if (this.phase === 'leading' && this.expiryDue) this.countAges(host);
  }

  private countReads(host: ProposerHost): void {
    const own = host.register(this.scope);
    let same = 0;
    let other = 0;
    for (let i = 0; i < host.voters; i++) {
      const report = this.reports[i];
      if (report === undefined) continue;
      const { ballot, version } = report.accepted;
      if (report.flushed && compareStamps(ballot, version, own.ballot, own.version) === 0) same |= 1 << i;
      else other |= 1 << i;
    }
    const result = tally(host.voters, same, other);
    if (result === 'pending') return;
    if (result === 'won') {
      const reads = this.asked;
      this.asked = [];
      this.phase = 'idle';
      this.retryAt = NEVER;
      for (const task of reads) {
        const outcome = { kind: 'state' } as const;
        host.settle(this.scope, task, { kind: 'decided', outcome, state: own.state, votes: count(same) });
      }
      this.pump(host);
      return;
    }
    this.stopAsking();
    this.prepare(host);
    this.schedule(host);
  }

  // --- getting a ballot ---

  private prepare(host: ProposerHost): void {
    const round = Math.max(this.maxRound, host.roundFloor, host.register(this.scope).promised.round) + 1;
    this.maxRound = round;
    this.phase = 'preparing';
    this.ballot = { round, peer: host.identity, boot: host.boot };
    this.promises = 0;
    this.nacks = 0;
    this.best = NO_BALLOT;
    this.state = EMPTY;
    this.version = 0;
    this.endBallotAt = NEVER;
    this.retryAt = host.now + PREPARE_RETRY_MS;
    const message: VoteMessage = { kind: 'prepare', scope: this.scope, ballot: this.ballot };
    for (let i = 0; i < host.voters; i++) host.send(i, message);
  }

  onPromised(host: ProposerHost, from: number, message: Promised): void {
    if (this.phase !== 'preparing' || !sameBallot(message.ballot, this.ballot)) return;
    this.promises |= 1 << from;
    if (compareStamps(message.accepted, message.version, this.best, this.version) > 0) {
      this.best = message.accepted;
      this.version = message.version;
      this.state = message.state;
    }
    if (count(this.promises) < majority(host.voters)) return;
    this.phase = 'leading';
    this.fresh = true;
    this.seq = 0;
    this.settledSeq = 0;
    this.acked = new Array(host.voters).fill(0);
    this.sentVersion = new Array(host.voters).fill(-1);
    this.nacks = 0;
    this.duels = 0;
    this.retryAt = NEVER;
    this.expiryAskAt = host.now;
    this.pump(host);
  }

  onNack(host: ProposerHost, from: number, message: Nack): void {
    if (this.phase !== 'preparing' && this.phase !== 'leading') return;
    if (!sameBallot(message.ballot, this.ballot)) return;
    if (compareBallots(message.promised, this.ballot) <= 0) return;
    this.maxRound = Math.max(this.maxRound, message.promised.round);
    if (isEndOfRound(message.promised)) host.roundFloor = Math.max(host.roundFloor, message.promised.round);
    else if ((this.nacks & (1 << from)) === 0) this.duels++;
    this.nacks |= 1 << from;
    if (tally(host.voters, 0, this.nacks) === 'lost') {
      this.endBallot(host);
      this.pump(host);
    } else if (this.phase === 'leading' && this.endBallotAt === NEVER) {
      if (this.flights.length === 0 && this.pending.length === 0) this.endBallot(host);
      else this.endBallotAt = host.now + MINORITY_NACK_MS;
      this.schedule(host);
    }
  }

  /** V5: the ballot is over; what was not settled goes into the next one. */
  private endBallot(host: ProposerHost): void {
    this.phase = 'idle';
    this.retryAt = NEVER;
    this.endBallotAt = NEVER;
    if (this.flights.length > 0 || this.pending.length > 0) {
      // T3: an expiry is written at the ballot under which the ages were told, or not at all.
      const back = this.flights.map((flight) => flight.task).concat(this.pending);
      this.flights = [];
      this.pending = back.filter((task) => task.command.kind !== 'expire');
    }
    if (this.duels > 0) {
      const bound = Math.min(DUEL_PAUSE_MS * 2 ** Math.min(this.duels, 10), DUEL_PAUSE_MAX_MS);
      this.notBefore = host.now + host.random() * bound;
    }
  }

  private onTimeout(host: ProposerHost): void {
    this.retryAt = NEVER;
    if (this.phase === 'asking') {
      this.stopAsking();
      this.prepare(host);
    } else if (this.phase === 'preparing') {
      this.phase = 'idle';
      if (this.pending.length === 0 && this.expiryDue) {
        // Nobody waits for this: the lease is looked at again when its watch fires next.
        this.expiryDue = false;
        host.aged(this.scope, MINORITY_NACK_MS);
      }
    } else if (this.phase === 'leading' && this.flights.length > 0) {
      this.resend(host);
    }
  }

  // --- leading ---

  private propose(host: ProposerHost): void {
    const now = host.now;
    const tasks = this.pending;
    this.pending = [];
    const before = this.state;
    const version = host.rules.nextVersion(this.version, this.heldByOthers(host.me));
    const leaseId = host.rules.leaseId(this.ballot, version);
    const seq = this.seq + 1;
    let events: LockEvent[] | null = null;
    for (const last of [false, true]) {
      for (const task of tasks) {
        if ((task.command.kind === 'expire') !== last) continue; // T4: expiries come last in a stamp
        if (task.deadline <= now && !task.sent) {
          this.giveUp(host, task); // V9
          continue;
        }
        const { outcome, events: caused } = host.rules.decide(this.state, task.command, leaseId);
        if (caused.length > 0) {
          this.state = evolveAll(this.state, caused);
          if (events === null) events = [...caused];
          else events.push(...caused);
          task.sent = true;
        } else if (!host.rules.confirmsUnchanged()) {
          host.settle(this.scope, task, { kind: 'decided', outcome, state: this.state, votes: 1 });
          continue;
        }
        this.flights.push({ seq, task, outcome, state: this.state });
      }
    }
    if (this.flights.length === 0 || this.flights[this.flights.length - 1]!.seq !== seq) return;
    if (events !== null || this.fresh) this.version = version;
    this.broadcast(host, this.fresh ? null : events, before !== this.state || this.fresh);
    this.fresh = false;
  }

  private heldByOthers(me: number): boolean {
    for (let i = 0; i < this.acked.length; i++) if (i !== me && this.acked[i] === this.seq) return true;
    return false;
  }

  /** Sends the newest stamp to all: events to those that were sent the one before, else the state; or a probe. */
  private broadcast(host: ProposerHost, events: readonly LockEvent[] | null, changed: boolean): void {
    this.seq++;
    let delta: Accept | undefined;
    let whole: Accept | undefined;
    for (let k = 0; k < host.voters; k++) {
      const to = (host.me + k) % host.voters;
      if (this.nacks & (1 << to)) continue;
      const had = this.sentVersion[to]!;
      if (changed ? events !== null && had === this.version - 1 : had === this.version) {
        delta ??= this.accept(changed ? events : null, null);
        host.send(to, delta);
      } else {
        whole ??= this.accept(null, this.state);
        host.send(to, whole);
      }
      this.sentVersion[to] = this.version;
    }
    this.resendMs = RESEND_MS;
    if (this.retryAt === NEVER) this.retryAt = host.now + this.resendMs;
  }

  private accept(events: readonly LockEvent[] | null, state: LockState | null): Accept {
    const { scope, ballot, version, seq } = this;
    return { kind: 'accept', scope, ballot, version, seq, events, state };
  }

  /** The newest stamp once more, whole and unchanged, to those that have not answered it. */
  private resend(host: ProposerHost): void {
    this.seq++;
    const whole = this.accept(null, this.state);
    for (let i = 0; i < host.voters; i++) {
      if (this.nacks & (1 << i) || this.acked[i]! >= this.seq - 1) continue;
      host.send(i, whole);
      this.sentVersion[i] = this.version;
    }
    this.resendMs = Math.min(this.resendMs * 2, RESEND_MAX_MS);
    this.retryAt = host.now + this.resendMs;
  }

  onGap(host: ProposerHost, from: number, message: Gap): void {
    if (this.phase !== 'leading' || !sameBallot(message.ballot, this.ballot)) return;
    if (this.nacks & (1 << from)) return;
    host.send(from, this.accept(null, this.state));
    this.sentVersion[from] = this.version;
  }

  onAccepted(host: ProposerHost, from: number, message: Accepted): void {
    if (this.phase !== 'leading' || !sameBallot(message.ballot, this.ballot)) return;
    if (message.seq <= this.acked[from]! || message.seq > this.seq) return;
    this.acked[from] = message.seq;
    const reached = reachedByMajority(this.acked);
    if (reached <= this.settledSeq) return;
    this.settledSeq = reached;
    this.settleFlights(host);
    if (this.flights.length === 0) {
      this.retryAt = NEVER;
      if (this.endBallotAt !== NEVER && this.pending.length === 0) this.endBallot(host);
    } else this.retryAt = host.now + this.resendMs;
    this.pump(host);
  }

  private settleFlights(host: ProposerHost): void {
    let done = 0;
    while (done < this.flights.length && this.flights[done]!.seq <= this.settledSeq) done++;
    const settled = this.flights.slice(0, done);
    this.flights = done === this.flights.length ? [] : this.flights.slice(done);
    for (const { seq, task, outcome, state } of settled) {
      let votes = 0;
      for (const acked of this.acked) if (acked >= seq) votes++;
      host.settle(this.scope, task, { kind: 'decided', outcome, state, votes });
    }
  }

  // --- expiry (T3) ---

  /** Asks for ages; if the voters said too little last time, makes sure first that the ballot still stands. */
  private askAges(host: ProposerHost): void {
    if (this.agesAsked > 0) {
      if (this.agesAsked > 1 && this.agesHeard >= majority(host.voters)) {
        this.endAgeCheck(host);
        return;
      }
      this.touch(host);
    }
    this.agesAsked++;
    this.agesHeard = 0;
    this.expiryAskAt = host.now + PREPARE_RETRY_MS;
    this.sendAsk(host);
  }

  private countAges(host: ProposerHost): void {
    const votes = new Map<string, number>();
    const waits: number[] = [];
    for (const report of this.reports) {
      if (report === undefined || !sameBallot(report.promised, this.ballot)) continue;
      for (const [lockId, leaseId] of report.overdue) {
        const key = `${lockId} ${leaseId}`;
        votes.set(key, (votes.get(key) ?? 0) + 1);
      }
      waits.push(report.overdue.length > 0 ? 0 : report.dueMs < 0 ? NEVER : report.dueMs);
    }
    const needed = majority(host.voters);
    this.agesHeard = waits.length;
    if (waits.length < needed) return;
    this.ageWaitMs = waits.sort((a, b) => a - b)[needed - 1]!;
    let expired = false;
    for (const grant of this.state.holders) {
      if ((votes.get(`${grant.lockId} ${grant.leaseId}`) ?? 0) < needed) continue;
      const command: Expire = { kind: 'expire', lockId: grant.lockId, leaseId: grant.leaseId };
      this.pending.push({ command, deadline: host.now + RESEND_MAX_MS, from: -1, request: -1, sent: false });
      expired = true;
    }
    if (expired || this.state.holders.length === 0 || waits.length === host.voters) this.endAgeCheck(host);
    this.pump(host);
  }

  private endAgeCheck(host: ProposerHost): void {
    // A ballot that was not used yet may lead a state that no majority has accepted, and so has not aged.
    if (this.fresh) this.touch(host);
    this.ask++; // No further report of this question counts.
    this.expiryDue = false;
    this.expiryAskAt = NEVER;
    this.agesAsked = 0;
    host.aged(this.scope, Math.max(AGE_RETRY_MS, this.ageWaitMs));
  }

  /** Sends the present state again, so that voters that lack it accept it and note its leases (T3). */
  private touch(host: ProposerHost): void {
    if (this.fresh) this.version = host.rules.nextVersion(this.version, true);
    this.fresh = false;
    this.broadcast(host, null, true);
  }
}
