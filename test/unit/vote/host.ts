/**
 * A host for one proposer: it records what is sent and settled, in words, and answers nothing by itself.
 * It stands for the port, not for the protocol: what voters say is written out in each test.
 */
import type { Acquire, Command } from '../../../src/lock/command.ts';
import {
  EMPTY,
  type FencingToken,
  type LeaseId,
  type LockId,
  type LockState,
  type SessionId,
} from '../../../src/lock/state.ts';
import { loadRegister, type Register } from '../../../src/vote/acceptor.ts';
import { type Ballot, NO_BALLOT } from '../../../src/vote/ballot.ts';
import type { Report, VoteMessage } from '../../../src/vote/messages.ts';
import { Proposer } from '../../../src/vote/proposer.ts';
import { VOTE_RULES } from '../../../src/vote/rules.ts';
import type { ProposerHost, Settlement, Task } from '../../../src/vote/task.ts';

export const SCOPE = 'orders/42';

export const acquire = (lockId: string, holder = lockId): Acquire => ({
  kind: 'acquire',
  lockId: lockId as LockId,
  holder,
  named: true,
  priority: 'normal',
  reason: null,
  session: null,
  ttlMs: 0,
  permits: 0,
  mode: 'write',
  leaseMs: 1_000,
  wait: false,
  claimMs: 2_000,
  gateway: 'g' as SessionId,
  repeat: 0,
  again: false,
  seen: 0,
  at: 0,
});
export const release = (lockId: string): Command => {
  return { kind: 'release', lockId: lockId as LockId, gateway: null, force: null, at: 0 };
};
export const READ: Command = { kind: 'read' };

export const ballot = (round: number, peer = 'p1', boot = 1): Ballot => ({ round, peer, boot });

/** A state in which alice holds under the lock id `a`. */
export const heldByAlice = (leaseId = 'old', token = 5): LockState => ({
  ...EMPTY,
  token: token as FencingToken,
  holders: [
    {
      lockId: 'a' as LockId,
      holder: 'a',
      named: true,
      priority: 'normal',
      reason: null,
      session: null,
      ttlMs: 0,
      permits: 0,
      mode: 'write',
      token: token as FencingToken,
      slot: 0,
      former: 0 as FencingToken,
      leaseMs: 1_000,
      leaseId: leaseId as LeaseId,
      at: 0,
      unclaimed: null,
    },
  ],
});

export class Host implements ProposerHost {
  readonly me = 0;
  readonly voters: number;
  readonly identity = 'p1';
  readonly boot = 1;
  readonly rules = VOTE_RULES;
  now = 0;
  roundFloor = 0;
  nextQuestion = 1;
  readonly own: Register = loadRegister(undefined, NO_BALLOT, 0);
  readonly proposer = new Proposer(SCOPE);
  /** The waits that it told the watch of leases. */
  readonly looks: number[] = [];
  private sent: { to: number; message: VoteMessage }[] = [];
  private settled: string[] = [];
  private readonly names = new Map<Task, string>();

  constructor(voters = 3) {
    this.voters = voters;
  }

  wall(): number {
    return 0;
  }

  random(): number {
    return 0.5;
  }

  register(): Register {
    return this.own;
  }

  send(to: number, message: VoteMessage): void {
    this.sent.push({ to, message });
  }

  settle(_scope: string, task: Task, settlement: Settlement): void {
    const name = this.names.get(task) ?? 'expiry';
    if (settlement.kind === 'decided') {
      const { outcome, votes } = settlement;
      const again = 'repeat' in outcome && outcome.repeat ? ' again' : '';
      this.settled.push(`${name} ${outcome.kind}${again}, ${votes} votes`);
    } else if (settlement.kind === 'no_quorum') {
      const missing = Array.from({ length: this.voters }, (_, i) => i).filter(
        (i) => settlement.missing & (1 << i),
      );
      this.settled.push(`${name} no quorum without ${missing.join('') || 'anybody'}`);
    } else this.settled.push(`${name} unknown`);
  }

  aged(_scope: string, waitMs: number): void {
    this.looks.push(waitMs);
  }

  // --- what a test says ---

  ask(name: string, command: Command, deadline = 10_000): Task {
    const task: Task = { command, deadline, from: 0, request: 1, sent: false };
    this.names.set(task, name);
    this.proposer.submit(this, task);
    return task;
  }

  /** These voters say it. */
  promised(from: readonly number[], b: Ballot, accepted = NO_BALLOT, version = 0, state = EMPTY): void {
    for (const voter of from) {
      const message = { kind: 'promised', scope: SCOPE, ballot: b, accepted, version, state } as const;
      this.proposer.onPromised(this, voter, message);
    }
  }

  nacked(from: readonly number[], b: Ballot, promised: Ballot): void {
    for (const voter of from) {
      this.proposer.onNack(this, voter, { kind: 'nack', scope: SCOPE, ballot: b, promised });
    }
  }

  accepted(from: readonly number[], b: Ballot, seq: number): void {
    for (const voter of from) {
      this.proposer.onAccepted(this, voter, { kind: 'accepted', scope: SCOPE, ballot: b, seq });
    }
  }

  /** The same, by voters where somebody watches. */
  acceptedWatching(from: readonly number[], b: Ballot, seq: number): void {
    for (const voter of from) {
      const message = { kind: 'accepted', scope: SCOPE, ballot: b, seq, watching: true } as const;
      this.proposer.onAccepted(this, voter, message);
    }
  }

  gap(from: number, b: Ballot, seq: number): void {
    this.proposer.onGap(this, from, { kind: 'gap', scope: SCOPE, ballot: b, seq });
  }

  reported(from: readonly number[], ask: number, more: Partial<Report>): void {
    for (const voter of from) {
      this.proposer.onReport(this, voter, {
        kind: 'report',
        scope: SCOPE,
        ask,
        promised: NO_BALLOT,
        accepted: { ballot: NO_BALLOT, version: 0 },
        flushed: true,
        overdue: [],
        dueMs: -1,
        ...more,
      });
    }
  }

  /** Lets time pass, and wakes the proposer whenever it asked to be woken. */
  wait(ms: number): void {
    const end = this.now + ms;
    while (this.proposer.wakeAt <= end) {
      this.now = Math.max(this.now, this.proposer.wakeAt);
      this.proposer.wake(this);
    }
    this.now = end;
  }

  /** Leads with ballot 1, having promised and nothing sent. */
  lead(task = acquire('a'), state = EMPTY): Ballot {
    const b = ballot(1);
    this.ask(task.holder, task);
    this.promised([0, 1], b, state === EMPTY ? NO_BALLOT : ballot(1, 'p0'), state === EMPTY ? 0 : 3, state);
    return b;
  }

  // --- what a test hears ---

  /** What was sent since the last call, one line for each message: `accept v1 #2 events -> 012`. */
  said(): string[] {
    const lines: string[] = [];
    let last: VoteMessage | undefined;
    for (const { to, message } of this.sent) {
      // What a peer sends itself says more, and the same.
      const same = last !== undefined && (last === message || isOneAccept(last, message));
      if (same) lines.push(`${lines.pop()}${to}`);
      else lines.push(`${inWords(message)} -> ${to}`);
      last = message;
    }
    this.sent = [];
    return lines;
  }

  /** What was settled since the last call. */
  told(): string[] {
    const { settled } = this;
    this.settled = [];
    return settled;
  }

  /** The states and events sent since the last call. */
  contents(): (LockState | readonly unknown[])[] {
    const { sent } = this;
    this.sent = [];
    return sent.flatMap(({ message }) =>
      message.kind === 'accept' ? [message.state ?? message.events ?? []] : [],
    );
  }
}

function inWords(message: VoteMessage): string {
  switch (message.kind) {
    case 'prepare':
      return `prepare ${message.ballot.round}`;
    case 'accept': {
      const body = message.state !== null ? 'state' : message.events !== null ? 'events' : 'probe';
      return `accept ${message.ballot.round} v${message.version} #${message.seq} ${body}`;
    }
    case 'ask':
      return `ask ${message.ask}`;
    case 'chosen':
      return `chosen ${message.ballot.round} v${message.version}`;
    default:
      return `${message.kind}?`;
  }
}

function isOneAccept(a: VoteMessage, b: VoteMessage): boolean {
  return (
    a.kind === 'accept' &&
    b.kind === 'accept' &&
    a.seq === b.seq &&
    a.events === b.events &&
    a.events !== null
  );
}
