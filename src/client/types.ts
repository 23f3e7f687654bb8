/**
 * What users of the client see: locks, semaphores, elections, events. The classes behind them are in the files of
 * their names.
 */
import type { EventBody } from '../api/answers-events.ts';
import type { Clock } from './clock.ts';

/** "250ms", "30s", "5m", "2h", "7d", or a number of seconds. At most a year. */
export type Duration = string | number;

export interface QuorateOptions {
  /** Peers of one mesh: HOST:PORT (port 20194 if left out) or URLs with http, https, ws or wss. One is enough to begin. */
  readonly servers: readonly string[] | string;
  /** `ws`: one WebSocket per peer, requests go straight to a scope's home. `http`: plain requests. Default `ws`. */
  readonly transport?: 'ws' | 'http';
  /** What the names of holders begin with: 1 to 200 bytes. Default: host name and process id. */
  readonly holder?: string;
  /** How long locks outlive this process if it dies: the ttl of its session, 300ms to 1d. Default "10s". */
  readonly ttl?: Duration;
  /** How long a call goes on trying; what it waits in a queue comes on top. Default "5s". */
  readonly requestTimeout?: Duration;
  /** For tests. */
  readonly clock?: Clock;
  /** For tests: 0 to 1, for pauses and names. */
  readonly random?: () => number;
}

export type Priority = 'high' | 'normal' | 'low';

/** What acquiring anything may say. */
export interface WaitOptions {
  /** How long to wait in the queue, at most 7d. Default 0: not at all. */
  readonly wait?: Duration;
  /** The class in the queue. Default `normal`. */
  readonly priority?: Priority;
  /** Why, shown with the lock: 1 to 1,024 bytes. */
  readonly reason?: string;
  /** Gives up, and rejects with the signal's reason. What was granted meanwhile is released. */
  readonly signal?: AbortSignal;
}

export interface AcquireOptions extends WaitOptions {
  /**
   * The lease. `auto` (default): as long as the mesh thinks right, kept alive in the background until it is released.
   * A duration: ends then, unless it is extended. `none`: lives with this client's session alone.
   */
  readonly timeout?: Duration | 'auto' | 'none';
  /** Writers hold alone, readers beside readers. Default `write`. */
  readonly lockType?: 'write' | 'read';
  /** Who holds, 1 to 256 bytes. Default: a name that is unique for ever, so that two acquires exclude each other. */
  readonly holder?: string;
  /** A UUID, never used before. Default: a new one. */
  readonly lockId?: string;
}

export type PermitOptions = Omit<AcquireOptions, 'lockType'>;

/** What is held, in general. */
export interface Held extends AsyncDisposable {
  /** Whether it is held now, by this machine's own clocks. Ask right before each piece of work. */
  readonly held: boolean;
  /** Aborted when it may be lost, with a LockLostError as the reason: before the lease ends, never after. */
  readonly signal: AbortSignal;
  /** Throws a LockLostError if it is not held now. */
  assertHeld(): void;
  /**
   * Releases it. Once is enough: later calls get the same promise.
   * @throws LockLostError if it had ended otherwise, NoQuorumError or OutcomeUnknownError if no peer could be told in
   * time (it then ends with the lease, or with this client's session).
   */
  release(): Promise<void>;
  /** Like `release`, but quiet about a loss that its user was told of before (held, signal, assertHeld, extend). */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Lock extends Held {
  readonly scope: string;
  readonly lockId: string;
  readonly holder: string;
  readonly lockType: 'write' | 'read' | 'permit';
  /** Which permit of a semaphore it is, from 0; 0 for other locks. */
  readonly slot: number;
  /** Larger at every grant of the scope, for ever: hand it to the guarded resource, which refuses smaller ones. */
  readonly fencingToken: number;
  /** When it was granted, by a peer's wall clock: for people. */
  readonly acquiredAt: Date;
  /** How long the acquire took, milliseconds. */
  readonly waitedMs: number;
  /**
   * Milliseconds until the signal aborts if nothing is extended and no heartbeat is answered: never more than the ttl of
   * the client's session. 0: it is not held.
   */
  remainingMs(): number;
  /**
   * Sets the lease to end that long from now, and not earlier than it would have. A lock with an `auto` lease is kept
   * alive as before.
   * @throws LockLostError if it is not held any more; NoQuorumError, OutcomeUnknownError: the former lease goes on.
   */
  extend(duration: Duration): Promise<void>;
}

/** Several scopes, held all together or not at all. */
export interface MultiLock extends Held {
  /** In the order in which they were acquired: by the bytes of their scopes. */
  readonly locks: readonly Lock[];
  /** Scope to token. */
  readonly fencingTokens: ReadonlyMap<string, number>;
}

/** A lease is not among them: they live with a session of their own. */
export type MultiOptions = WaitOptions & Pick<AcquireOptions, 'holder'>;

export interface ScopeWish {
  readonly scope: string;
  /** Default `write`. Of a scope that is named twice, the stronger one counts. */
  readonly lockType?: 'write' | 'read';
}

/** What at most `permits` hold at a time. Everybody must name the same number. */
export interface Semaphore {
  readonly scope: string;
  readonly permits: number;
  /** @throws as `Quorate.acquire`; NotHolderError or InvalidRequestError if others use another number of permits. */
  acquire(options?: PermitOptions): Promise<Lock>;
  /** null when no permit is free. */
  tryAcquire(options?: Omit<PermitOptions, 'wait'>): Promise<Lock | null>;
  /** As `Quorate.withLock`. */
  withPermit<T>(fn: (permit: Lock) => Promise<T> | T): Promise<T>;
  withPermit<T>(options: PermitOptions, fn: (permit: Lock) => Promise<T> | T): Promise<T>;
}

export interface Leader {
  readonly holder: string;
  readonly fencingToken: number;
}

export interface ElectOptions {
  /** Ends campaigns and observers, and resigns. */
  readonly signal?: AbortSignal;
  /** Under which name it leads. Default: a unique one per campaign. */
  readonly holder?: string;
  /** The lease of the leadership; as for a lock. Default `auto`. */
  readonly timeout?: Duration | 'auto' | 'none';
}

/** One leader per name: who holds the write lock of the scope of that name. */
export interface Election {
  readonly name: string;
  /**
   * Waits until it leads, without end unless `wait` says so. The leadership is a lock: watch its `signal`, and resign
   * with its `release`.
   * @throws as `Quorate.acquire`.
   */
  campaign(options?: WaitOptions): Promise<Lock>;
  /** Who leads now, by a vote; null: nobody. */
  leader(): Promise<Leader | null>;
  /** Who leads, and then each change, until the signal is aborted; a change that was soon over may be missing. */
  observe(options?: { readonly signal?: AbortSignal }): AsyncIterable<Leader | null>;
  /** Gives up what this election leads or campaigns for. */
  resign(): Promise<void>;
}

/**
 * Something that happened to a scope, as the API says it. The first is `watching`: from there on each change that was
 * voted is told once, in order; another `watching` says that something before it may be missing.
 */
export type LockEvent = EventBody;

export interface EventsOptions {
  readonly scope: string;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

export interface ReleaseOptions {
  readonly scope: string;
  readonly lockId?: string;
  readonly holder?: string;
}

export interface ForceOptions {
  /** For the audit trail: 1 to 1,024 bytes. */
  readonly reason: string;
  /** Only this lock; else all that hold the scope. */
  readonly lockId?: string;
}

/** Which locks to list. */
export interface LocksQuery {
  /** Only scopes that start with this. */
  readonly prefix?: string;
  readonly holder?: string;
  readonly state?: 'locked' | 'free';
  /** Only scopes held for at least this long. */
  readonly olderThan?: Duration;
  /** At most this many, 1 to 1,000. Default 100. */
  readonly limit?: number;
  /** `next_cursor` of the page before. */
  readonly cursor?: string;
}
