/**
 * One voter on its machine: a clock, a disk that is flushed by hand, and what the voter says, in words.
 * It stands for the port and the disk only: what proposers and other voters say is written out in each test.
 */
import type { LockEvent } from '../../../src/lock/event.ts';
import {
  EMPTY,
  type FencingToken,
  isFree,
  type LeaseId,
  type LockId,
  type LockState,
  type SessionId,
} from '../../../src/lock/state.ts';
import type { Notice } from '../../../src/peer/messages.ts';
import { Voter } from '../../../src/peer/voter.ts';
import type { Batch } from '../../../src/peer/writes.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { type Ballot, isEndOfRound } from '../../../src/vote/ballot.ts';
import type { Accept, VoteMessage } from '../../../src/vote/messages.ts';
import { VOTE_RULES } from '../../../src/vote/rules.ts';
import type { Settlement, Task } from '../../../src/vote/task.ts';

export const ballot = (round: number, peer = 'p2'): Ballot => ({ round, peer, boot: 1 });

/** Held by alice for a second, under this lease. */
export const held = (leaseId = 'lease', leaseMs = 1_000): LockState => ({
  ...EMPTY,
  token: 1 as FencingToken,
  holders: [
    {
      lockId: 'a' as LockId,
      holder: 'alice',
      named: true,
      priority: 'normal',
      reason: null,
      session: null,
      ttlMs: 0,
      permits: 0,
      mode: 'write',
      token: 1 as FencingToken,
      slot: 0,
      former: 0 as FencingToken,
      leaseMs,
      leaseId: leaseId as LeaseId,
      at: 0,
      unclaimed: null,
    },
  ],
});

/** Free, after so many lock ids have ended. */
export const free = (token: number): LockState => ({ ...EMPTY, token: token as FencingToken });

export const task = (command: Task['command'], deadline = 10_000): Task => {
  return { command, deadline, from: 0, request: 1, sent: false };
};

/** A voter whose horizon is durable and far away. */
export function seated(): Seat {
  const seat = new Seat();
  seat.prepare('warm-up', ballot(1));
  seat.flush();
  seat.said();
  return seat;
}

export class Seat {
  voter: Voter;
  rank = 0;
  now = 0;
  readonly disk = { registers: new Map<string, StoredRegister>(), horizon: 0 };
  /** How often the disk was read. */
  reads = 0;
  private boot = 0;
  private sent: { to: number; message: VoteMessage }[] = [];
  private settled: { task: Task; settlement: Settlement }[] = [];
  private news: string[] = [];
  private taken: Batch | undefined;

  constructor() {
    this.voter = this.start();
  }

  private start(): Voter {
    const { registers, horizon } = this.disk;
    const port = {
      send: (to: number, message: VoteMessage) => this.sent.push({ to, message }),
      settle: (task: Task, _scope: string, settlement: Settlement) => this.settled.push({ task, settlement }),
      notice: (gateway: SessionId, { scope, grant }: Notice) =>
        this.news.push(`notice ${scope} ${grant.lockId} -> ${gateway}`),
      obituary: (session: SessionId) => this.news.push(`obituary ${session}`),
      rank: () => this.rank,
    };
    const read = (scope: string) => {
      this.reads++;
      return registers.get(scope);
    };
    const start = { horizon, read, held: [...registers].filter(([, { state }]) => !isFree(state)) };
    const id = { me: 0, voters: 3, identity: 'p1', boot: ++this.boot };
    return new Voter(
      id,
      start,
      VOTE_RULES,
      () => 0.5,
      () => 9,
      port,
      this.now,
    );
  }

  // --- what happens to it ---

  hear(from: number, message: VoteMessage): void {
    this.voter.now = this.now;
    this.voter.receive(from, message);
  }

  prepare(scope: string, b: Ballot, from = 1): void {
    this.hear(from, { kind: 'prepare', scope, ballot: b });
  }

  accept(scope: string, b: Ballot, version: number, state: LockState | null, seq = version): void {
    const message: Accept = { kind: 'accept', scope, ballot: b, version, seq, events: null, state };
    this.hear(1, message);
  }

  /** The same by events. */
  change(scope: string, b: Ballot, version: number, events: readonly LockEvent[], seq = version): void {
    this.hear(1, { kind: 'accept', scope, ballot: b, version, seq, events, state: null });
  }

  /** Gives all writes so far to the disk; they land with `land`, or are lost in a crash. */
  take(): Batch {
    this.taken = this.voter.takeWrites();
    return this.taken;
  }

  land(): void {
    const batch = this.taken!;
    this.taken = undefined;
    for (const [scope, { register }] of batch.registers) this.disk.registers.set(scope, register);
    this.disk.horizon = Math.max(this.disk.horizon, batch.horizon);
    this.voter.now = this.now;
    this.voter.onFlushed(batch.number);
  }

  /** A whole flush. @returns how many scopes were in it. */
  flush(): number {
    const { size } = this.take().registers;
    this.land();
    return size;
  }

  restart(): void {
    this.taken = undefined;
    this.sent = [];
    this.voter = this.start();
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.voter.nextWake <= end) {
      this.now = Math.max(this.now, this.voter.nextWake);
      this.voter.now = this.now;
      this.voter.wake();
    }
    this.now = end;
    this.voter.now = end;
  }

  // --- what it says ---

  /** What was sent since the last call: `promised 1.p2 (v0) -> 1`. */
  said(): string[] {
    return this.sent.splice(0).map(({ to, message }) => `${inWords(message)} -> ${to}`);
  }

  /** The same, whole. */
  messages(): VoteMessage[] {
    return this.sent.splice(0).map(({ message }) => message);
  }

  /** What it told gateways and the other peers since the last call. */
  told(): string[] {
    const { news } = this;
    this.news = [];
    return news;
  }

  settlements(): string[] {
    const { settled } = this;
    this.settled = [];
    return settled.map(({ task, settlement }) => {
      if (settlement.kind !== 'decided') return `${task.command.kind} ${settlement.kind}`;
      const holders = settlement.state.holders.map((grant) => grant.holder).join() || 'nobody';
      return `${task.command.kind} ${settlement.outcome.kind}, held by ${holders}`;
    });
  }
}

const short = (b: Ballot) => (isEndOfRound(b) ? `end of ${b.round}` : `${b.round}.${b.peer}`);

function inWords(message: VoteMessage): string {
  switch (message.kind) {
    case 'promised':
      return `promised ${short(message.ballot)} (v${message.version})`;
    case 'nack':
      return `nack ${short(message.ballot)}: ${short(message.promised)}`;
    case 'accepted':
      return `accepted ${message.scope} #${message.seq}${message.watching === true ? ', watching' : ''}`;
    case 'gap':
      return `${message.kind} ${message.scope} #${message.seq}`;
    case 'report':
      return `report ${message.ask}: v${message.accepted.version}${message.flushed ? ' flushed' : ''}`;
    case 'ask':
      return `ask ${message.ask}`;
    default:
      return `${message.kind} ${short(message.ballot)}`;
  }
}
