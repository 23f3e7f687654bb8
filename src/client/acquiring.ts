/**
 * One acquire, from the call to the lock.
 * Always true: it comes to a lock that is held at that moment by this machine's clocks, or to an error after which
 * nothing is held; a lock id that may have been sent and is not held is given up in the mesh. When its session died,
 * or its grant ended before it came, it begins anew under another lock id, as long as it has time.
 */
import { makeLockId } from '../api/ids.ts';
import { type LockId, type Mode, NO_EXPIRY, type Priority } from '../lock/state.ts';
import type { AcquireMessage, Locked } from '../protocol/messages.ts';
import { NEVER } from '../vote/task.ts';
import type { Core } from './core.ts';
import { type Count, countOf, type Instant, leftOf } from './count.ts';
import { BusyError, LockLostError, type QuorateError } from './errors.ts';
import type { Call, Sink } from './failover.ts';
import { HeldLock } from './lock.ts';
import { errorOf } from './refusals.ts';
import { type Member, type Session, unexpected } from './session.ts';
import type { Answer, Draft } from './way.ts';

/** A grant of which less than this share is left when it comes is extended before it is handed on. */
const ENOUGH_SHARE = 0.5;
/** Refusals after which opening a session may be tried again. */
const PASSING: ReadonlySet<string> = new Set(['no_quorum', 'outcome_unknown', 'internal', 'overloaded']);

export interface Wish {
  readonly scope: string;
  readonly mode: Mode;
  /** Of a semaphore; else 0. */
  readonly permits: number;
  readonly waitMs: number;
  /** Milliseconds, NO_EXPIRY, or null for `auto`: then it is kept alive. */
  readonly leaseMs: number | null;
  readonly priority: Priority;
  readonly reason: string | null;
  /** undefined: a new one. */
  readonly holder: string | undefined;
  readonly lockId: LockId | undefined;
  readonly signal: AbortSignal | undefined;
  /** A session of its own; undefined: the client's. */
  readonly session?: Session;
}

/** Acquires. Rejects with the signal's reason if that is aborted first. */
export function acquire(core: Core, wish: Wish): Promise<HeldLock> {
  if (core.closed) return Promise.reject(core.closedError());
  if (wish.signal?.aborted === true) return Promise.reject(wish.signal.reason as unknown);
  const held = wish.lockId === undefined ? undefined : core.locks.get(wish.lockId);
  if (held?.held === true && held.scope === wish.scope) return Promise.resolve(held);
  return new Promise((resolve, reject) => {
    new Acquisition(core, wish, resolve, reject).begin();
  });
}

export class Acquisition implements Sink, Member {
  readonly scope: string;
  readonly heldSince = NEVER;
  lockId: LockId;
  private holder: string;
  private readonly core: Core;
  private readonly wish: Wish;
  private readonly resolve: (lock: HeldLock) => void;
  private readonly reject: (error: unknown) => void;
  private readonly startedAt: number;
  private readonly waitUntil: number;
  private readonly deadline: number;
  private session: Session | undefined;
  private call: Call | undefined;
  /** The answer that is to be extended before it counts. */
  private grant: Locked | undefined;
  private over = false;

  constructor(core: Core, wish: Wish, resolve: (lock: HeldLock) => void, reject: (error: unknown) => void) {
    this.core = core;
    this.wish = wish;
    this.resolve = resolve;
    this.reject = reject;
    this.scope = wish.scope;
    this.lockId = wish.lockId ?? makeLockId();
    this.holder = wish.holder ?? core.makeHolder();
    this.startedAt = core.clock.now();
    this.waitUntil = this.startedAt + wish.waitMs;
    this.deadline = this.waitUntil + core.settings.requestMs;
  }

  begin(): void {
    this.core.acquiring.add(this);
    this.wish.signal?.addEventListener('abort', this.onAbort);
    this.enter();
  }

  private enter(): void {
    const session = this.wish.session ?? this.core.session;
    if (session !== undefined && session.leftMs(this.core.now()) > 0) this.ask(session);
    else if (this.wish.session !== undefined || this.core.clock.now() >= this.deadline) {
      this.fail(sessionOver(this.scope));
    } else {
      this.core.openMain().then(
        () => {
          if (!this.over) this.enter();
        },
        (error) => this.notOpened(error as QuorateError),
      );
    }
  }

  private notOpened(error: QuorateError): void {
    if (this.over) return;
    const again = PASSING.has(error.code) && this.core.clock.now() < this.deadline && !this.core.closed;
    if (again) this.enter();
    else this.fail(error);
  }

  private ask(session: Session): void {
    this.session = session;
    this.grant = undefined;
    session.add(this);
    const { scope, lockId, holder, wish, deadline, waitUntil } = this;
    const { mode, permits, priority, reason, leaseMs, waitMs } = wish;
    const message: Draft<AcquireMessage> = {
      kind: 'acquire',
      id: 0,
      scope,
      lockId,
      holder,
      mode,
      permits,
      priority,
      reason,
      session: session.id,
      leaseMs,
      waitMs,
      repeat: 0,
    };
    this.call = this.core.calls.start(message, { route: scope, deadline, waitUntil }, this);
  }

  done(answer: Answer, call: Call): void {
    this.call = undefined;
    if (answer.kind === 'locked') this.locked(answer, call);
    else if (answer.kind === 'refused')
      this.refused(errorOf(answer.body, this), answer.body.session !== undefined);
    else this.lose(unexpected(answer));
  }

  failed(error: QuorateError, { maybe }: Call): void {
    this.call = undefined;
    if (maybe || this.grant !== undefined) this.lose(error);
    else this.fail(error);
  }

  private locked(answer: Locked, { sent }: Call): void {
    const { core } = this;
    if (answer.lockId !== null && answer.lockId !== this.lockId) {
      this.fail(heldByName(this.scope, this.holder, answer.lockId));
      return;
    }
    const now = core.now();
    const endless = answer.leaseMs === NO_EXPIRY;
    const lease = countOf(
      sent,
      answer.sets ? answer.waitedMs : 0,
      now.mono,
      endless ? NEVER : answer.leaseMs,
    );
    // What set no lease starts no count (T1); and after a long wait 1% of it may be more than the lease. Such a lock
    // is extended, and counted from that.
    const first = !answer.sets || leftOf(lease, now) < answer.leaseMs * ENOUGH_SHARE;
    if (endless || (!first && this.grant === undefined)) this.hold(answer, lease, now);
    else if (this.grant === undefined) this.extend(answer);
    else if (answer.sets) this.hold(this.grant, lease, now);
    else this.lose(unexpected(answer));
  }

  private extend(answer: Locked): void {
    const { scope, lockId, core } = this;
    this.grant = answer;
    const nothing = { holder: null, mode: null, token: null, waitMs: 0 } as const;
    this.call = core.calls.start(
      { kind: 'extend', id: 0, scope, lockId, leaseMs: answer.leaseMs, ...nothing },
      { route: scope, deadline: core.deadline() },
      this,
    );
  }

  /** @param granted the answer to the acquire. @param lease what is counted. */
  private hold(granted: Locked, lease: Count, now: Instant): void {
    const { core, scope, lockId, holder, wish } = this;
    const session = this.session!;
    if (leftOf(lease, now) === 0 || session.leftMs(now) === 0) {
      // A session that is over has told this acquire so, which then began anew.
      if (this.session === session && !this.over) this.anew(sessionOver(scope));
      return;
    }
    this.settle();
    const known = core.locks.get(lockId); // asked for twice at the same time, under the same lock id
    if (known?.held === true) {
      session.add(known);
      this.resolve(known);
      return;
    }
    const waitedMs = now.mono - this.startedAt;
    const details = { scope, lockId, holder, keep: wish.leaseMs === null, waitedMs };
    this.resolve(new HeldLock(core, session, details, granted, lease));
  }

  private refused(error: QuorateError, aboutSession: boolean): void {
    const { session } = this;
    if (error.code === 'not_found' && aboutSession) {
      session?.end('the mesh says that its session is dead'); // tells this acquire too, which begins anew
      return;
    }
    const ended = error.code === 'stale_grant' || (this.grant !== undefined && error.code === 'not_found');
    if (ended && this.wish.lockId === undefined) this.anew(error);
    else this.fail(error);
  }

  /** Once more from the start, under a lock id and a holder name that the mesh has not seen. */
  private anew(error: QuorateError): void {
    this.session?.remove(this);
    this.core.giveUp(this.scope, this.lockId);
    const { wish } = this;
    if (wish.lockId !== undefined || wish.session !== undefined || this.core.clock.now() >= this.deadline) {
      this.fail(error);
      return;
    }
    this.session = undefined;
    this.lockId = makeLockId();
    this.holder = wish.holder ?? this.core.makeHolder();
    this.enter();
  }

  // --- how it ends ---

  sessionLost(): void {
    this.call?.abort();
    this.call = undefined;
    this.anew(sessionOver(this.scope));
  }

  /** It holds nothing yet, so nothing of it can end. */
  ended(): void {}

  private readonly onAbort = (): void => {
    this.cancel(this.wish.signal!.reason);
  };

  /** Gives it up; what was granted meanwhile is released. */
  cancel(reason: unknown): void {
    if (this.over) return;
    const sent = this.call?.abort() === true;
    if (sent || this.grant !== undefined) this.core.giveUp(this.scope, this.lockId);
    this.fail(reason);
  }

  /** It may be held, or wait, and shall not. */
  private lose(error: QuorateError): void {
    this.core.giveUp(this.scope, this.lockId);
    this.fail(error);
  }

  private fail(error: unknown): void {
    if (this.over) return;
    this.settle();
    this.session?.remove(this);
    this.reject(error);
  }

  private settle(): void {
    this.over = true;
    this.core.acquiring.delete(this);
    this.wish.signal?.removeEventListener('abort', this.onAbort);
  }
}

function sessionOver(scope: string): LockLostError {
  const why = 'its session ended before the answer came';
  return new LockLostError(`The lock on ${JSON.stringify(scope)} is not held: ${why}.`, { scope });
}

function heldByName(scope: string, holder: string, lockId: string): BusyError {
  const what = `${JSON.stringify(scope)} is held under the holder name ${JSON.stringify(holder)} already, by lock ${lockId}.`;
  const next = 'Release that lock by its lockId or holder name, or acquire with another holder name.';
  return new BusyError(what, { scope, lockId, next });
}
