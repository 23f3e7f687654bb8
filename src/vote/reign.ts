/**
 * A ballot that a majority has promised: what was sent under it, and who has answered.
 * Always true: the content of (ballot, version) is fixed when it is first sent, to this peer included (V4); `seq`
 * grows with every send; what waits for `seq` is settled once a majority has answered that send or a later one,
 * for each state contains those before it.
 */
import type { Outcome } from '../lock/command.ts';
import { evolveAll, type LockEvent } from '../lock/event.ts';
import type { LockState } from '../lock/state.ts';
import type { Ballot } from './ballot.ts';
import { PIPELINE_MAX, RESEND_MAX_MS, RESEND_MS } from './limits.ts';
import type { Accept, Accepted, Chosen } from './messages.ts';
import { reachedByMajority } from './quorum.ts';
import { NEVER, type ProposerHost, type Task } from './task.ts';

interface Flight {
  readonly seq: number;
  /** What has its majority once `seq` has: this version, or a later one with the same `seq`. */
  readonly version: number;
  readonly task: Task;
  readonly outcome: Outcome;
  readonly state: LockState;
  readonly events: readonly LockEvent[];
}

export class Reign {
  readonly ballot: Ballot;
  /** The newest state, and its version: adopted at first, sent from then on. */
  state: LockState;
  version: number;
  /** Adopted but not sent under this ballot yet: the next send carries the state, changed or not (V3). */
  fresh = true;
  /** Voters that have promised more since, a mask: they accept nothing of this ballot any more. */
  lost = 0;
  /** When to send again what a majority has not answered. */
  resendAt = NEVER;
  private readonly scope: string;
  private seq = 0;
  private settledSeq = 0;
  /** Per voter: the highest seq that it answered, and the newest version that it was sent. */
  private readonly acked: number[];
  private readonly sentVersion: number[];
  private flights: Flight[] = [];
  private resendMs = RESEND_MS;
  /** The newest version that a majority has accepted, as far as sends with tasks, and the last without, tell. */
  private chosen = -1;
  private touchedSeq = 0;
  private touchedVersion = -1;
  /** Voters that watch the scope, a mask. */
  private watchers = 0;

  constructor(scope: string, ballot: Ballot, state: LockState, version: number, voters: number) {
    this.scope = scope;
    this.ballot = ballot;
    this.state = state;
    this.version = version;
    this.acked = new Array(voters).fill(0);
    this.sentVersion = new Array(voters).fill(-1);
  }

  /** Whether nothing is under way. */
  get quiet(): boolean {
    return this.flights.length === 0;
  }

  /** Whether one more send may leave before earlier ones are answered. */
  get mayPropose(): boolean {
    return this.quiet || this.seq - this.settledSeq < PIPELINE_MAX;
  }

  /** The earliest task under way, in order of sending. */
  get firstTask(): Task | undefined {
    return this.flights[0]?.task;
  }

  /** Voters that have answered something that is not settled yet, a mask. */
  get heard(): number {
    let mask = 0;
    for (let i = 0; i < this.acked.length; i++) if (this.acked[i]! > this.settledSeq) mask |= 1 << i;
    return mask;
  }

  /**
   * Decides the tasks in order, and sends one stamp with all their changes; or a probe, if nothing changes.
   * A task may be settled here at once only by a rule that is broken on purpose.
   */
  propose(host: ProposerHost, tasks: readonly Task[]): void {
    const before = this.state;
    const version = host.rules.nextVersion(this.version, this.heldByOthers(host.me));
    const leaseId = host.rules.leaseId(this.ballot, version);
    const seq = this.seq + 1;
    const flying = this.flights.length;
    let events: readonly LockEvent[] | null = null;
    let all: LockEvent[] | undefined;
    for (const task of tasks) {
      const { outcome, events: caused, after } = host.rules.decide(this.state, task.command, leaseId);
      if (caused.length > 0) {
        this.state = after ?? evolveAll(this.state, caused);
        if (events === null) events = caused;
        else {
          all ??= [...events];
          all.push(...caused);
          events = all;
        }
        task.sent = true;
      } else if (!host.rules.confirmsUnchanged()) {
        host.settle(this.scope, task, {
          kind: 'decided',
          outcome,
          state: this.state,
          events: caused,
          votes: 1,
        });
        continue;
      }
      const held = events === null && !this.fresh ? this.version : version;
      const flight = { seq, version: held, task, outcome, state: this.state, events: caused };
      if (this.flights.length === 0) this.flights = [flight];
      else this.flights.push(flight);
    }
    if (this.flights.length === flying) return;
    const changed = before !== this.state || this.fresh;
    if (changed) this.version = version;
    this.broadcast(host, this.fresh ? null : events, changed);
  }

  /** Sends the present state again, so that voters that lack it accept it and note its leases (T3). */
  touch(host: ProposerHost): void {
    if (this.fresh) this.version = host.rules.nextVersion(this.version, true);
    this.broadcast(host, null, true);
    this.touchedSeq = this.seq;
    this.touchedVersion = this.version;
  }

  private heldByOthers(me: number): boolean {
    for (let i = 0; i < this.acked.length; i++) if (i !== me && this.acked[i] === this.seq) return true;
    return false;
  }

  /** Events go to those that were sent the version before, a probe to those that were sent this one, else the state. */
  private broadcast(host: ProposerHost, events: readonly LockEvent[] | null, changed: boolean): void {
    this.fresh = false;
    this.seq++;
    let short: Accept | undefined;
    let whole: Accept | undefined;
    for (let k = 0; k < host.voters; k++) {
      const to = (host.me + k) % host.voters;
      if (this.lost & (1 << to)) continue;
      const had = this.sentVersion[to]!;
      if (changed ? events !== null && had === this.version - 1 : had === this.version) {
        short ??= this.accept(events, null);
        // This peer need not find out what the events make of it.
        host.send(to, to === host.me && events !== null ? { ...short, after: this.state } : short);
      } else {
        whole ??= this.accept(null, this.state);
        host.send(to, whole);
      }
      this.sentVersion[to] = this.version;
    }
    this.resendMs = RESEND_MS;
    if (this.resendAt === NEVER) this.resendAt = host.now + this.resendMs;
  }

  private accept(events: readonly LockEvent[] | null, state: LockState | null): Accept {
    const { scope, ballot, version, seq } = this;
    return { kind: 'accept', scope, ballot, version, seq, events, state };
  }

  /**
   * The newest stamp once more to those that have not answered it: by name, for most are only slow, and a state may be
   * large. Who lacks it says so (gap).
   */
  resend(host: ProposerHost): void {
    this.resendAt = NEVER;
    if (this.quiet) return;
    this.seq++;
    const probe = this.accept(null, null);
    for (let to = 0; to < host.voters; to++) {
      if (this.lost & (1 << to) || this.acked[to]! >= this.seq - 1) continue;
      host.send(to, probe);
    }
    this.resendMs = Math.min(this.resendMs * 2, RESEND_MAX_MS);
    this.resendAt = host.now + this.resendMs;
  }

  /** A voter lacks what the last send built on. */
  onGap(host: ProposerHost, from: number): void {
    if (this.fresh || this.lost & (1 << from)) return;
    host.send(from, this.accept(null, this.state));
    this.sentVersion[from] = this.version;
  }

  /** @returns whether this settled anything. */
  onAccepted(host: ProposerHost, from: number, { seq, watching }: Accepted): boolean {
    if (seq <= this.acked[from]! || seq > this.seq) return false;
    this.acked[from] = seq;
    if (watching || this.watchers !== 0) this.noteWatcher(from, watching === true);
    const reached = reachedByMajority(this.acked);
    if (reached <= this.settledSeq) {
      // Settled by others before: whoever watches here could not be told yet.
      if (watching && seq <= this.settledSeq) this.tellChosen(host, 1 << from, 0);
      return false;
    }
    const before = this.settledSeq;
    this.settledSeq = reached;
    if (this.touchedSeq > before && this.touchedSeq <= reached) this.chosen = this.touchedVersion;
    let done = 0;
    while (done < this.flights.length && this.flights[done]!.seq <= reached) done++;
    const settled = done === this.flights.length ? this.flights : this.flights.slice(0, done);
    this.flights = done === this.flights.length ? [] : this.flights.slice(done);
    this.resendAt = this.quiet ? NEVER : host.now + this.resendMs;
    if (settled.length > 0) this.chosen = Math.max(this.chosen, settled[settled.length - 1]!.version);
    if (this.watchers !== 0) this.tellChosen(host, this.watchers, before);
    for (const { seq: needed, task, outcome, state, events } of settled) {
      let votes = 0;
      for (const acked of this.acked) if (acked >= needed) votes++;
      host.settle(this.scope, task, { kind: 'decided', outcome, state, events, votes });
    }
    return true;
  }

  private noteWatcher(voter: number, watches: boolean): void {
    if (watches) this.watchers |= 1 << voter;
    else this.watchers &= ~(1 << voter);
  }

  /** Tells those watchers that have answered a later send than `since`: the others are told once they do. */
  private tellChosen(host: ProposerHost, watchers: number, since: number): void {
    const version = host.rules.toldAsChosen(this.chosen, this.version);
    if (version < 0) return;
    const message: Chosen = { kind: 'chosen', scope: this.scope, ballot: this.ballot, version };
    for (let to = 0; to < host.voters; to++) {
      if (watchers & (1 << to) && this.acked[to]! > since) host.send(to, message);
    }
  }

  /** Takes back the tasks that match, unsettled. */
  takeBack(which: (task: Task) => boolean): Task[] {
    const taken = this.flights.filter((flight) => which(flight.task)).map((flight) => flight.task);
    if (taken.length > 0) this.flights = this.flights.filter((flight) => !which(flight.task));
    return taken;
  }
}
