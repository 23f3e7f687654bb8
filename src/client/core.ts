/**
 * What the parts of one client share.
 * Always true: a lock id that was given up is cancelled, or released if it was granted after all, by whichever peer
 * can be reached; what cannot be told in time is told by the session's next heartbeats, or ends with the session.
 */
import { holderMaker } from '../api/ids.ts';
import type { LockId } from '../lock/state.ts';
import type { Acquisition } from './acquiring.ts';
import type { Clock } from './clock.ts';
import type { Instant } from './count.ts';
import { QuorateError } from './errors.ts';
import { Calls } from './failover.ts';
import type { HttpClient } from './http.ts';
import type { HeldLock } from './lock.ts';
import type { Settings } from './options.ts';
import { Session } from './session.ts';
import { Ticker } from './ticker.ts';
import type { Answer, Draft, Transport } from './way.ts';

const NOTHING = () => undefined;

export class Core {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly calls: Calls;
  readonly ticker: Ticker;
  readonly http: HttpClient;
  readonly makeHolder: () => string;
  /** Sessions that are open. */
  readonly sessions = new Set<Session>();
  /** Acquires under way. */
  readonly acquiring = new Set<Acquisition>();
  /** Locks that are held. */
  readonly locks = new Map<LockId, HeldLock>();
  /** Sessions that are being opened. */
  readonly openings = new Set<Promise<Session>>();
  /** Told when the client is closed. */
  readonly enders = new Set<() => void>();
  closed = false;
  /** The session of all locks but those of `multi`. */
  private main: Session | undefined;
  private opening: Promise<Session> | undefined;
  private closing: Promise<void> | undefined;

  constructor(settings: Settings, transport: Transport, http: HttpClient) {
    this.settings = settings;
    this.http = http;
    this.clock = settings.clock;
    this.calls = new Calls(settings.clock, settings.random, transport);
    this.ticker = new Ticker(settings.clock);
    this.makeHolder = holderMaker(settings.holder);
  }

  now(): Instant {
    return { mono: this.clock.now(), wall: this.clock.wall() };
  }

  /** The time by which a request that doesn't wait is answered, or over. */
  deadline(): number {
    return this.clock.now() + this.settings.requestMs;
  }

  ask(message: Draft, route: string | null, once = false): Promise<Answer> {
    return this.calls.ask(message, { route, deadline: this.deadline(), once }).then(({ answer }) => answer);
  }

  /** The session, if it is open. */
  get session(): Session | undefined {
    return this.main?.isOver === false ? this.main : undefined;
  }

  /** The session, opened if it is not. */
  openMain(): Promise<Session> {
    this.opening ??= Session.open(this).then(
      (session) => {
        this.main = session;
        this.opening = undefined;
        return session;
      },
      (error) => {
        this.opening = undefined;
        throw error;
      },
    );
    return this.opening;
  }

  /** Makes sure, in the background, that nobody holds or waits under this lock id. */
  giveUp(scope: string, lockId: LockId): void {
    const message = { kind: 'cancel', id: 0, scope, lockId, holder: null } as const;
    this.ask({ ...message }, scope).then((answer) => {
      if (answer.kind === 'locked') {
        this.ask({ kind: 'release', id: 0, scope, lockId, holder: null, force: null }, scope).catch(NOTHING);
      }
    }, NOTHING);
  }

  /** Releases and ends everything. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.closed = true;
    for (const end of [...this.enders]) end();
    for (const one of [...this.acquiring]) one.cancel(this.closedError());
    await Promise.allSettled([...this.locks.values()].map((lock) => lock.release()));
    await Promise.allSettled(this.openings);
    await Promise.allSettled([...this.sessions].map((session) => session.close()));
    this.calls.endAll();
    this.calls.transport.close();
    this.http.close();
  }

  /** What calls on a closed client are refused with. */
  closedError(): QuorateError {
    const next = 'Make a new client, and close it when nothing is held any more.';
    return new QuorateError('closed', 'This client was closed.', { certainty: 'definite', next });
  }
}
