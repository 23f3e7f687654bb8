/**
 * One request of a client at its gateway, from its arrival to its reply; and its place in a queue, as long as the
 * gateway keeps that.
 */
import type { Command, Outcome } from '../lock/command.ts';
import { type FencingToken, type LockId, NO_TOKEN } from '../lock/state.ts';
import { NEVER } from '../vote/task.ts';
import type { Timed } from './heap.ts';
import type { Decided, Finding, Question } from './questions.ts';
import type { ClientReply, ClientRequest } from './request.ts';
import { scopeOfSession } from './sessions.ts';

export interface Pending extends Timed {
  readonly id: number;
  readonly request: ClientRequest;
  readonly arrivedAt: number;
  readonly timeoutMs: number;
  /** For the votes under way: moved on when a wait ends. */
  deadline: number;
  /** Whether the client still waits for the reply. */
  client: boolean;
  question: Question | undefined;
  /** Whether something of this request was decided, or may have been. */
  changed: boolean;
  lockId: LockId | null;
  /** Whether it is asked for again by this gateway itself, to keep a place. */
  again: boolean;
  /** The token that a conversion names. */
  token: FencingToken;
  /** Its session's time to live, and when the last sign of life that was taken left here. */
  ttlMs: number;
  beatenAt: number;
  /** Whether this request opened its implicit session itself. */
  opened: boolean;
  /** Whether it is certain that nothing will ever be granted under its lock id. */
  barred: boolean;
  beatAt: number;
  /** When the last question left here whose answer said that it still waits; NaN if it never did. */
  confirmedAt: number;
  waitUntil: number;
  pollUntil: number;
  keptUntil: number;
  waitsSince: number;
  last: Decided | undefined;
  position: number;
  /** Whether it was forgotten. */
  over: boolean;
}

/** What the parts of a gateway do with a request. */
export interface Steps {
  /** The next question of a request; `then` only if it is decided and the client is still here. */
  step(
    now: number,
    pending: Pending,
    scope: string,
    command: Command,
    then: (now: number, found: Decided, question: Question) => void,
  ): void;
  /** Answers with what was decided; `outcome` and `more` where they differ. */
  decided(pending: Pending, found: Decided, outcome?: Outcome, more?: ReplyMore): void;
  reply(pending: Pending, reply: ClientReply): void;
  fail(now: number, pending: Pending, finding: Exclude<Finding, Decided>): void;
  wall(): number;
}

/** See ClientReply. */
export interface ReplyMore {
  readonly countFromMs?: number;
  readonly beat?: boolean;
}

/** Whether a request may come to wait in a queue. */
export function isWaitable(request: ClientRequest): boolean {
  if (request.op === 'acquire') return request.waitMs > 0;
  return request.op === 'extend' && request.mode === 'write' && request.waitMs > 0;
}

export function pendingOf(now: number, id: number, request: ClientRequest, timeoutMs: number): Pending {
  return {
    id,
    request,
    arrivedAt: now,
    timeoutMs,
    deadline: now + timeoutMs,
    client: true,
    question: undefined,
    changed: false,
    again: false,
    lockId: null,
    token: NO_TOKEN,
    ttlMs: 0,
    beatenAt: now,
    opened: false,
    barred: request.op === 'acquire' && request.made,
    beatAt: NEVER,
    confirmedAt: Number.NaN,
    waitUntil: 'waitMs' in request ? now + request.waitMs : NEVER,
    pollUntil: request.op === 'acquire' && request.pollMs !== null ? now + request.pollMs : NEVER,
    keptUntil: NEVER,
    waitsSince: NEVER,
    last: undefined,
    position: 0,
    over: false,
    at: 0,
    slot: -1,
  };
}

/** The register that a request is about. */
export function scopeOf({ request }: Pending): string {
  return 'scope' in request ? request.scope : scopeOfSession(request.session);
}
