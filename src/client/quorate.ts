/**
 * The client of a mesh: locks, semaphores, elections and events, for one process.
 * Always true: what returns a promise never throws at once; after `close` nothing is held and no socket is open.
 */
import type { ListAnswer, PeersAnswer, Status } from '../api/answers.ts';
import { acquire } from './acquiring.ts';
import { Core } from './core.ts';
import { LeaderElection } from './election.ts';
import { orNull } from './errors.ts';
import { Events } from './events.ts';
import { HttpClient } from './http.ts';
import { HttpTransport } from './http-transport.ts';
import { acquireAll } from './multi.ts';
import { checkKeys, readSettings, scopeOf, signalOf } from './options.ts';
import { forceRelease, listLocks, listPeers, release, statusOf } from './queries.ts';
import { Permits } from './semaphore.ts';
import type {
  AcquireOptions,
  Election,
  ElectOptions,
  EventsOptions,
  ForceOptions,
  Lock,
  LockEvent,
  LocksQuery,
  MultiLock,
  MultiOptions,
  QuorateOptions,
  ReleaseOptions,
  ScopeWish,
  Semaphore,
} from './types.ts';
import { under } from './under.ts';
import { lockWish, multiWish } from './wishes.ts';
import { WsTransport } from './ws-transport.ts';

type Work<T> = (lock: Lock) => Promise<T> | T;

/**
 * @example
 *     const mesh = new Quorate({ servers: ['127.0.0.1:20194'] });
 *     await mesh.withLock('db-migration', { wait: '30s' }, async ({ signal, fencingToken }) => { ... });
 *     await mesh.close();
 */
export class Quorate implements AsyncDisposable {
  private readonly core: Core;

  /** Connects when it is first used. Throws InvalidRequestError if an option is not valid. */
  constructor(options: QuorateOptions) {
    const settings = readSettings(options);
    const { servers, transport, clock, random, requestMs } = settings;
    const http = new HttpClient();
    const way =
      transport === 'ws'
        ? new WsTransport(servers, clock, random)
        : new HttpTransport(servers, clock, random, http, requestMs);
    this.core = new Core(settings, way, http);
  }

  /**
   * Acquires a lock, for as long as it is not released or lost.
   * @throws BusyError if others hold it, and did so until `wait` was over; NoQuorumError; OutcomeUnknownError;
   * OverloadedError; InvalidRequestError; DeadlockError; the signal's reason if it is aborted. After any of them
   * nothing is held.
   */
  async acquire(scope: string, options?: AcquireOptions): Promise<Lock> {
    return acquire(this.core, lockWish(scope, options));
  }

  /** As `acquire` without `wait`, but null when others hold it. */
  async tryAcquire(scope: string, options?: Omit<AcquireOptions, 'wait'>): Promise<Lock | null> {
    return acquire(this.core, { ...lockWish(scope, options), waitMs: 0 }).catch(orNull);
  }

  /**
   * Runs `fn` while the lock is held, and releases it whatever happens.
   * @throws as `acquire`; what `fn` throws; LockLostError if the lock was lost before `fn` ended: `signal` tells it in
   * time to stop.
   */
  withLock<T>(scope: string, fn: Work<T>): Promise<T>;
  withLock<T>(scope: string, options: AcquireOptions, fn: Work<T>): Promise<T>;
  async withLock<T>(scope: string, options: AcquireOptions | Work<T>, fn?: Work<T>): Promise<T> {
    return typeof options === 'function'
      ? under(await this.acquire(scope), options)
      : under(await this.acquire(scope, options), fn!);
  }

  /** A semaphore. @param permits how many may hold it at a time, 1 to 1,024; the same for all who use it. */
  semaphore(scope: string, permits: number): Semaphore {
    return new Permits(this.core, scope, permits);
  }

  /**
   * Acquires several scopes, all or nothing, under a session of their own; `wait` is for all of them together.
   * @throws as `acquire`; before that everything is given up.
   */
  async multi(scopes: readonly (string | ScopeWish)[], options: MultiOptions = {}): Promise<MultiLock> {
    return acquireAll(this.core, scopes, multiWish(options));
  }

  /** An election of that name: its leader holds the write lock of the scope of that name. */
  elect(name: string, options?: ElectOptions): Election {
    return new LeaderElection(this.core, name, options);
  }

  /** Who holds a scope and who waits, by a vote; as GET /api/v1.0/locks/{scope} answers. */
  async status(scope: string): Promise<Status> {
    return statusOf(this.core, scope);
  }

  /** Scopes, from one peer's memory; as GET /api/v1.0/locks answers. */
  async locks(query: LocksQuery = {}): Promise<ListAnswer> {
    return listLocks(this.core, query);
  }

  /** The mesh, as one peer sees it; as GET /api/v1.0/peers answers. */
  async peers(): Promise<PeersAnswer> {
    return listPeers(this.core);
  }

  /**
   * What happens to a scope from now on; the first event, `watching`, says since when. A connection that breaks is
   * replaced, and another `watching` told, for events before it may be missing. Who leaves 10,000 unread gets an
   * OverloadedError.
   */
  events(options: EventsOptions): AsyncIterableIterator<LockEvent> {
    checkKeys(options, ['scope', 'signal']);
    return new Events(this.core, scopeOf(options.scope), signalOf(options.signal));
  }

  /**
   * Releases a lock by its id, else by its holder's name, else the one that was acquired without a name.
   * @throws NotHolderError if it is somebody else's or isn't there; LockLostError if it had ended otherwise.
   */
  async release(which: ReleaseOptions): Promise<void> {
    return release(this.core, which);
  }

  /** Releases whoever holds a scope. Its holder may not know for a while: only fencing tokens help then. */
  async forceRelease(scope: string, options: ForceOptions): Promise<void> {
    return forceRelease(this.core, scope, options);
  }

  /**
   * Gives up what is under way, releases all locks, and closes session and sockets. Never rejects: what no peer can be
   * told of ends with the session's ttl.
   */
  close(): Promise<void> {
    return this.core.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
