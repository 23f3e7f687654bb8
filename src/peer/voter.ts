/**
 * The voting half of a peer: its registers, its proposers, its promise horizon and its leases.
 * Always true: what leaves in an `accepted` is flushed; no round beyond the durable horizon is promised (V8); a
 * scope that is not in memory is on disk whole, promised no less than a reload gives it (G2).
 */
import type { Command } from '../lock/command.ts';
import type { LockEvent } from '../lock/event.ts';
import { findWaiter } from '../lock/queue.ts';
import { findGrant, findParked, isFree, type LockState, type SessionId } from '../lock/state.ts';
import {
  applyAccept,
  nackOf,
  type Register,
  reportOf,
  rowOfAccept,
  rowOfPrepare,
  type StoredRegister,
} from '../vote/acceptor.ts';
import { type Ballot, endOfRound } from '../vote/ballot.ts';
import type { Accept, Ask, Prepare, VoteMessage } from '../vote/messages.ts';
import type { VoteRules } from '../vote/rules.ts';
import { NEVER, type ProposerHost, type Settlement, type Task } from '../vote/task.ts';
import { Duties, type DutiesPort } from './duties.ts';
import { Holders } from './holders.ts';
import { Horizon } from './horizon.ts';
import { LOCKS_PER_HOLDER_MAX } from './limits.ts';
import type { Notice, View } from './messages.ts';
import { type Entry, Scopes, type ScopesPort } from './scopes.ts';
import { viewOf } from './view.ts';
import { Watching } from './watching.ts';
import { type Batch, Writes } from './writes.ts';

/** What a voter knows from its disk when it starts. */
export interface VoterStart {
  readonly horizon: number;
  /** Reads a register that is not in memory; what was given to a flush that ended is there. */
  readonly read: (scope: string) => StoredRegister | undefined;
  /** All registers that are not free: their leases and places must be watched from the start. */
  readonly held: Iterable<readonly [string, StoredRegister]>;
}

export interface VoterPort {
  send(to: number, message: VoteMessage): void;
  settle(task: Task, scope: string, settlement: Settlement): void;
  /** Somebody who waits at this gateway was granted, or upgraded: chosen. */
  notice(gateway: SessionId, notice: Notice): void;
  /** The session's death is chosen: the others may know. */
  obituary(session: SessionId): void;
  /** This voter's place in the line of the scope, among those that look alive; 0 is the home. */
  rank(scope: string): number;
}

export class Voter implements ProposerHost {
  readonly me: number;
  readonly voters: number;
  readonly identity: string;
  readonly boot: number;
  readonly rules: VoteRules;
  readonly random: () => number;
  readonly wall: () => number;
  now = 0;
  roundFloor = 0;
  nextQuestion: number;

  private readonly port: VoterPort;
  private readonly read: VoterStart['read'];
  private readonly floor: Ballot;
  private readonly horizon: Horizon;

  private readonly memory: Scopes;
  readonly duties: Duties;
  private readonly holders = new Holders();

  private readonly writes = new Writes();
  readonly watching: Watching;

  constructor(
    id: { me: number; voters: number; identity: string; boot: number },
    start: VoterStart,
    rules: VoteRules,
    random: () => number,
    wall: () => number,
    port: VoterPort,
    now: number,
  ) {
    this.me = id.me;
    this.voters = id.voters;
    this.identity = id.identity;
    this.boot = id.boot;
    this.rules = rules;
    this.random = random;
    this.wall = wall;
    this.nextQuestion = Math.floor(random() * 2 ** 46) + 1;
    this.port = port;
    this.read = start.read;
    this.horizon = new Horizon(start.horizon);
    this.floor = endOfRound(start.horizon);
    this.roundFloor = start.horizon;
    this.now = now;
    this.memory = new Scopes(this.scopesPort(start.read));
    this.duties = new Duties(this.dutiesPort());
    this.watching = new Watching(this);
    for (const [scope, stored] of start.held) {
      this.memory.begin(scope, stored);
      this.duties.noteState(scope, stored.state);
      for (const grant of stored.state.holders) this.holders.came(grant);
    }
  }

  private dutiesPort(): DutiesPort {
    const voter = this;
    return {
      get now() {
        return voter.now;
      },
      peek: (scope) => this.memory.peek(scope),
      state: (scope) => this.memory.state(scope),
      rank: (scope) => this.port.rank(scope),
      wall: () => this.wall(),
      submit: (scope, task) => this.submit(scope, task),
      checkExpiry: (entry) => this.memory.proposerOf(entry).checkExpiry(this),
      notice: (gateway, notice) => this.port.notice(gateway, notice),
      obituary: (session) => this.port.obituary(session),
      trustsOwnCopy: () => this.rules.trustsOwnCopy(),
    };
  }

  private scopesPort(read: VoterStart['read']): ScopesPort {
    const voter = this;
    return {
      get now() {
        return voter.now;
      },
      read,
      promisedAfterRestart: (stored) => this.rules.promisedAfterRestart(stored, this.floor),
      // A message that waits for the horizon may be about any register, and has changed none yet.
      mayForget: (register) =>
        !this.horizon.isAwaited && this.rules.mayForget(register, this.writes.has(register), this.floor),
      isSettled: (register) => !this.horizon.isAwaited && this.writes.has(register),
    };
  }

  get nextWake(): number {
    return Math.min(this.memory.nextWake, this.duties.nextWake, this.watching.nextWake);
  }

  /** How many scopes are in memory. */
  get scopes(): number {
    return this.memory.size;
  }

  /** How many times a scope was frozen: each time its objects became garbage. */
  get frozen(): number {
    return this.memory.frozen;
  }

  register(scope: string): Register {
    return this.memory.get(scope).register;
  }

  /** Scopes in memory, for lists and dashboards only: what this voter has accepted. */
  *known(): Iterable<readonly [scope: string, register: Register]> {
    yield* this.memory.all();
  }

  /** Forgets all free scopes that it may (memory pressure, and the simulator). @returns how many. */
  forgetFree(): number {
    return this.memory.forgetFree();
  }

  /** Tells what is chosen of this scope from now on, until told not to (`watching` has the news). */
  watch(scope: string): void {
    this.watching.add(this.memory.get(scope));
  }

  unwatch(scope: string): void {
    const entry = this.memory.peek(scope);
    if (entry !== undefined) this.watching.remove(entry);
  }

  // --- the acceptor's side ---

  receive(from: number, message: VoteMessage): void {
    switch (message.kind) {
      case 'prepare':
        this.onPrepare(from, message);
        return;
      case 'accept':
        this.onAccept(from, message);
        return;
      case 'ask':
        this.onAsk(from, message);
        return;
    }
    // The rest are answers to this peer's questions. Where nobody asks any more, they are late.
    const entry = this.memory.warm(message.scope);
    if (entry === undefined) return;
    const { proposer, watch } = entry;
    if (watch !== undefined) {
      if (message.kind === 'chosen') this.watching.chosen(watch, message);
      if (message.kind === 'report' && this.watching.report(watch, entry, from, message)) return;
    }
    if (proposer === undefined) return;
    entry.touched = true;
    switch (message.kind) {
      case 'promised':
        proposer.onPromised(this, from, message);
        break;
      case 'nack':
        proposer.onNack(this, from, message);
        break;
      case 'accepted':
        proposer.onAccepted(this, from, message);
        break;
      case 'gap':
        proposer.onGap(this, from, message);
        break;
      case 'report':
        proposer.onReport(this, from, message);
        break;
    }
    this.memory.arm(entry);
  }

  private onPrepare(from: number, message: Prepare): void {
    const { scope, ballot } = message;
    const { register } = this.memory.get(scope);
    const row = rowOfPrepare(register, message, this.horizon.durable);
    if (row === 'B') this.horizon.hold(from, message, this.writes.open);
    else if (row === 'A') this.port.send(from, { ...nackOf(register, ballot), scope });
    else {
      register.promised = ballot;
      this.horizon.aheadOfNeed(ballot.round, this.writes.open);
      const flushed = () => (this.writes.has(register) ? register : this.read(scope));
      this.port.send(from, this.rules.promised(scope, register, ballot, flushed));
    }
  }

  private onAccept(from: number, message: Accept): void {
    const { scope, ballot, seq } = message;
    const entry = this.memory.get(scope);
    const { register } = entry;
    const row = rowOfAccept(register, message, this.horizon.durable);
    if (row === 'D') {
      this.port.send(from, { ...nackOf(register, ballot), scope });
      return;
    }
    if (row === 'E') {
      this.horizon.hold(from, message, this.writes.open);
      return;
    }
    const before = register.state;
    const noted = register.noted;
    applyAccept(register, message, row, this.now);
    if (row === 'I') {
      this.port.send(from, { kind: 'gap', scope, ballot, seq });
      return;
    }
    const events = row === 'H' ? message.events : null;
    if (row !== 'F') this.accepted(entry, events, before, noted);
    if (entry.watch !== undefined && row !== 'F') this.watching.accepted(entry.watch, entry, events);
    const answer: VoteMessage =
      entry.watch === undefined
        ? { kind: 'accepted', scope, ballot, seq }
        : { kind: 'accepted', scope, ballot, seq, watching: true };
    if (this.rules.mayAnswer(scope, register, this.writes.has(register))) this.port.send(from, answer);
    else this.writes.hold(register, from, answer);
  }

  /** The register has changed. @param events how, if it was not replaced whole. */
  private accepted(
    entry: Entry,
    events: readonly LockEvent[] | null,
    before: LockState,
    noted: readonly number[],
  ): void {
    const { scope, register } = entry;
    const { state } = register;
    if (events !== null && this.rules.mayStayUnflushed(scope, events)) {
      entry.news = null;
      this.memory.watch(entry);
      return;
    }
    if (events === null) {
      entry.news = null;
      this.duties.noteState(scope, state);
    } else {
      if (entry.news !== null) entry.news = entry.news.length === 0 ? events : [...entry.news, ...events];
      this.duties.noteEvents(scope, events);
    }
    this.writes.add(entry);
    if (before.holders !== state.holders) {
      this.holders.changed(entry, before, noted, this.now, (grant) => {
        // What is kept its place, or waits in the state that was chosen instead, still lives with its session.
        const place = findWaiter(state.queue, grant.lockId) ?? findParked(state, grant.lockId);
        if (place === undefined) this.duties.noteGone(scope, grant);
      });
    } else if (before.parked === state.parked && isFree(before) === isFree(state)) return;
    this.memory.watch(entry);
  }

  /** The limit that this command would break, or undefined. Repeats of what is held break none. */
  limitOf(scope: string, command: Command): string | undefined {
    if (command.kind !== 'acquire' || this.holders.of(command.holder) < LOCKS_PER_HOLDER_MAX)
      return undefined;
    const state = this.memory.peek(scope)?.register.state;
    const known = state !== undefined && findGrant(state, command.lockId) !== undefined;
    return known ? undefined : `${LOCKS_PER_HOLDER_MAX} locks of one holder`;
  }

  private onAsk(from: number, message: Ask): void {
    const { register } = this.memory.get(message.scope);
    this.port.send(from, reportOf(message, register, this.writes.has(register), this.now));
  }

  // --- flushing ---

  /** Whether something waits for the disk. */
  get hasWrites(): boolean {
    return !this.writes.isEmpty || this.horizon.in(this.writes.open) > 0;
  }

  /** All that came since the last call, to be flushed as one; `flushed` is called with its number afterwards. */
  takeWrites(): Batch {
    return this.writes.take(this.horizon.in(this.writes.open));
  }

  /** Batch `number`, and all before, are on disk. */
  onFlushed(number: number): void {
    this.writes.landed(number, (to, message) => this.port.send(to, message));
    for (const { from, message } of this.horizon.flushed(number)) this.receive(from, message);
  }

  // --- the proposer's side ---

  /** Proposes a command, or tells the task's sender why not. */
  submit(scope: string, task: Task): void {
    const entry = this.memory.get(scope);
    this.memory.proposerOf(entry).submit(this, task);
    this.memory.arm(entry);
  }

  send(to: number, message: VoteMessage): void {
    this.port.send(to, message);
  }

  settle(scope: string, task: Task, settlement: Settlement): void {
    if (settlement.kind === 'decided') {
      if (task.command.kind === 'acquire') this.count(scope, settlement.outcome.kind);
      this.duties.announce(scope, settlement);
    }
    if (task.from >= 0) this.port.settle(task, scope, settlement);
    else this.duties.settled(task, settlement);
  }

  private count(scope: string, kind: string): void {
    const entry = this.memory.get(scope);
    const conflict = kind === 'busy' || kind === 'queued';
    if (conflict || kind === 'granted') entry.acquires++;
    if (conflict) entry.conflicts++;
  }

  aged(scope: string, waitMs: number): void {
    const entry = this.memory.get(scope);
    if (entry.register.state.holders.length === 0) return;
    entry.watchAt = this.now + waitMs;
    this.memory.arm(entry);
  }

  /** What an answer tells of the scope besides the outcome. */
  view(scope: string, command: Command, settlement: Settlement & { kind: 'decided' }): View {
    const lists = command.kind === 'extend' && command.list === true;
    const entries = lists ? this.duties.entriesOf(scope) : [];
    return viewOf(this.memory.get(scope), command, settlement, this.now, entries);
  }

  // --- time ---

  /** Does what is due. */
  wake(): void {
    this.memory.wake((entry) => {
      if ((entry.proposer?.wakeAt ?? NEVER) <= this.now) entry.proposer!.wake(this);
      this.duties.look(entry);
    });
    this.duties.wake();
    this.watching.wake();
  }
}
