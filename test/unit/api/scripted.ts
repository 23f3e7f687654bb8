/**
 * A peer that answers what a test says, for replies that a real core gives seldom or late. What the doors ask is
 * written down.
 */
import type { Door } from '../../../src/api/door.ts';
import { Guard } from '../../../src/api/guard.ts';
import { holderMaker } from '../../../src/api/ids.ts';
import { Waits } from '../../../src/api/waits.ts';
import type { Outcome } from '../../../src/lock/command.ts';
import { EMPTY, type FencingToken, type Grant, type LeaseId, type LockId } from '../../../src/lock/state.ts';
import type { Listener } from '../../../src/mesh/listeners.ts';
import type { Done, MemberView, RequestOptions, RunningPeer, Standing } from '../../../src/mesh/types.ts';
import type { View, WaiterView } from '../../../src/peer/messages.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import type { Register } from '../../../src/vote/acceptor.ts';

export const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11' as LockId;
export const OTHER = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a12' as LockId;

export class ScriptedPeer implements RunningPeer {
  readonly name: string = 'p1';
  readonly standing: Standing = { kind: 'voting' };
  readonly epoch = 1;
  readonly mesh = 'a-mesh';
  readonly voters = ['p1', 'p2', 'p3'];
  readonly hasQuorum = true;
  readonly asked: ClientRequest[] = [];
  readonly options: RequestOptions[] = [];
  registers: [string, Register][] = [];
  /** What the next requests are answered. */
  answer: (request: ClientRequest) => ClientReply | Promise<ClientReply>;

  constructor(answer: ScriptedPeer['answer']) {
    this.answer = answer;
  }

  async request(request: ClientRequest, options: RequestOptions): Promise<ClientReply> {
    this.asked.push(request);
    this.options.push(options);
    return this.answer(request);
  }

  /** Requests that their clients gave up. */
  readonly abandoned: number[] = [];

  ask(request: ClientRequest, timeoutMs: number, done: Done): number {
    void this.request(request, { timeoutMs }).then(done);
    return this.asked.length;
  }

  abandon(id: number): void {
    this.abandoned.push(id);
  }

  /** Who listens to what. */
  readonly listeners = new Map<Listener, string>();

  listen(scope: string, listener: Listener): () => void {
    this.listeners.set(listener, scope);
    return () => this.listeners.delete(listener);
  }

  held() {
    return this.registers;
  }

  now(): number {
    return performance.now();
  }

  members(): readonly MemberView[] {
    return [];
  }
}

export function grant(fields: Partial<Grant> = {}): Grant {
  return {
    lockId: ID,
    holder: 'w',
    named: true,
    priority: 'normal',
    reason: null,
    session: null,
    ttlMs: 0,
    permits: 0,
    mode: 'write',
    token: 7 as FencingToken,
    slot: 0,
    former: 0 as FencingToken,
    leaseMs: 30_000,
    leaseId: '1.a.1.1' as LeaseId,
    at: 0,
    unclaimed: null,
    ...fields,
  };
}

export function waiter(fields: Partial<WaiterView> = {}): WaiterView {
  return {
    lockId: OTHER,
    holder: 'v',
    mode: 'write',
    priority: 'normal',
    reason: null,
    at: 0,
    session: null,
    ...fields,
  };
}

export function view(holders: readonly Grant[] = [], fields: Partial<View> = {}): View {
  return {
    token: 7 as FencingToken,
    retirements: 0,
    holders,
    leftMs: holders.map(({ leaseMs }) => (leaseMs === 0 ? -1 : leaseMs)),
    waiters: [],
    places: [],
    entries: [],
    contention: { acquires: 4, conflicts: 1, holds: 0, heldMs: 0, waiters: 2 },
    ...fields,
  };
}

type Decided = ClientReply & { readonly kind: 'decided' };

/** By two of three voters. */
export function decided(outcome: Outcome, fields: Partial<Decided> = {}): ClientReply {
  const holders = 'grant' in outcome ? [outcome.grant] : [];
  return {
    kind: 'decided',
    outcome,
    lockId: ID,
    votes: 2,
    voters: 3,
    view: view(holders),
    countFromMs: 0,
    beat: false,
    ...fields,
  };
}

/** What a voter remembers of a scope. */
export function register(holders: readonly Grant[], fields: Partial<typeof EMPTY> = {}): Register {
  const state = { ...EMPTY, holders, token: 7 as FencingToken, ...fields };
  return { state, noted: holders.map(() => performance.now()) } as unknown as Register;
}

/** A door before that peer. @param forced where locks that were released by force are written down. */
export function doorOf(peer: RunningPeer, forced: object[] = []): Door {
  return {
    peer,
    guard: new Guard('127.0.0.1'),
    requestMs: 5_000,
    makeHolder: holderMaker('p1'),
    waits: new Waits(),
    log: { warn: (data: object) => forced.push(data) },
  };
}
