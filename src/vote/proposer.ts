/**
 * Proposer: one peer's attempt to lead one scope.
 * Always true: a command is settled only by votes that were given after it arrived; what was sent in a stamp is
 * settled as decided or unknown, never as "nothing happened". Leadership costs one round trip and is kept until a
 * rival or a restart ends it, so that a further change costs one round trip (V4); all commands that wait share the
 * next vote (V3).
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
import { EMPTY, type LockState } from '../lock/state.ts';
import { type Ballot, compareBallots, compareStamps, isEndOfRound, NO_BALLOT, sameBallot } from './ballot.ts';
import {
  AGE_RETRY_MS,
  DUEL_PAUSE_MAX_MS,
  DUEL_PAUSE_MS,
  MINORITY_NACK_MS,
  PREPARE_RETRY_MS,
  RESEND_MAX_MS,
} from './limits.ts';
import type { Accepted, Gap, Nack, Promised, Report } from './messages.ts';
import { Poll } from './poll.ts';
import { count, majority, tally } from './quorum.ts';
import { Reign } from './reign.ts';
import { isRead, NEVER, type ProposerHost, type Task } from './task.ts';

type Phase = 'idle' | 'asking' | 'preparing' | 'leading';

export class Proposer {
  readonly scope: string;
  phase: Phase = 'idle';
  /** When to be woken, by this peer's clock. */
  wakeAt = NEVER;

  private ballot: Ballot = NO_BALLOT;
  private reign: Reign | undefined;
  private pending: Task[] = [];

  /** While preparing: who answered what (masks), and the newest state that was promised. */
  private promises = 0;
  private nacks = 0;
  private best: Ballot = NO_BALLOT;
  private bestVersion = 0;
  private bestState: LockState = EMPTY;
  private retryAt = NEVER;

  private maxRound = 0;
  private duels = 0;
  private notBefore = 0;
  /** V5: when a ballot that a minority has left is given up. */
  private endBallotAt = NEVER;

  private readonly poll = new Poll();
  private asked: Task[] = [];
  private expiryDue = false;
  private agesAt = NEVER;
  private agesAsked = 0;
  private agesHeard = 0;
  private ageWaitMs = AGE_RETRY_MS;

  constructor(scope: string) {
    this.scope = scope;
  }

  /** Whether nothing would be lost if this proposer were forgotten (but its leadership). */
  get idle(): boolean {
    const waiting = this.pending.length > 0 || this.asked.length > 0 || this.expiryDue;
    return !waiting && this.phase !== 'preparing' && (this.reign?.quiet ?? true);
  }

  submit(host: ProposerHost, task: Task): void {
    // A list that begins with its first element has room for one; one that is pushed to, for 17.
    if (this.pending.length === 0) this.pending = [task];
    else this.pending.push(task);
    this.pump(host);
  }

  /** Asks the voters whether a lease has run out, and ends it if a majority says so (T3). */
  checkExpiry(host: ProposerHost): void {
    if (this.expiryDue) return;
    this.expiryDue = true;
    this.agesAt = host.now;
    this.pump(host);
  }

  wake(host: ProposerHost): void {
    const { now } = host;
    if (now >= this.retryAt) this.onTimeout(host);
    if (this.reign !== undefined && now >= this.reign.resendAt) this.reign.resend(host);
    if (now >= this.endBallotAt) this.endBallot(host);
    this.dropLate(host);
    this.pump(host);
  }

  private pump(host: ProposerHost): void {
    const changes = this.expiryDue || this.pending.some((task) => !isRead(task.command));
    if (this.phase === 'asking' && changes) this.stopAsking();
    if (this.phase === 'idle' && host.now >= this.notBefore) {
      if (changes) this.prepare(host);
      else if (this.pending.length > 0) this.startAsking(host);
    }
    if (this.reign !== undefined) {
      if (this.pending.length > 0 && this.reign.mayPropose) this.propose(host, this.reign);
      if (this.expiryDue && host.now >= this.agesAt) this.askAges(host, this.reign);
    }
    this.schedule(host);
  }

  private schedule(host: ProposerHost): void {
    let at = Math.min(this.retryAt, this.endBallotAt, this.reign?.resendAt ?? NEVER);
    if (this.phase === 'idle' && (this.pending.length > 0 || this.expiryDue))
      at = Math.min(at, this.notBefore);
    if (this.reign !== undefined && this.expiryDue) at = Math.min(at, this.agesAt);
    // Deadlines are looked at in order of arrival only: a later, earlier one is told with the next in time.
    for (const task of [this.pending[0], this.asked[0], this.reign?.firstTask]) {
      if (task !== undefined) at = Math.min(at, task.deadline);
    }
    this.wakeAt = at === NEVER ? NEVER : Math.max(at, host.now);
  }

  // --- deadlines (V9, V10) ---

  private dropLate(host: ProposerHost): void {
    const late = (task: Task) => task.deadline <= host.now;
    for (const task of this.reign?.takeBack(late) ?? []) this.giveUp(host, task);
    for (const list of [this.pending, this.asked]) {
      for (const task of list.filter(late)) this.giveUp(host, task);
    }
    this.pending = this.pending.filter((task) => !late(task));
    this.asked = this.asked.filter((task) => !late(task));
  }

  private giveUp(host: ProposerHost, task: Task): void {
    if (task.sent) host.settle(this.scope, task, { kind: 'unknown' });
    else host.settle(this.scope, task, { kind: 'no_quorum', missing: this.silent(host) });
  }

  /** The voters that have not answered under the present attempt. */
  private silent(host: ProposerHost): number {
    const heard = this.promises | this.nacks | this.poll.heard | (this.reign?.heard ?? 0) | (1 << host.me);
    return (2 ** host.voters - 1) & ~heard;
  }

  // --- reading without a ballot (V7) ---

  private startAsking(host: ProposerHost): void {
    this.phase = 'asking';
    this.asked = this.pending;
    this.pending = [];
    this.poll.ask(host, this.scope);
    this.retryAt = host.now + PREPARE_RETRY_MS;
  }

  private stopAsking(): void {
    this.pending = [...this.asked, ...this.pending];
    this.asked = [];
    this.phase = 'idle';
    this.retryAt = NEVER;
  }

  onReport(host: ProposerHost, from: number, report: Report): void {
    if (!this.poll.take(from, report)) return;
    if (this.phase === 'asking') this.countReads(host);
    else if (this.reign !== undefined && this.expiryDue) this.countAges(host, this.reign);
  }

  private countReads(host: ProposerHost): void {
    const { state } = host.register(this.scope);
    const { result, votes } = this.poll.agreesWith(host.register(this.scope), host.voters);
    if (result === 'pending') return;
    const reads = this.asked;
    if (result === 'won') this.asked = [];
    this.stopAsking();
    if (result === 'lost') this.prepare(host);
    else {
      for (const task of reads) {
        host.settle(this.scope, task, {
          kind: 'decided',
          outcome: { kind: 'state' },
          state,
          events: [],
          votes,
        });
      }
    }
    this.pump(host);
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
    this.bestVersion = 0;
    this.bestState = EMPTY;
    this.retryAt = host.now + PREPARE_RETRY_MS;
    const message = { kind: 'prepare', scope: this.scope, ballot: this.ballot } as const;
    for (let i = 0; i < host.voters; i++) host.send(i, message);
  }

  onPromised(host: ProposerHost, from: number, message: Promised): void {
    if (this.phase !== 'preparing' || !sameBallot(message.ballot, this.ballot)) return;
    this.promises |= 1 << from;
    if (compareStamps(message.accepted, message.version, this.best, this.bestVersion) > 0) {
      this.best = message.accepted;
      this.bestVersion = message.version;
      this.bestState = message.state;
    }
    if (count(this.promises) < majority(host.voters)) return;
    this.phase = 'leading';
    this.reign = new Reign(this.scope, this.ballot, this.bestState, this.bestVersion, host.voters);
    this.nacks = 0;
    this.duels = 0;
    this.retryAt = NEVER;
    this.agesAt = host.now;
    this.pump(host);
  }

  onNack(host: ProposerHost, from: number, message: Nack): void {
    if (this.phase !== 'preparing' && this.phase !== 'leading') return;
    if (!sameBallot(message.ballot, this.ballot)) return;
    const { promised } = message;
    if (compareBallots(promised, this.ballot) <= 0) return;
    this.maxRound = Math.max(this.maxRound, promised.round);
    if (isEndOfRound(promised)) host.roundFloor = Math.max(host.roundFloor, promised.round);
    else if ((this.nacks & (1 << from)) === 0) this.duels++;
    this.nacks |= 1 << from;
    if (this.reign !== undefined) this.reign.lost |= 1 << from;
    if (tally(host.voters, 0, this.nacks) === 'lost') this.endBallot(host);
    else if (this.reign !== undefined && this.endBallotAt === NEVER) {
      if (this.reign.quiet && this.pending.length === 0) this.endBallot(host);
      else this.endBallotAt = host.now + MINORITY_NACK_MS;
    }
    this.pump(host);
  }

  /** V5: the ballot is over; what was not settled goes into the next one. */
  private endBallot(host: ProposerHost): void {
    this.phase = 'idle';
    this.retryAt = NEVER;
    this.endBallotAt = NEVER;
    const back = this.reign?.takeBack(() => true) ?? [];
    this.reign = undefined;
    // T3: an expiry is written at the ballot under which the ages were told, or not at all.
    this.pending = [...back, ...this.pending].filter((task) => task.command.kind !== 'expire');
    // Whoever overruled this ballot may have extended: look at this peer's own register before asking again.
    if (this.expiryDue) this.endAgeCheck(host, AGE_RETRY_MS);
    if (this.duels === 0) return;
    const bound = Math.min(DUEL_PAUSE_MS * 2 ** Math.min(this.duels, 10), DUEL_PAUSE_MAX_MS);
    this.notBefore = host.now + host.random() * bound;
  }

  private onTimeout(host: ProposerHost): void {
    this.retryAt = NEVER;
    if (this.phase === 'asking') {
      this.stopAsking();
      this.prepare(host);
    } else if (this.phase === 'preparing') {
      this.phase = 'idle';
      // Nobody waits for an expiry alone: the lease is looked at again when its watch fires next.
      if (this.pending.length === 0 && this.expiryDue) this.endAgeCheck(host, MINORITY_NACK_MS);
    }
  }

  // --- leading ---

  private propose(host: ProposerHost, reign: Reign): void {
    const tasks = this.pending;
    this.pending = [];
    const late = tasks.filter(({ deadline }) => deadline <= host.now);
    const inTime = late.length === 0 ? tasks : tasks.filter(({ deadline }) => deadline > host.now);
    for (const task of late) this.giveUp(host, task); // V9
    // T4: in one stamp, claims and extensions come before what ends leases and sessions.
    if (inTime.some(endsOthers)) inTime.sort((a, b) => Number(endsOthers(a)) - Number(endsOthers(b)));
    if (inTime.length > 0) reign.propose(host, inTime);
  }

  onGap(host: ProposerHost, from: number, message: Gap): void {
    if (this.reign !== undefined && sameBallot(message.ballot, this.ballot)) this.reign.onGap(host, from);
  }

  onAccepted(host: ProposerHost, from: number, message: Accepted): void {
    const { reign } = this;
    if (reign === undefined || !sameBallot(message.ballot, this.ballot)) return;
    if (!reign.onAccepted(host, from, message)) return;
    if (this.endBallotAt !== NEVER && reign.quiet && this.pending.length === 0) this.endBallot(host);
    this.pump(host);
  }

  // --- expiry (T3) ---

  /** Asks for ages; if too few stood by the ballot last time, makes sure first that it still stands. */
  private askAges(host: ProposerHost, reign: Reign): void {
    if (this.agesAsked > 1 && this.agesHeard >= majority(host.voters)) {
      this.endAgeCheck(host, this.ageWaitMs);
      return;
    }
    if (this.agesAsked > 2) {
      this.endAgeCheck(host, MINORITY_NACK_MS);
      return;
    }
    if (this.agesAsked > 0) reign.touch(host);
    this.agesAsked++;
    this.agesHeard = 0;
    this.agesAt = host.now + PREPARE_RETRY_MS;
    this.poll.ask(host, this.scope);
  }

  private countAges(host: ProposerHost, reign: Reign): void {
    const ages = this.poll.ages(this.ballot, host.voters);
    this.agesHeard = ages.voices;
    if (ages.voices < majority(host.voters)) return;
    this.ageWaitMs = ages.waitMs;
    let expired = false;
    for (const { lockId, leaseId } of reign.state.holders) {
      if (!ages.overdue(lockId, leaseId)) continue;
      const command = { kind: 'expire', lockId, leaseId, at: host.wall() } as const;
      this.pending.push({ command, deadline: host.now + RESEND_MAX_MS, from: -1, request: -1, sent: false });
      expired = true;
    }
    if (expired || reign.state.holders.length === 0 || ages.voices === host.voters) {
      this.endAgeCheck(host, ages.waitMs);
    }
    this.pump(host);
  }

  private endAgeCheck(host: ProposerHost, waitMs: number): void {
    // A ballot that was not used yet may lead a state that no majority has accepted, and so has not aged.
    if (this.reign?.fresh === true && this.pending.length === 0) this.reign.touch(host);
    this.poll.close();
    this.expiryDue = false;
    this.agesAt = NEVER;
    this.agesAsked = 0;
    host.aged(this.scope, Math.max(AGE_RETRY_MS, waitMs));
  }
}

function endsOthers({ command }: Task): boolean {
  return command.kind === 'expire' || command.kind === 'sweep';
}
