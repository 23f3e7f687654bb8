/**
 * The two sides of one gateway, written down in words: what it asks of which voter, and what it tells its clients.
 * It stands for the port only: what voters answer is written out in each test.
 */
import { expect } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { FencingToken, Grant, LeaseId, LockId } from '../../../src/lock/state.ts';
import { GATEWAY_RULES, Gateway, type GatewayPort } from '../../../src/peer/gateway.ts';
import type { Forward, Verdict, View } from '../../../src/peer/messages.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';

export const SCOPE = 'orders/42';
export const FIRST_NUMBER = 1_000;

export const acquire = (lockId: string, more: object = {}): ClientRequest => ({
  op: 'acquire',
  scope: SCOPE,
  lockId: lockId as LockId,
  made: false,
  holder: 'alice',
  named: true,
  leaseMs: 1_000,
  repeat: false,
  at: 9,
  ...more,
});
export const release = (lockId: string | null, holder: string | null = null): ClientRequest => ({
  op: 'release',
  scope: SCOPE,
  lockId: lockId as LockId | null,
  holder,
});
export const extend = (lockId: string | null, holder: string | null = null): ClientRequest => ({
  op: 'extend',
  scope: SCOPE,
  lockId: lockId as LockId | null,
  holder,
  leaseMs: 2_000,
  replaces: null,
});
export const STATUS: ClientRequest = { op: 'status', scope: SCOPE };

export const grant = (lockId: string, holder = 'alice', named = true): Grant => ({
  lockId: lockId as LockId,
  holder,
  named,
  mode: 'write',
  token: 7 as FencingToken,
  leaseMs: 1_000,
  leaseId: 'lease' as LeaseId,
  at: 9,
});

/** Outcomes by name, as voters say them. */
export const granted = (lockId: string, repeat = false): Outcome => {
  return { kind: 'granted', grant: grant(lockId), repeat };
};
export const BUSY: Outcome = { kind: 'busy' };
export const STATE: Outcome = { kind: 'state' };
export const CANCELLED: Outcome = { kind: 'cancelled' };
export const RELEASED: Outcome = { kind: 'released', token: 7 as FencingToken, repeat: false };

export class Gate implements GatewayPort {
  readonly me = 0;
  readonly voters: number;
  now = 0;
  readonly dead = new Set<number>();
  readonly gateway: Gateway;
  private readonly forwards: { readonly to: number; readonly message: Forward }[] = [];
  private readonly replies = new Map<number, ClientReply>();
  private heard = 0;
  private nextId = 1;

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

  /** Answers the forward with this index, the first being 0. */
  decide(index: number, outcome: Outcome, more: Partial<View> = {}): void {
    const view: View = {
      token: 7 as FencingToken,
      retirements: 0,
      holders: [],
      leftMs: [],
      contention: { acquires: 0, conflicts: 0, holds: 0, heldMs: 0 },
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
    this.gateway.onVerdict(this.now, this.forwards[index]!.to, FIRST_NUMBER + index, verdict);
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
    return fresh.map(({ to, message: { command } }) =>
      'lockId' in command ? `${command.kind} ${command.lockId} -> ${to}` : `${command.kind} -> ${to}`,
    );
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
      default:
        return `${reply.kind} without ${reply.missing.join('') || 'anybody'}`;
    }
  }
}
