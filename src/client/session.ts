/**
 * A session with the mesh: one sign of life for any number of locks (T1, T5).
 * Always true: its count runs from the send of the last opening or heartbeat that was answered; once it has lapsed, or
 * the mesh says that it is dead, everything that lived with it is lost, for ever. What the mesh lists under it and
 * nobody here knows is ended; what it misses twice is asked for by a vote.
 */
import { SESSION_SCOPE_PREFIX } from '../lock/plain.ts';
import type { LockId, SessionId } from '../lock/state.ts';
import type { SessionTold } from '../protocol/messages.ts';
import type { Core } from './core.ts';
import { type Count, countOf, givenUpAt, type Instant, leftOf, wasSuspended } from './count.ts';
import { OutcomeUnknownError, type QuorateError } from './errors.ts';
import type { Call } from './failover.ts';
import { errorOf } from './refusals.ts';
import type { Ticking } from './ticker.ts';
import type { Answer } from './way.ts';

const BEATS_PER_TTL = 3;
/** A heartbeat that a peer has not answered after this share of the ttl is sent to another one. */
const PATIENCE_SHARE = 0.15;
/** With more than this, the mesh is asked for its list at some heartbeats only. */
const LISTED_MAX = 1_000;
const BEATS_PER_LIST = 10;
/** Without locks and waiters it is closed after this long. */
const IDLE_MS = 30_000;
/** What was lost is left alone for this long at least, so that its user can stop before others get it. */
const GRACE_MS = 2_000;

/** What lives with a session: a lock, or an acquire that is under way. */
export interface Member {
  readonly scope: string;
  readonly lockId: LockId;
  /** Since when it is held, monotonic milliseconds; Infinity: it is not, yet. */
  readonly heldSince: number;
  /** The session is over. */
  sessionLost(why: string): void;
  /** The mesh says that the lock ended. */
  ended(): void;
}

export class Session implements Ticking {
  readonly id: SessionId;
  readonly ttlMs: number;
  isOver = false;
  private readonly core: Core;
  private count: Count;
  private readonly members = new Map<LockId, Member>();
  /** Locks that were lost, and until when the mesh may list them. */
  private readonly graves = new Map<LockId, number>();
  /** What was listed and is not known, and what is held and was not listed, in the last list. */
  private strange = new Set<LockId>();
  private missing = new Set<LockId>();
  private beatAt: number;
  private beating = false;
  private beats = 0;
  private idleSince: number;

  private constructor(core: Core, id: SessionId, count: Count) {
    this.core = core;
    this.id = id;
    this.ttlMs = count.ms;
    this.count = count;
    this.beatAt = count.from.mono + count.ms / BEATS_PER_TTL;
    this.idleSince = core.clock.now();
    core.sessions.add(this);
    core.ticker.add(this, this.beatAt);
  }

  static open(core: Core): Promise<Session> {
    const opening = Session.ask(core).finally(() => core.openings.delete(opening));
    core.openings.add(opening);
    return opening;
  }

  private static async ask(core: Core): Promise<Session> {
    const { ttlMs, holder } = core.settings;
    const deadline = core.deadline();
    const message = { kind: 'open', id: 0, ttlMs, holder } as const;
    const { answer, sent } = await core.calls.ask({ ...message }, { route: null, deadline });
    if (answer.kind === 'refused') throw errorOf(answer.body);
    if (answer.kind !== 'session') throw unexpected(answer);
    const count = countOf(sent, 0, core.clock.now(), answer.ttlMs);
    return new Session(core, answer.session, count);
  }

  get holds(): boolean {
    return this.members.size > 0;
  }

  add(member: Member): void {
    if (this.members.size === 0) this.core.ticker.wake(this.beatAt, true);
    this.members.set(member.lockId, member);
  }

  /** @param lostUntil it was lost: the mesh may list it until then. */
  remove({ lockId }: Member, lostUntil?: number): void {
    this.members.delete(lockId);
    if (lostUntil !== undefined)
      this.graves.set(lockId, Math.max(lostUntil, this.core.clock.now() + GRACE_MS));
    if (this.members.size === 0) this.idleSince = this.core.clock.now();
  }

  /** Milliseconds until what lives with it is given up; 0: it is over. */
  leftMs(now: Instant): number {
    if (this.isOver) return 0;
    const left = leftOf(this.count, now);
    if (left > 0) return left;
    const why = wasSuspended(this.count, now)
      ? 'this machine was suspended'
      : 'no heartbeat was answered in time';
    this.end(why);
    return 0;
  }

  tick(now: Instant): number {
    if (this.leftMs(now) === 0) return Number.POSITIVE_INFINITY;
    if (this.members.size === 0 && now.mono - this.idleSince >= IDLE_MS) {
      this.close().catch(() => undefined);
      return Number.POSITIVE_INFINITY;
    }
    if (!this.beating && now.mono >= this.beatAt) this.beat(now.mono);
    return this.beating ? givenUpAt(this.count) : Math.min(this.beatAt, givenUpAt(this.count));
  }

  private get route(): string {
    return SESSION_SCOPE_PREFIX + this.id;
  }

  private beat(now: number): void {
    this.beating = true;
    this.beatAt = now + this.ttlMs / BEATS_PER_TTL;
    const deadline = this.count.from.mono + this.count.ms;
    const options = { route: this.route, deadline, patienceMs: this.ttlMs * PATIENCE_SHARE };
    const list = this.members.size <= LISTED_MAX || ++this.beats % BEATS_PER_LIST === 0;
    this.core.calls.start({ kind: 'beat', id: 0, session: this.id, list }, options, {
      done: (answer, call) => this.beaten(answer, call),
      failed: () => {
        this.beating = false;
      },
    });
  }

  private beaten(answer: Answer, { sent, message }: Call): void {
    this.beating = false;
    const now = this.core.now();
    if (this.leftMs(now) === 0) return; // a lapse is final
    if (answer.kind === 'session') {
      this.count = countOf(sent, 0, now.mono, answer.ttlMs);
      if (message.kind === 'beat' && message.list) this.reconcile(answer, sent.mono, now.mono);
    } else if (answer.kind === 'refused' && answer.body.code === 'not_found') {
      this.end('the mesh says that its session is dead');
    }
  }

  /** The list is one voter's memory: it may lag behind what happened since, and before. */
  private reconcile({ locks }: SessionTold, sentAt: number, now: number): void {
    const listed = new Set<LockId>();
    const strange = new Set<LockId>();
    for (const { lockId, scope } of locks) {
      listed.add(lockId);
      if (this.members.has(lockId) || (this.graves.get(lockId) ?? 0) > now) continue;
      strange.add(lockId);
      if (this.strange.has(lockId)) this.core.giveUp(scope, lockId);
    }
    this.strange = strange;
    for (const [lockId, until] of this.graves) if (until <= now) this.graves.delete(lockId);

    const missing = new Set<LockId>();
    for (const member of this.members.values()) {
      if (member.heldSince >= sentAt || listed.has(member.lockId)) continue;
      missing.add(member.lockId);
      if (this.missing.has(member.lockId)) void this.verify(member);
    }
    this.missing = missing;
  }

  private async verify(member: Member): Promise<void> {
    const { scope, lockId } = member;
    const answer = await this.core.ask({ kind: 'status', id: 0, scope }, scope).catch(() => undefined);
    if (answer?.kind !== 'status' || this.members.get(lockId) !== member) return;
    const { holders } = answer.body as { holders?: readonly { lock_id?: unknown }[] };
    if (Array.isArray(holders) && !holders.some((one) => one.lock_id === lockId)) member.ended();
  }

  /** It is dead, or may be: so is all that lived with it. */
  end(why: string): void {
    if (this.isOver) return;
    this.leave();
    for (const member of [...this.members.values()]) member.sessionLost(why);
    this.members.clear();
  }

  private leave(): void {
    this.isOver = true;
    this.core.sessions.delete(this);
    this.core.ticker.delete(this);
  }

  /** Ends it in the mesh, and with it whatever still lives with it there. Rejects if no peer could be told in time. */
  async close(): Promise<void> {
    if (!this.isOver) this.leave();
    const answer = await this.core.ask({ kind: 'close', id: 0, session: this.id, list: false }, this.route);
    if (answer.kind === 'refused' && answer.body.code !== 'not_found') throw errorOf(answer.body);
  }
}

/** An answer that does not fit its request. */
export function unexpected(answer: Answer): QuorateError {
  return new OutcomeUnknownError(`A peer answered "${answer.kind}", which does not fit the request.`, {
    code: 'internal',
  });
}
