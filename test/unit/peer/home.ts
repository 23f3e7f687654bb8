/**
 * The first peer of three with its disk and its neighbour, which accepts whatever it is sent; the third is silent.
 * It stands for the links only: what other peers forward is written out in each test.
 */
import type { Command } from '../../../src/lock/command.ts';
import { EMPTY, isFree } from '../../../src/lock/state.ts';
import type { Message, Verdict } from '../../../src/peer/messages.ts';
import { Peer } from '../../../src/peer/peer.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';

const FRAME = { mesh: 'm', epoch: 1 };
export const SCOPE = 'orders/1';

/** The peer 0 of three, whose accepts voter 1 always accepts, and whose disk is quick. */
export class Home {
  now = 0;
  private number = 1;
  private readonly said: { readonly to: number; readonly message: Message }[] = [];
  private readonly disk: Map<string, StoredRegister>;
  readonly peer: Peer;

  /** @param random where its numbers begin. @param stored what it finds on its disk. */
  constructor(random = 0.5, stored: Iterable<readonly [string, StoredRegister]> = []) {
    this.disk = new Map(stored);
    const held = [...this.disk].filter(([, { state }]) => !isFree(state));
    this.peer = new Peer(
      {
        ...FRAME,
        voters: ['p1', 'p2', 'p3'],
        me: 0,
        identity: 'p1',
        boot: 1,
        random: () => random,
        wall: () => 9,
      },
      { horizon: 10_000, read: (scope) => this.disk.get(scope), held },
      0,
    );
    for (const voter of [1, 2]) this.peer.liveness(0, voter, true);
  }

  hear(from: number, message: Message): void {
    this.peer.receive(this.now, from, { ...FRAME, messages: [message] });
    this.settle();
  }

  /** A command that came from that gateway's peer. */
  forward(from: number, command: Command, scope = SCOPE): void {
    this.hear(from, { kind: 'forward', request: this.number++, scope, command, waitMs: 5_000 });
  }

  /** Flushes, and lets voter 1 answer, until nothing is left to say. */
  private settle(): void {
    for (let busy = true; busy; ) {
      busy = false;
      while (this.peer.hasWrites) {
        const batch = this.peer.takeWrites();
        for (const [scope, { register }] of batch.registers) this.disk.set(scope, register);
        this.peer.flushed(this.now, batch.number);
      }
      for (const [to, { messages }] of this.peer.takeFrames()) {
        for (const message of messages) {
          this.said.push({ to, message });
          const answer = to === 1 ? answerOf(message) : undefined;
          if (answer === undefined) continue;
          this.peer.receive(this.now, 1, { ...FRAME, messages: [answer] });
          busy = true;
        }
      }
    }
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.peer.nextWake <= end) {
      this.now = Math.max(this.now, this.peer.nextWake);
      this.peer.wake(this.now);
      this.settle();
    }
    this.now = end;
  }

  /** A client of its own asks for this. */
  ask(request: ClientRequest): void {
    this.peer.request(this.now, this.number++, request, 5_000);
    this.settle();
  }

  /** What was said since the last call: all of it. */
  all(): Message[] {
    return this.said.splice(0).map(({ message }) => message);
  }

  /** The answers to other peers since the last call. */
  answers(): Verdict[] {
    return this.all().flatMap((message) => (message.kind === 'answer' ? [message.verdict] : []));
  }

  /** The news since the last call. */
  news(): string[] {
    return this.said.splice(0).flatMap(({ to, message }) => {
      if (message.kind === 'notice') return [`notice ${message.grant.lockId} -> ${to}`];
      return message.kind === 'obituary' ? [`obituary ${message.session} -> ${to}`] : [];
    });
  }
}

function answerOf(message: Message): Message | undefined {
  if (message.kind === 'prepare') {
    const { scope, ballot } = message;
    return { kind: 'promised', scope, ballot, accepted: NO_BALLOT, version: 0, state: EMPTY };
  }
  if (message.kind !== 'accept') return undefined;
  return { kind: 'accepted', scope: message.scope, ballot: message.ballot, seq: message.seq };
}
