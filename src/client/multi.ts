/**
 * Several scopes, all or nothing (L11).
 * Always true: they are acquired in the order of their bytes, each once the one before is held, so that two who want
 * the same scopes never wait for each other; all live with one session of their own, and a refusal, a timeout, an
 * abort or a loss closes it, and with it everything, before the error is thrown.
 */
import { acquire, type Wish } from './acquiring.ts';
import type { Core } from './core.ts';
import { InvalidRequestError, LockLostError, OutcomeUnknownError } from './errors.ts';
import type { HeldLock } from './lock.ts';
import { checkKeys, lockTypeOf, scopeOf } from './options.ts';
import { Session } from './session.ts';
import type { MultiLock, ScopeWish } from './types.ts';

/** Each scope once, in the stronger mode, in the order of their UTF-8 bytes. */
export function inOrder(
  scopes: readonly (string | ScopeWish)[],
): { scope: string; mode: 'write' | 'read' }[] {
  const modes = new Map<string, 'write' | 'read'>();
  for (const [i, one] of scopes.entries()) {
    if (typeof one === 'object') checkKeys(one, ['scope', 'lockType']);
    const { scope, lockType } = typeof one === 'string' ? { scope: one, lockType: undefined } : one;
    const name = scopeOf(scope, `scopes[${i}]`);
    const mode = lockTypeOf(lockType);
    if (modes.get(name) !== 'write') modes.set(name, mode);
  }
  if (modes.size === 0) throw new InvalidRequestError('scopes are empty: name one at least.');
  return [...modes]
    .map(([scope, mode]) => ({ scope, mode, bytes: Buffer.from(scope) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ scope, mode }) => ({ scope, mode }));
}

type Common = Omit<Wish, 'scope' | 'mode'>;

export async function acquireAll(
  core: Core,
  scopes: readonly (string | ScopeWish)[],
  common: Common,
): Promise<MultiLock> {
  const wanted = inOrder(scopes);
  if (core.closed) throw core.closedError();
  common.signal?.throwIfAborted();
  const session = await Session.open(core);
  const locks: HeldLock[] = [];
  const lost = new AbortController();
  const signal = common.signal === undefined ? lost.signal : AbortSignal.any([common.signal, lost.signal]);
  const waitUntil = core.clock.now() + common.waitMs;
  const holder = common.holder ?? core.makeHolder();
  try {
    for (const { scope, mode } of wanted) {
      const waitMs = Math.max(0, Math.ceil(waitUntil - core.clock.now()));
      const lock = await acquire(core, { ...common, scope, mode, waitMs, holder, session, signal });
      locks.push(lock);
      lock.onLost = (error) => lost.abort(error);
    }
    for (const lock of locks) lock.assertHeld();
    signal.throwIfAborted();
  } catch (error) {
    session.end('not all of the scopes could be had');
    await session.close().catch((failure) => {
      throw stillOpen(session.ttlMs, error, failure);
    });
    throw error;
  }
  return new AllLocks(session, locks);
}

function stillOpen(ttlMs: number, error: unknown, failure: unknown): OutcomeUnknownError {
  const why = error instanceof Error ? error.message : String(error);
  const told = `its session could not be closed in time, and ends by itself within ${ttlMs} ms`;
  return new OutcomeUnknownError(`Not all scopes could be had (${why}); ${told}.`, {
    cause: new AggregateError([error, failure]),
  });
}

class AllLocks implements MultiLock {
  readonly locks: readonly HeldLock[];
  readonly fencingTokens: ReadonlyMap<string, number>;
  private readonly session: Session;
  private readonly controller = new AbortController();
  private loss: LockLostError | undefined;
  /** Whether its user asked for the signal, or was told of the loss. */
  private told = false;
  private releasing: Promise<void> | undefined;

  constructor(session: Session, locks: readonly HeldLock[]) {
    this.session = session;
    this.locks = locks;
    this.fencingTokens = new Map(locks.map(({ scope, fencingToken }) => [scope, fencingToken]));
    for (const lock of locks) lock.onLost = (error) => this.lose(error);
  }

  get held(): boolean {
    return this.locks.every((lock) => lock.held);
  }

  get signal(): AbortSignal {
    this.told = true;
    return this.controller.signal;
  }

  assertHeld(): void {
    for (const lock of this.locks) {
      if (lock.held) continue;
      this.told = true;
      lock.assertHeld();
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

  private lose(error: LockLostError): void {
    if (this.loss !== undefined || this.releasing !== undefined) return;
    this.loss = error;
    this.controller.abort(error);
  }

  private async letGo(): Promise<void> {
    for (const lock of this.locks) void lock.held; // asks the clocks
    const released = await Promise.allSettled(this.locks.map((lock) => lock.release()));
    const errors = released.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    // What could not be released one by one ends with the session.
    const closed = await this.session.close().then(
      () => undefined,
      (error: unknown) => error,
    );
    if (this.loss !== undefined) throw this.loss;
    const lost = errors.find((error) => error instanceof LockLostError);
    if (lost !== undefined) throw lost;
    if (closed !== undefined && errors.length > 0) throw errors[0];
  }
}
