/**
 * A lock that this process holds, or held.
 * Always true: it is held only while the counts of its lease and of its session run, by this machine's clocks, and
 * each use asks them; once it is not, it never is again. The signal aborts before the lease ends; nothing is released
 * behind the user's back, who may need what is left of the lease to stop.
 */
import { type LockId, type Mode, NO_EXPIRY } from '../lock/state.ts';
import type { Locked } from '../protocol/messages.ts';
import { NEVER } from '../vote/task.ts';
import type { Core } from './core.ts';
import { type Count, countOf, givenUpAt, type Instant, leftOf, wasSuspended } from './count.ts';
import { LockLostError, OutcomeUnknownError, type QuorateError } from './errors.ts';
import type { Call } from './failover.ts';
import { durationOf } from './options.ts';
import { errorOf } from './refusals.ts';
import { type Member, type Session, unexpected } from './session.ts';
import type { Ticking } from './ticker.ts';
import type { Duration, Lock } from './types.ts';
import type { Answer } from './way.ts';

/** A lease that is kept alive is extended when this share of it is over. */
const EXTEND_SHARE = 0.5;
/** An extension that a peer has not answered after this share of the lease is sent to another one. */
const PATIENCE_SHARE = 0.15;
const PATIENCE_MIN_MS = 250;
/** Refusals which say that the lock is not there. */
const ENDED: ReadonlySet<unknown> = new Set(['stale_grant', 'not_found', 'not_holder']);

/** What was asked for, and granted. */
export interface Granted {
  readonly scope: string;
  readonly lockId: LockId;
  readonly holder: string;
  /** Whether the lease is to be kept alive. */
  readonly keep: boolean;
  readonly waitedMs: number;
}

export class HeldLock implements Lock, Member, Ticking {
  readonly scope: string;
  readonly lockId: LockId;
  readonly holder: string;
  readonly lockType: Mode;
  readonly slot: number;
  readonly fencingToken: number;
  readonly waitedMs: number;
  readonly heldSince: number;
  readonly holds = true;
  /** Told when it is lost. */
  onLost: ((error: LockLostError) => void) | undefined;
  /** Told when it was released, or could not be. */
  onEnd: (() => void) | undefined;
  private readonly core: Core;
  private readonly session: Session;
  private readonly keep: boolean;
  private readonly at: number;
  private leaseMs: number;
  private lease: Count;
  private extendAt: number;
  private extending = false;
  private loss: LockLostError | undefined;
  /** Whether its user was told of the loss. */
  private told = false;
  private controller: AbortController | undefined;
  private releasing: Promise<void> | undefined;

  /** @param lease counted from the request that set it. */
  constructor(core: Core, session: Session, granted: Granted, answer: Locked, lease: Count) {
    this.core = core;
    this.session = session;
    this.scope = granted.scope;
    this.lockId = granted.lockId;
    this.holder = granted.holder;
    this.keep = granted.keep && answer.leaseMs !== NO_EXPIRY;
    this.waitedMs = granted.waitedMs;
    this.lockType = answer.mode;
    this.slot = answer.slot;
    this.fencingToken = answer.token;
    this.at = answer.at;
    this.leaseMs = answer.leaseMs;
    this.lease = lease;
    this.extendAt = this.extensionDue();
    this.heldSince = core.clock.now();
    core.locks.set(this.lockId, this);
    session.add(this);
    core.ticker.add(this, this.dueAt());
  }

  get acquiredAt(): Date {
    return new Date(this.at);
  }

  get held(): boolean {
    const held = this.stands(this.core.now());
    if (!held) this.told = true;
    return held;
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.loss !== undefined) this.abort();
    }
    return this.controller.signal;
  }

  assertHeld(): void {
    if (this.held) return;
    this.told = true;
    throw this.loss ?? this.lossOf('it was released');
  }

  remainingMs(): number {
    const now = this.core.now();
    return this.stands(now) ? Math.min(leftOf(this.lease, now), this.session.leftMs(now)) : 0;
  }

  async extend(duration: Duration): Promise<void> {
    const ms = durationOf(duration, 'duration', 1);
    this.assertHeld();
    try {
      await this.lengthen(ms, this.core.deadline());
    } catch (error) {
      if (error === this.loss) this.told = true;
      throw error;
    }
  }

  release(): Promise<void> {
    this.releasing ??= this.letGo();
    return this.releasing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch (error) {
      if (!(this.told && error === this.loss)) throw error;
    }
  }

  // --- how long it is held ---

  /** Whether it is held now; if its time is over, it is lost here and now. */
  private stands(now: Instant): boolean {
    if (this.loss !== undefined || this.releasing !== undefined) return false;
    if (leftOf(this.lease, now) === 0) {
      const why = wasSuspended(this.lease, now)
        ? 'this machine was suspended'
        : 'its lease was not extended in time';
      this.lose(why);
      return false;
    }
    return this.session.leftMs(now) > 0; // if it is over, this lock was told
  }

  tick(now: Instant): number {
    if (!this.stands(now)) return NEVER;
    if (this.keep && !this.extending && now.mono >= this.extendAt) this.keepAlive();
    return this.dueAt();
  }

  private dueAt(): number {
    const end = givenUpAt(this.lease);
    return this.keep && !this.extending ? Math.min(end, this.extendAt) : end;
  }

  private extensionDue(): number {
    return this.keep ? this.lease.from.mono + this.lease.ms * EXTEND_SHARE : NEVER;
  }

  private keepAlive(): void {
    this.extending = true;
    this.lengthen(this.leaseMs, this.lease.from.mono + this.lease.ms)
      .catch(() => {
        this.extendAt = this.core.clock.now() + this.leaseMs / 20;
      })
      .finally(() => {
        this.extending = false;
        if (this.loss === undefined) this.core.ticker.wake(this.dueAt(), true);
      });
  }

  private lengthen(leaseMs: number, deadline: number): Promise<void> {
    const { scope, lockId } = this;
    const nothing = { holder: null, mode: null, token: null, waitMs: 0 } as const;
    return new Promise((resolve, reject) => {
      this.core.calls.start(
        { kind: 'extend', id: 0, scope, lockId, leaseMs, ...nothing },
        { route: scope, deadline, patienceMs: Math.max(PATIENCE_MIN_MS, this.lease.ms * PATIENCE_SHARE) },
        {
          done: (answer, call) => {
            const error = this.lengthened(answer, call);
            if (error === undefined) resolve();
            else reject(error);
          },
          failed: reject,
        },
      );
    });
  }

  private lengthened(answer: Answer, { sent }: Call): QuorateError | undefined {
    const now = this.core.now();
    if (answer.kind === 'refused') {
      if (ENDED.has(answer.body.code)) this.lose(textOf(answer.body.detail));
      return this.loss ?? errorOf(answer.body, this);
    }
    if (!this.stands(now)) return this.loss ?? this.lossOf('it was released'); // a lapse is final
    if (answer.kind !== 'locked') return unexpected(answer);
    if (!answer.sets) return new OutcomeUnknownError('A peer did not say that the lease was set anew.', this);
    const ms = answer.leaseMs === NO_EXPIRY ? NEVER : answer.leaseMs;
    const lease = countOf(sent, answer.waitedMs, now.mono, ms);
    // Leases only grow, so that of two extensions whichever counts longer is right.
    if (givenUpAt(lease) >= givenUpAt(this.lease)) {
      this.lease = lease;
      this.leaseMs = answer.leaseMs;
      this.extendAt = this.extensionDue();
      this.core.ticker.wake(this.dueAt(), true);
    }
    return undefined;
  }

  // --- how it ends ---

  sessionLost(why: string): void {
    this.lose(why);
  }

  ended(): void {
    this.lose('the mesh says that it ended');
  }

  private lose(why: string): void {
    if (this.loss !== undefined || this.releasing !== undefined) return;
    this.loss = this.lossOf(why);
    this.core.ticker.delete(this);
    this.core.locks.delete(this.lockId);
    const { from, ms } = this.lease;
    this.session.remove(this, ms === NEVER ? 0 : from.mono + ms);
    if (this.controller !== undefined) this.abort();
    this.onLost?.(this.loss);
  }

  private abort(): void {
    this.told = true;
    this.controller!.abort(this.loss);
  }

  private lossOf(why: string): LockLostError {
    return new LockLostError(`The lock on ${JSON.stringify(this.scope)} is not held any more: ${why}.`, {
      scope: this.scope,
      lockId: this.lockId,
    });
  }

  private letGo(): Promise<void> {
    const { scope, lockId, core } = this;
    this.stands(core.now());
    return new Promise((resolve, reject) => {
      const over = (error: QuorateError | undefined) => {
        core.locks.delete(lockId);
        this.session.remove(this);
        this.onEnd?.();
        if (error === undefined) resolve();
        else reject(error);
      };
      core.ticker.delete(this);
      core.calls.start(
        { kind: 'release', id: 0, scope, lockId, holder: null, force: null },
        { route: scope, deadline: core.deadline() },
        {
          done: (answer, call) => over(this.loss ?? this.released(answer, call)),
          failed: (error) => over(this.loss ?? error),
        },
      );
    });
  }

  private released(answer: Answer, { maybe }: Call): LockLostError | QuorateError | undefined {
    if (answer.kind === 'unlocked') return undefined;
    if (answer.kind !== 'refused') return unexpected(answer);
    const { code, detail } = answer.body;
    if (code === 'not_found' && maybe) return undefined; // an earlier copy did it, and the mesh has forgotten
    if (!ENDED.has(code)) return errorOf(answer.body, this);
    this.loss = this.lossOf(textOf(detail));
    return this.loss;
  }
}

/** Without the full stop: it becomes part of a sentence. */
function textOf(detail: unknown): string {
  return typeof detail === 'string' ? detail.replace(/\.$/, '') : 'the mesh says that it ended';
}
