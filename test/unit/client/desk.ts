/**
 * A mesh of some peers in memory, for tests of the client: it keeps scopes, queues and sessions, and a test may answer,
 * lose or break what it wants to. Always true: nothing is answered from within `send`; `log` has every request, with
 * the peer that got it.
 */
import { Core } from '../../../src/client/core.ts';
import { HttpClient } from '../../../src/client/http.ts';
import { readSettings, type Server } from '../../../src/client/options.ts';
import type { QuorateOptions } from '../../../src/client/types.ts';
import type { Answer, Asker, Draft, Peer, Transport } from '../../../src/client/way.ts';
import type { LockId } from '../../../src/lock/state.ts';
import type { AcquireMessage, Locked, RequestMessage, SessionLock } from '../../../src/protocol/messages.ts';
import { HandClock, settled } from './hand-clock.ts';

type Kind = RequestMessage['kind'];
type Body = Record<string, unknown>;

export const LEASE_MS = 30_000;
export const TTL_MS = 10_000;

export class Sent {
  readonly peer: string;
  /** As it was when it was sent. */
  readonly message: RequestMessage;
  readonly ticket: number;
  /** From when on the mesh says that it waited. */
  at: number;
  over = false;
  /** Given up by the client. */
  gone = false;
  private readonly asker: Asker;

  constructor(peer: string, message: Draft, asker: Asker, ticket: number, at: number) {
    this.at = at;
    this.peer = peer;
    this.message = { ...message };
    this.asker = asker;
    this.ticket = ticket;
  }

  answer(answer: Answer): void {
    if (this.over) return;
    if (answer.kind !== 'event') this.over = true;
    this.asker.answered(answer);
  }

  refuse(code: string, more: Body = {}): void {
    const indefinite = code === 'outcome_unknown' || code === 'internal';
    const certainty = indefinite ? 'indefinite' : 'definite';
    this.answer({ kind: 'refused', id: 0, body: { code, certainty, detail: `It is ${code}.`, ...more } });
  }

  break(sent = true): void {
    if (this.over) return;
    this.over = true;
    this.asker.broken(sent, 'cut');
  }

  move(): void {
    this.over = true;
    this.asker.moved();
  }
}

interface Taken {
  readonly message: AcquireMessage;
  readonly token: number;
  readonly slot: number;
}

export class Desk implements Transport {
  readonly log: Sent[] = [];
  /** Those that are open, and their ttl. */
  readonly sessions = new Map<string, number>();
  /** Kinds that are left to the test. */
  readonly byHand = new Set<Kind>();
  readonly names: readonly string[];
  closed = false;
  /** What a beat lists; undefined: what is true. */
  listed: readonly SessionLock[] | undefined;
  private readonly scopes = new Map<string, { taken: Taken[]; queue: Sent[]; token: number }>();
  private readonly retired = new Map<string, string>();
  private readonly peers: readonly Peer[];
  private tickets = 0;

  private readonly clock: HandClock;

  constructor(clock: HandClock, names: readonly string[] = ['p1', 'p2', 'p3']) {
    this.clock = clock;
    this.names = names;
    this.peers = names.map((label) => ({
      label,
      send: (message, asker) => this.take(label, message, asker),
      gone: (ticket) => this.gone(ticket),
    }));
  }

  pick(_scope: string | null, tried: readonly Peer[]): Peer {
    return this.peers.find((peer) => !tried.includes(peer)) ?? this.peers[0]!;
  }

  servers(): readonly Server[] {
    return [];
  }

  close(): void {
    this.closed = true;
  }

  /** All requests of that kind, or the last. */
  all(kind: Kind): Sent[] {
    return this.log.filter(({ message }) => message.kind === kind);
  }

  last(kind: Kind): Sent {
    const sent = this.all(kind).at(-1);
    if (sent === undefined) throw new Error(`no ${kind} was sent; but ${this.kinds().join(' ')}`);
    return sent;
  }

  kinds(): Kind[] {
    return this.log.map(({ message }) => message.kind);
  }

  holders(scope: string): string[] {
    return this.scope(scope).taken.map(({ message }) => message.lockId);
  }

  waiters(scope: string): number {
    return this.scope(scope).queue.length;
  }

  /** Ends a lock behind its holder's back. */
  force(scope: string): void {
    for (const { message } of [...this.scope(scope).taken]) this.free(scope, message.lockId, 'forced');
  }

  grant(sent: Sent, more: Partial<Locked> = {}): void {
    sent.answer(locked({ token: 1 as Locked['token'], ...more }));
  }

  private take(peer: string, message: Draft, asker: Asker): number {
    const sent = new Sent(peer, message, asker, ++this.tickets, this.clock.now());
    this.log.push(sent);
    if (!this.byHand.has(message.kind)) queueMicrotask(() => this.decide(sent));
    return sent.ticket;
  }

  private gone(ticket: number): boolean {
    const sent = this.log.find((one) => one.ticket === ticket)!;
    sent.over = true;
    sent.gone = true;
    for (const { queue } of this.scopes.values())
      if (queue.includes(sent)) queue.splice(queue.indexOf(sent), 1);
    return true;
  }

  /** Does what a mesh would do. */
  decide(sent: Sent): void {
    const { message } = sent;
    switch (message.kind) {
      case 'open': {
        const session = `session-${this.sessions.size + 1}`;
        this.sessions.set(session, message.ttlMs);
        sent.answer({ kind: 'session', id: 0, session: session as never, ttlMs: message.ttlMs, locks: [] });
        return;
      }
      case 'beat':
      case 'close':
        this.session(sent, message.kind, message.session);
        return;
      case 'acquire':
        this.acquire(sent, message);
        return;
      case 'extend': {
        const held = this.find(message.scope, message.lockId);
        if (held === undefined) this.absent(sent, message.lockId);
        else sent.answer(locked({ token: held.token as Locked['token'], leaseMs: message.leaseMs! }));
        return;
      }
      case 'release':
        this.release(sent, message.scope, message.lockId, message.force);
        return;
      case 'cancel': {
        const { queue } = this.scope(message.scope);
        const waits = queue.find((one) => (one.message as AcquireMessage).lockId === message.lockId);
        if (waits !== undefined) queue.splice(queue.indexOf(waits), 1);
        const held = this.find(message.scope, message.lockId);
        if (held === undefined) sent.answer({ kind: 'cancelled', id: 0, votes: 2, voters: 3 });
        else sent.answer(locked({ token: held.token as Locked['token'], sets: false }));
        return;
      }
      case 'status':
        sent.answer({ kind: 'status', id: 0, body: this.status(message.scope) });
        return;
      case 'watch':
        return;
    }
  }

  private session(sent: Sent, kind: 'beat' | 'close', session: string): void {
    const ttlMs = this.sessions.get(session);
    if (ttlMs === undefined) {
      sent.refuse('not_found', { session });
      return;
    }
    if (kind === 'close') {
      this.sessions.delete(session);
      for (const [scope, { taken }] of this.scopes) {
        for (const { message } of [...taken])
          if (message.session === session) this.free(scope, message.lockId, 'crashed');
      }
    }
    const locks = kind === 'beat' ? (this.listed ?? this.list(session)) : [];
    sent.answer({ kind: 'session', id: 0, session: session as never, ttlMs, locks });
  }

  private list(session: string): SessionLock[] {
    return [...this.scopes].flatMap(([scope, { taken }]) =>
      taken
        .filter(({ message }) => message.session === session)
        .map(({ message, token }) => ({
          scope,
          lockId: message.lockId,
          token: token as SessionLock['token'],
        })),
    );
  }

  private acquire(sent: Sent, message: AcquireMessage): void {
    const { scope, lockId, mode, permits, session, waitMs } = message;
    if (session !== null && !this.sessions.has(session)) {
      sent.refuse('not_found', { session });
      return;
    }
    if (this.retired.has(lockId)) {
      this.absent(sent, lockId);
      return;
    }
    const state = this.scope(scope);
    const { taken } = state;
    const mine = this.find(scope, lockId);
    if (mine !== undefined) {
      sent.answer(locked({ token: mine.token as Locked['token'], sets: false, mode }));
      return;
    }
    const named = taken.find((one) => one.message.holder === message.holder && mode !== 'permit');
    if (named !== undefined) {
      sent.answer(
        locked({ token: named.token as Locked['token'], sets: false, lockId: named.message.lockId }),
      );
      return;
    }
    const fits =
      mode === 'permit'
        ? taken.length < permits
        : taken.length === 0 || (mode === 'read' && taken.every((one) => one.message.mode === 'read'));
    if (!fits) {
      if (waitMs > 0) state.queue.push(sent);
      else sent.refuse('busy', { scope, holders: this.status(scope).holders, queue_position: 1 });
      return;
    }
    const token = ++state.token;
    const slot = [0, 1, 2, 3, 4].find((n) => !taken.some((one) => one.slot === n))!;
    taken.push({ message, token, slot });
    const leaseMs = message.leaseMs ?? LEASE_MS;
    const waitedMs = this.clock.now() - sent.at;
    sent.answer(
      locked({
        token: token as Locked['token'],
        leaseMs,
        mode,
        slot: mode === 'permit' ? slot : 0,
        waitedMs,
      }),
    );
  }

  private release(sent: Sent, scope: string, lockId: LockId | null, force: string | null): void {
    const { taken } = this.scope(scope);
    const held = lockId === null ? taken[0] : this.find(scope, lockId);
    if (held === undefined) {
      if (lockId !== null && this.retired.get(lockId) === 'released') sent.answer(unlocked());
      else this.absent(sent, lockId);
      return;
    }
    this.free(scope, held.message.lockId, force === null ? 'released' : 'forced');
    sent.answer(unlocked());
  }

  private absent(sent: Sent, lockId: string | null): void {
    const ending = lockId === null ? undefined : this.retired.get(lockId);
    if (ending === undefined) sent.refuse('not_found');
    else sent.refuse('stale_grant', { ending });
  }

  private free(scope: string, lockId: LockId, ending: string): void {
    const state = this.scope(scope);
    this.retired.set(lockId, ending);
    state.taken = state.taken.filter(({ message }) => message.lockId !== lockId);
    for (const next of state.queue.splice(0)) this.acquire(next, next.message as AcquireMessage);
  }

  private find(scope: string, lockId: LockId | null): Taken | undefined {
    return this.scope(scope).taken.find(({ message }) => message.lockId === lockId);
  }

  private scope(scope: string) {
    const known = this.scopes.get(scope);
    if (known !== undefined) return known;
    const fresh = { taken: [] as Taken[], queue: [] as Sent[], token: 0 };
    this.scopes.set(scope, fresh);
    return fresh;
  }

  private status(scope: string): Body & { holders: Body[] } {
    const holders = this.scope(scope).taken.map(({ message, token }) => ({
      holder: message.holder,
      lock_id: message.lockId,
      lock_type: message.mode,
      fencing_token: token,
    }));
    return { status: holders.length > 0 ? 'locked' : 'free', scope, holders, waiters: [] };
  }
}

export function locked(more: Partial<Locked> = {}): Locked {
  return {
    kind: 'locked',
    id: 0,
    token: 1 as Locked['token'],
    leaseMs: LEASE_MS,
    leftMs: LEASE_MS,
    at: 1_700_000_000_000,
    sets: true,
    waitedMs: 0,
    votes: 2,
    voters: 3,
    waiters: 0,
    slot: 0,
    mode: 'write',
    lockId: null,
    holder: null,
    ...more,
  };
}

export function unlocked(): Answer {
  return { kind: 'unlocked', id: 0, token: 1 as Locked['token'], votes: 2, voters: 3, lockId: null };
}

/** A client at such a desk, whose pauses are always the longest that they may be. */
export function atDesk(options: Partial<QuorateOptions> = {}) {
  const clock = new HandClock();
  const desk = new Desk(clock);
  const settings = readSettings({ servers: 'unused', clock, random: () => 1, holder: 'me', ...options });
  const core = new Core(settings, desk, new HttpClient());
  return { clock, desk, core };
}

/** What a promise came to so far. */
export async function stateOf(promise: Promise<unknown>): Promise<'open' | 'done' | Error> {
  const open = settled().then(() => 'open' as const);
  return Promise.race([
    promise.then(
      () => 'done' as const,
      (error) => error as Error,
    ),
    open,
  ]);
}
