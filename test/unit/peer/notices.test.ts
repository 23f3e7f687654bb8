/**
 * Where news goes (peer.ts): a notice to the peer that a gateway's session was last heard from, an obituary to all;
 * and what a peer does with such news of others.
 */
import { expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import { EMPTY, type LockId, type SessionId } from '../../../src/lock/state.ts';
import { GATEWAYS_REMEMBERED } from '../../../src/peer/limits.ts';
import type { Message } from '../../../src/peer/messages.ts';
import { Peer } from '../../../src/peer/peer.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import { acquire } from '../vote/host.ts';

const FRAME = { mesh: 'm', epoch: 1 };
const SCOPE = 'orders/1';
const S = 's' as SessionId;

/** The peer 0 of three, whose accepts voter 1 always accepts, and whose disk is quick. */
class Home {
  now = 0;
  private number = 1;
  private readonly said: { readonly to: number; readonly message: Message }[] = [];
  private readonly disk = new Map<string, StoredRegister>();
  readonly peer = new Peer(
    {
      ...FRAME,
      voters: ['p1', 'p2', 'p3'],
      me: 0,
      identity: 'p1',
      boot: 1,
      random: () => 0.5,
      wall: () => 9,
    },
    { horizon: 10_000, read: (scope) => this.disk.get(scope), held: [] },
    0,
  );

  constructor() {
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

const waits = (lockId: string, gateway: string): Command => {
  return { ...acquire(lockId), wait: true, gateway: gateway as SessionId };
};
const release = (lockId: string): Command => {
  return { kind: 'release', lockId: lockId as LockId, gateway: null, force: null, at: 0 };
};
const look = (gateway: string): Command => ({ kind: 'look', gateway: gateway as SessionId });

/** a holds, b waits at g2 through peer 2. */
const queue = () => {
  const home = new Home();
  home.forward(1, acquire('a'));
  home.forward(2, waits('b', 'g2'));
  expect(home.news()).toEqual([]);
  return home;
};

test('a notice goes to the peer through which the waiter came, and to nobody else', () => {
  const home = queue();
  home.forward(1, release('a'));
  expect(home.news()).toEqual(['notice b -> 2']);
});

test('it goes where the gateway was last heard of, by whatever command', () => {
  for (const command of [look('g2'), waits('c', 'g2')]) {
    const home = queue();
    home.forward(1, command);
    home.forward(2, release('a'));
    expect(home.news()).toEqual(['notice b -> 1']);
  }
});

test('a gateway that was not heard of for long is told nothing: it looks, and is known again', () => {
  const home = queue();
  for (let i = 0; i < GATEWAYS_REMEMBERED; i++) home.forward(1, look(`g${i + 10}`));
  home.forward(2, waits('c', 'g2'));
  for (let i = 0; i < GATEWAYS_REMEMBERED; i++) home.forward(1, look(`h${i + 10}`));
  home.forward(1, release('a'));
  expect(home.news()).toEqual([]);
  home.forward(2, look('g2'));
  home.forward(1, release('b'));
  expect(home.news()).toEqual(['notice c -> 2']);
});

test('an opening of a session is no sign of a gateway: its register is not where anybody waits', () => {
  const home = queue();
  home.forward(1, { ...acquire('g2'), gateway: 'g2' as SessionId }, scopeOfSession('g2' as SessionId));
  home.forward(1, release('a'));
  expect(home.news()).toEqual(['notice b -> 2']);
});

test('the death of a session is told to all the others', () => {
  const home = new Home();
  home.forward(1, acquire('s'), scopeOfSession(S));
  home.forward(2, release('s'), scopeOfSession(S));
  expect(home.news()).toEqual(['obituary s -> 1', 'obituary s -> 2']);
  home.forward(2, release('s'), scopeOfSession(S));
  expect(home.news()).toEqual([]);
});

test('an obituary from another peer has its locks swept here, and the next in line told', () => {
  const home = new Home();
  home.forward(1, { ...acquire('a'), session: S, leaseMs: 0 });
  home.forward(2, waits('b', 'g2'));
  home.hear(1, { kind: 'obituary', session: S });
  home.wait(2_000); // at once at the home, some steps later elsewhere
  expect(home.news()).toEqual(['notice b -> 2']);
  expect([...home.peer.held()].map(([, { state }]) => state.holders[0]!.lockId)).toEqual(['b']);
});

test('sessions are not told of as held scopes', () => {
  const home = new Home();
  home.forward(1, acquire('s'), scopeOfSession(S));
  home.forward(1, acquire('a'));
  expect([...home.peer.held()].map(([scope]) => scope)).toEqual([SCOPE]);
});
