/**
 * The voting half of a peer: its registers, its proposers, its promise horizon and its leases.
 * Always true: what leaves in an `accepted` is flushed; no round beyond the durable horizon is promised (V8); a
 * scope that is not in memory is on disk whole, promised no less than a reload gives it (G2).
 */
import type { FencingToken } from '../lock/state.ts';
import {
  applyAccept,
  firstOverAt,
  nackOf,
  type Register,
  reportOf,
  rowOfAccept,
  rowOfPrepare,
  type StoredRegister,
} from '../vote/acceptor.ts';
import { type Ballot, endOfRound } from '../vote/ballot.ts';
import { HORIZON_STRIDE_ROUNDS, LINE_STEP_MS } from '../vote/limits.ts';
import type { Accept, Ask, Prepare, VoteMessage } from '../vote/messages.ts';
import type { VoteRules } from '../vote/rules.ts';
import { NEVER, type ProposerHost, type Settlement, type Task } from '../vote/task.ts';
import type { Contention, View } from './messages.ts';
import { type Entry, Scopes, type ScopesPort } from './scopes.ts';

/** What a voter knows from its disk when it starts. */
export interface VoterStart {
  readonly horizon: number;
  /** Reads a register that is not in memory; what was given to a flush that ended is there. */
  readonly read: (scope: string) => StoredRegister | undefined;
  /** All registers with holders: their leases must be watched from the start. */
  readonly held: Iterable<readonly [string, StoredRegister]>;
}

/** What goes to disk in one flush. */
export interface Batch {
  readonly number: number;
  readonly registers: ReadonlyMap<string, StoredRegister>;
  /** A new promise horizon, or 0. */
  readonly horizon: number;
}

export interface VoterPort {
  send(to: number, message: VoteMessage): void;
  settle(task: Task, scope: string, settlement: Settlement): void;
  /** This voter's place in the line of the scope, among those that look alive; 0 is the home. */
  rank(scope: string): number;
}

interface Unsent {
  readonly batch: number;
  readonly to: number;
  readonly message: VoteMessage;
}

export class Voter implements ProposerHost {
  readonly me: number;
  readonly voters: number;
  readonly identity: string;
  readonly boot: number;
  readonly rules: VoteRules;
  readonly random: () => number;
  now = 0;
  roundFloor = 0;
  nextQuestion: number;

  private readonly port: VoterPort;
  private readonly read: VoterStart['read'];
  private readonly floor: Ballot;
  private horizon: number;
  private horizonWanted = 0;
  private horizonBatch = 0;
  private beyondHorizon: { from: number; message: Prepare | Accept }[] = [];

  private readonly memory: Scopes;

  private openBatch = 1;
  private flushedBatch = 0;
  private dirty = new Map<string, Entry>();
  /** What waits for the flush under way, and what waits for the next one. */
  private unsent: Unsent[] = [];

  constructor(
    id: { me: number; voters: number; identity: string; boot: number },
    start: VoterStart,
    rules: VoteRules,
    random: () => number,
    port: VoterPort,
    now: number,
  ) {
    this.me = id.me;
    this.voters = id.voters;
    this.identity = id.identity;
    this.boot = id.boot;
    this.rules = rules;
    this.random = random;
    this.nextQuestion = Math.floor(random() * 2 ** 46) + 1;
    this.port = port;
    this.read = start.read;
    this.horizon = start.horizon;
    this.floor = endOfRound(start.horizon);
    this.roundFloor = start.horizon;
    this.now = now;
    this.memory = new Scopes(this.scopesPort(start.read));
    for (const [scope, stored] of start.held) this.memory.load(scope, stored);
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
        this.beyondHorizon.length === 0 && this.rules.mayForget(register, this.flushed(register), this.floor),
    };
  }

  get nextWake(): number {
    return this.memory.nextWake;
  }

  /** How many scopes are in memory. */
  get scopes(): number {
    return this.memory.size;
  }

  register(scope: string): Register {
    return this.memory.get(scope).register;
  }

  /** Scopes in memory, for lists and dashboards only: what this voter has accepted. */
  *known(): Iterable<readonly [scope: string, register: Register]> {
    for (const { scope, register } of this.memory.all()) yield [scope, register];
  }

  /** Forgets all free scopes that it may (memory pressure, and the simulator). @returns how many. */
  forgetFree(): number {
    return this.memory.forgetFree();
  }

  private flushed(register: Register): boolean {
    return register.write <= this.flushedBatch;
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
    // The rest are answers to a proposer of this peer. Without one, they are late.
    const entry = this.memory.peek(message.scope);
    const proposer = entry?.proposer;
    if (entry === undefined || proposer === undefined) return;
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
    const row = rowOfPrepare(register, message, this.horizon);
    if (row === 'B') this.raiseHorizon(from, message);
    else if (row === 'A') this.port.send(from, { ...nackOf(register, ballot), scope });
    else {
      register.promised = ballot;
      this.aheadOfNeed(ballot.round);
      const flushed = () => (this.flushed(register) ? register : this.read(scope));
      this.port.send(from, this.rules.promised(scope, register, ballot, flushed));
    }
  }

  private onAccept(from: number, message: Accept): void {
    const { scope, ballot, seq } = message;
    const entry = this.memory.get(scope);
    const { register } = entry;
    const row = rowOfAccept(register, message, this.horizon);
    if (row === 'D') {
      this.port.send(from, { ...nackOf(register, ballot), scope });
      return;
    }
    if (row === 'E') {
      this.raiseHorizon(from, message);
      return;
    }
    const before = register.state;
    const noted = register.noted;
    applyAccept(register, message, row, this.now);
    if (row === 'I') {
      this.port.send(from, { kind: 'gap', scope, ballot, seq });
      return;
    }
    if (row !== 'F') {
      register.write = this.openBatch;
      this.dirty.set(scope, entry);
      if (before.holders !== register.state.holders) {
        for (let i = 0; i < before.holders.length; i++) {
          const { lockId } = before.holders[i]!;
          if (register.state.holders.some((grant) => grant.lockId === lockId)) continue;
          entry.holds++;
          entry.heldMs += this.now - noted[i]!;
        }
        this.memory.watch(entry);
      }
    }
    const answer: VoteMessage = { kind: 'accepted', scope, ballot, seq };
    if (this.rules.mayAnswer(scope, register, this.flushed(register))) this.port.send(from, answer);
    else this.unsent.push({ batch: register.write, to: from, message: answer });
  }

  private onAsk(from: number, message: Ask): void {
    const { register } = this.memory.get(message.scope);
    this.port.send(from, reportOf(message, register, this.flushed(register), this.now));
  }

  // --- the horizon (V8) ---

  private raiseHorizon(from: number, message: Prepare | Accept): void {
    this.beyondHorizon.push({ from, message });
    this.wantHorizon(message.ballot.round);
  }

  private aheadOfNeed(round: number): void {
    if (round + HORIZON_STRIDE_ROUNDS / 2 > this.horizon) this.wantHorizon(round);
  }

  private wantHorizon(round: number): void {
    if (round + HORIZON_STRIDE_ROUNDS / 2 <= this.horizonWanted) return;
    this.horizonWanted = round + HORIZON_STRIDE_ROUNDS;
    this.horizonBatch = this.openBatch;
  }

  // --- flushing ---

  /** Whether something waits for the disk. */
  get hasWrites(): boolean {
    return this.dirty.size > 0 || this.horizonBatch === this.openBatch;
  }

  /** All that came since the last call, to be flushed as one; `flushed` is called with its number afterwards. */
  takeWrites(): Batch {
    const registers = new Map<string, StoredRegister>();
    for (const [scope, { register }] of this.dirty) {
      registers.set(scope, { ballot: register.ballot, version: register.version, state: register.state });
    }
    const horizon = this.horizonBatch === this.openBatch ? this.horizonWanted : 0;
    this.dirty = new Map();
    return { number: this.openBatch++, registers, horizon };
  }

  /** Batch `number`, and all before, are on disk. */
  onFlushed(number: number): void {
    this.flushedBatch = number;
    const waiting = this.unsent;
    this.unsent = [];
    for (const unsent of waiting) {
      if (unsent.batch <= number) this.port.send(unsent.to, unsent.message);
      else this.unsent.push(unsent);
    }
    if (this.horizonWanted > this.horizon && this.horizonBatch <= number) {
      this.horizon = this.horizonWanted;
      const beyond = this.beyondHorizon;
      this.beyondHorizon = [];
      for (const { from, message } of beyond) this.receive(from, message);
    }
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
    if (settlement.kind === 'decided' && task.command.kind === 'acquire') {
      const entry = this.memory.get(scope);
      const { kind } = settlement.outcome;
      if (kind === 'busy' || kind === 'granted') entry.acquires++;
      if (kind === 'busy') entry.conflicts++;
    }
    if (task.from >= 0) this.port.settle(task, scope, settlement);
  }

  aged(scope: string, waitMs: number): void {
    const entry = this.memory.get(scope);
    if (entry.register.state.holders.length === 0) return;
    entry.watchAt = this.now + waitMs;
    this.memory.arm(entry);
  }

  /** What an answer tells of the scope besides the outcome. */
  view(scope: string, settlement: Settlement & { kind: 'decided' }): View {
    const { outcome, state } = settlement;
    const entry = this.memory.get(scope);
    const contention: Contention = {
      acquires: entry.acquires,
      conflicts: entry.conflicts,
      holds: entry.holds,
      heldMs: entry.heldMs,
    };
    const holders =
      outcome.kind === 'busy' || outcome.kind === 'state' || outcome.kind === 'mismatch'
        ? state.holders
        : 'grant' in outcome
          ? [outcome.grant]
          : [];
    const { register } = entry;
    const leftMs = holders.map((grant) => {
      if (grant.leaseMs === 0) return -1;
      const at = register.state.holders.findIndex(
        (known) => known.lockId === grant.lockId && known.leaseId === grant.leaseId,
      );
      const age = at < 0 ? 0 : this.now - register.noted[at]!;
      return Math.max(0, Math.floor(grant.leaseMs - age));
    });
    return {
      token: state.token as FencingToken,
      retirements: state.retirements,
      holders,
      leftMs,
      contention,
    };
  }

  // --- time ---

  /** Does what is due. */
  wake(): void {
    this.memory.wake((entry) => {
      if ((entry.proposer?.wakeAt ?? NEVER) <= this.now) entry.proposer!.wake(this);
      if (entry.watchAt <= this.now) this.lookAtLeases(entry);
    });
  }

  /** T3: the home acts at once on a lease that ran out, the i-th in line i steps later. */
  private lookAtLeases(entry: Entry): void {
    const overAt = firstOverAt(entry.register);
    const actAt = overAt + this.port.rank(entry.scope) * LINE_STEP_MS;
    if (actAt > this.now) {
      entry.watchAt = actAt;
      return;
    }
    entry.watchAt = this.now + LINE_STEP_MS;
    this.memory.proposerOf(entry).checkExpiry(this);
  }
}
