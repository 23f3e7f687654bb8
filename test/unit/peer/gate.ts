/**
 * The two sides of one gateway, written down in words: what it asks of which voter, and what it tells its clients.
 * It stands for the port only: what voters answer is written out in each test.
 */
import { expect } from 'vitest';
import type { Command, Outcome } from '../../../src/lock/command.ts';
import type { FencingToken, Grant, LeaseId, LockId, SessionId } from '../../../src/lock/state.ts';
import { GATEWAY_RULES, Gateway, type GatewayPort } from '../../../src/peer/gateway.ts';
import type { Forward, Verdict, View } from '../../../src/peer/messages.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import { sessionOfScope } from '../../../src/peer/sessions.ts';

export const SCOPE = 'orders/42';
export const FIRST_NUMBER = 1_000;

export const acquire = (lockId: string, more: object = {}): ClientRequest => ({
  op: 'acquire',
  permits: 0,
  scope: SCOPE,
  lockId: lockId as LockId,
  made: false,
  holder: 'alice',
  named: true,
  mode: 'write',
  priority: 'normal',
  reason: null,
  session: null,
  leaseMs: 1_000,
  waitMs: 0,
  pollMs: null,
  repeat: 0,
  at: 9,
  ...more,
});
export const release = (lockId: string | null, holder: string | null = null): ClientRequest => ({
  op: 'release',
  scope: SCOPE,
  lockId: lockId as LockId | null,
  holder,
  force: null,
  at: 9,
});
export const extend = (lockId: string | null, holder: string | null = null): ClientRequest => ({
  op: 'extend',
  scope: SCOPE,
  lockId: lockId as LockId | null,
  holder,
  leaseMs: 2_000,
  replaces: null,
  token: null,
  mode: null,
  waitMs: 0,
  at: 9,
});
export const STATUS: ClientRequest = { op: 'status', scope: SCOPE };

export const grant = (lockId: string, holder = 'alice', named = true): Grant => ({
  lockId: lockId as LockId,
  holder,
  named,
  priority: 'normal',
  reason: null,
  session: null,
  ttlMs: 0,
  permits: 0,
  mode: 'write',
  token: 7 as FencingToken,
  slot: 0,
  former: 0 as FencingToken,
  leaseMs: 1_000,
  leaseId: 'lease' as LeaseId,
  at: 9,
  unclaimed: null,
});

/** An acquire that may wait for a minute. */
export const waiting = (lockId: string, more: object = {}): ClientRequest =>
  acquire(lockId, { waitMs: 60_000, ...more });

/** Outcomes by name, as voters say them. */
export const granted = (lockId: string, repeat = false): Outcome => {
  return { kind: 'granted', grant: grant(lockId), repeat };
};
export const BUSY: Outcome = { kind: 'busy', position: 1 };
export const STATE: Outcome = { kind: 'state' };
export const CANCELLED: Outcome = { kind: 'cancelled' };
export const RELEASED: Outcome = { kind: 'released', token: 7 as FencingToken, repeat: false };

/** The grant of what waited through this gateway, which must be claimed. */
export const unclaimed = (lockId: string, gateway = 'g0', more: Partial<Grant> = {}): Grant => {
  const { token, former, leaseId, unclaimed: _, ...who } = { ...grant(lockId), leaseMs: 1_000 };
  const place = { claimMs: 2_000, gateway: gateway as SessionId, repeat: 0, arrival: 1 };
  return { ...who, token, former, leaseId, leaseMs: 2_000, unclaimed: { ...who, ...place }, ...more };
};

export class Gate implements GatewayPort {
  readonly me = 0;
  readonly voters: number;
  now = 0;
  readonly dead = new Set<number>();
  readonly gateway: Gateway;
  private readonly forwards: Sent[] = [];
  private readonly replies = new Map<number, ClientReply>();
  private heard = 0;
  private nextId = 1;
  private sessions = 0;

  constructor(voters = 3) {
    this.voters = voters;
    this.gateway = new Gateway(this, GATEWAY_RULES, FIRST_NUMBER);
  }

  line(): readonly number[] {
    return Array.from({ length: this.voters }, (_, i) => i);
  }

  alive(voter: number): boolean {
    return !this.dead.has(voter);
  }

  forward(to: number, message: Forward): void {
    const number = FIRST_NUMBER + this.forwards.length;
    if (message.request !== number) expect(message.request).toBe(number); // each copy has a number of its own
    this.forwards.push({ to, message });
  }

  /** Sessions of which this peer has a copy that is alive. */
  readonly ttls = new Map<SessionId, number>();

  ttlHere(session: SessionId): number | undefined {
    return this.ttls.get(session);
  }

  freshSession(): SessionId {
    return `g${this.sessions++}` as SessionId;
  }

  wall(): number {
    return 9;
  }

  reply(id: number, reply: ClientReply): void {
    expect(this.replies.has(id)).toBe(false); // exactly one answer per request
    this.replies.set(id, reply);
  }

  // --- what a test says ---

  ask(request: ClientRequest, timeoutMs = 10_000): number {
    const id = this.nextId++;
    this.gateway.request(this.now, id, request, this.now + timeoutMs);
    return id;
  }

  /** Answers the newest question that begins with these words. */
  say(words: string, outcome: Outcome, more: Partial<View> = {}): void {
    this.decide(this.last(words), outcome, more);
  }

  /** The index of the newest question that begins with these words. */
  last(words: string): number {
    const index = this.forwards.findLastIndex((sent) => inWords(sent).startsWith(words));
    expect(index, words).toBeGreaterThanOrEqual(0);
    return index;
  }

  /** Asks, has the session of this gateway opened if that comes first, and is told that it waits. */
  waits(request: ClientRequest, position = 2, timeoutMs?: number): number {
    const id = this.ask(request, timeoutMs);
    const open = this.asked().find((line) => line.startsWith('acquire session g'));
    if (open !== undefined) this.opened();
    this.say(`acquire ${'lockId' in request && request.lockId}`, { kind: 'queued', position });
    this.asked();
    return id;
  }

  /** The session of this gateway that was asked for last is open. */
  opened(): void {
    this.say('acquire session g', granted('g'));
  }

  notice(told: Grant, votes = 3): void {
    this.gateway.onNotice(this.now, { kind: 'notice', scope: SCOPE, grant: told, votes, retirements: 0 });
  }

  /** Answers the copy that left last. */
  sayLast(outcome: Outcome): void {
    this.decide(this.forwards.length - 1, outcome);
  }

  /** The newest question that begins with these words finds no quorum, at any of the peers. */
  refuse(words: string): void {
    for (let i = 0; i < this.voters; i++) this.noQuorum(this.last(words));
  }

  /** Answers the forward with this index, the first being 0. */
  decide(index: number, outcome: Outcome, more: Partial<View> = {}): void {
    const view: View = {
      token: 7 as FencingToken,
      retirements: 0,
      holders: [],
      leftMs: [],
      waiters: [],
      places: [],
      entries: [],
      contention: { acquires: 0, conflicts: 0, holds: 0, heldMs: 0, waiters: 0 },
      ...more,
    };
    this.answer(index, { kind: 'decided', outcome, votes: 2, view });
  }

  noQuorum(index: number, missing = 0): void {
    this.answer(index, { kind: 'no_quorum', missing });
  }

  unknown(index: number): void {
    this.answer(index, { kind: 'unknown' });
  }

  private answer(index: number, verdict: Verdict): void {
    this.gateway.onVerdict(this.now, FIRST_NUMBER + index, verdict);
  }

  die(voter: number): void {
    this.dead.add(voter);
    this.gateway.onDead(this.now, voter);
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.gateway.nextWake <= end) {
      this.now = Math.max(this.now, this.gateway.nextWake);
      this.gateway.wake(this.now);
    }
    this.now = end;
  }

  // --- what a test hears ---

  /** What was asked since the last call: `acquire a -> 1`. */
  asked(): string[] {
    const fresh = this.forwards.slice(this.heard);
    this.heard = this.forwards.length;
    return fresh.map(inWords);
  }

  /** The same, but only what is about this lock id. */
  askedOf(lockId: string): string[] {
    return this.asked().filter((line) => line.split(' ')[1] === lockId);
  }

  /** The newest command that begins with these words. */
  command(words: string): Command {
    return this.forwards[this.last(words)]!.message.command;
  }

  /** What the client with this number was answered, whole. */
  heardBy(id: number): ClientReply | undefined {
    return this.replies.get(id);
  }

  /** The forward with this index. */
  copy(index: number): Forward {
    return this.forwards[index]!.message;
  }

  /** What the client with this number was told, in words; undefined if nothing yet. */
  told(id: number): string | undefined {
    const reply = this.replies.get(id);
    if (reply === undefined) return undefined;
    switch (reply.kind) {
      case 'decided': {
        const again = 'repeat' in reply.outcome && reply.outcome.repeat ? ' again' : '';
        return `${reply.outcome.kind}${again} ${reply.lockId ?? ''} ${reply.votes}/${reply.voters}`;
      }
      case 'not_holder':
        return `not holder: ${reply.view.holders.map((held) => held.holder).join()}`;
      case 'waiting':
        return `waiting at ${reply.position}, ${reply.votes}/${reply.voters}`;
      case 'no_session':
        return `no session ${reply.session}`;
      case 'overloaded':
        return `overloaded: ${reply.limit}`;
      default:
        return `${reply.kind} without ${reply.missing.join('') || 'anybody'}`;
    }
  }
}

interface Sent {
  readonly to: number;
  readonly message: Forward;
}

/** `acquire a -> 0`; about a session's register: `extend session s -> 0`. */
function inWords({ to, message: { scope, command } }: Sent): string {
  const session = sessionOfScope(scope);
  if (session !== undefined) return `${command.kind} session ${session} -> ${to}`;
  return 'lockId' in command ? `${command.kind} ${command.lockId} -> ${to}` : `${command.kind} -> ${to}`;
}
