/**
 * A client of a run: acquires (waiting or not, reading or writing, with a session or without), extends, converts and
 * releases through any gateway, retries lost answers through another with the same lock id, hangs up, comes back,
 * pauses, and dies. It counts its leases and its sessions as rules T1 and T4 say, on a clock of its own.
 */
import type { FencingToken, Grant, LockId, Mode, Priority, SessionId } from '../../src/lock/state.ts';
import type { AcquireRequest, ClientReply, ClientRequest } from '../../src/peer/request.ts';
import { implicitSession } from '../../src/peer/sessions.ts';
import { LEASE_MARGIN } from '../../src/vote/limits.ts';
import type { Belief } from './beliefs.ts';
import type { World } from './world.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** A session as its client counts it. */
interface Session {
  readonly id: SessionId;
  readonly ttlMs: number;
  readonly implicit: boolean;
  /** True time at which its client's count of its time to live ends. A lapse is final. */
  until: number;
  /** Whether the client still sends signs of life. */
  beating: boolean;
}

interface Held {
  belief: Belief;
  leaseMs: number;
  leaseId: string;
  /** True time at which the count of the lease ends. */
  leaseUntil: number;
  readonly session: Session | null;
}

interface Wish {
  readonly scope: string;
  readonly lockId: LockId;
  readonly made: boolean;
  readonly holder: string;
  readonly mode: Mode;
  readonly permits: number;
  readonly priority: Priority;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly pollMs: number | null;
  session: Session | null;
  /** True time of the very first send; how often it was sent. */
  readonly first: number;
  sends: number;
  patience: number;
}

export class Client {
  readonly index: number;
  private readonly world: World;
  private readonly rate: number;
  private generation = 0;
  private stopped = false;
  private ids = 0;
  private session: Session | null = null;
  /** Tokens under which it wrote, and has asked to read only: it never writes under them again. */
  private readonly steppedDown = new Set<number>();
  private pausedUntil = 0;
  /** What it waits for, for the checkers: true while a request that may wait is under way. */
  waitsFor: string | undefined;

  constructor(world: World, index: number) {
    this.world = world;
    this.index = index;
    this.rate = 1 + world.random.between(-world.options.drift, world.options.drift);
  }

  private get name(): string {
    return `c${this.index}.${this.generation}`;
  }

  start(): void {
    this.later(this.world.random.between(0, 100), () => this.next());
  }

  stop(): void {
    this.stopped = true;
  }

  private later(ms: number, run: () => void): void {
    this.world.time.after(ms, run);
  }

  /** True time that passes while this client's clock counts `ms`. */
  private trueMs(ms: number): number {
    return ms === 0 ? NEVER : ms / this.rate;
  }

  private next(): void {
    if (this.stopped) {
      if (this.session !== null) this.session.beating = false;
      return;
    }
    const { random, options } = this.world;
    const scope = random.pick(this.world.scopes);
    if (random.chance(0.1)) this.status(scope);
    else if (random.chance(options.force)) this.force(scope);
    else if (options.sessions > 0 && random.chance(0.15)) this.openSession();
    else this.acquire(scope);
  }

  private rest(): void {
    const { random, options } = this.world;
    if (options.hasty) this.later(random.between(0, 5), () => this.next());
    else this.later(random.chance(0.5) ? random.between(0, 20) : random.between(0, 400), () => this.next());
  }

  private status(scope: string): void {
    this.call(
      () => ({ op: 'status', scope }),
      1,
      () => this.rest(),
    );
  }

  private force(scope: string): void {
    this.world.journal.note('force', this.index, 0, () => scope);
    const force = { by: this.name, reason: 'because' };
    this.call(
      () => ({ op: 'release', scope, lockId: null, holder: null, force, at: 0 }),
      1,
      () => this.rest(),
    );
  }

  /**
   * Sends a request through one gateway after another until one answers for certain.
   * @param done gets the answer, the true time of the first send and that of the last; undefined: nobody knows.
   */
  private call(
    make: (attempt: number) => ClientRequest,
    attempts: number,
    done: (reply: ClientReply | undefined, first: number, last: number) => void,
    waitMs = 0,
  ): void {
    const { world } = this;
    const first = world.time.now;
    const attempt = (k: number) => {
      const sent = world.time.now;
      const timeoutMs = world.random.between(300, 2_500);
      let over = false;
      const again = () => {
        if (over) return;
        over = true;
        if (k + 1 < attempts) this.later(world.random.between(0, 200), () => attempt(k + 1));
        else done(undefined, first, sent);
      };
      const hangUp = world.ask(this.index, make(k), timeoutMs, (reply) => {
        if (over) return;
        if (reply.kind === 'unknown' || (reply.kind === 'no_quorum' && k > 0)) {
          again();
          return;
        }
        over = true;
        done(reply, first, sent);
      });
      this.later(waitMs + timeoutMs + world.random.between(50, 500), () => {
        if (!over) hangUp();
        again();
      });
    };
    attempt(0);
  }

  // --- sessions ---

  private openSession(): void {
    const { random, options, journal } = this.world;
    if (this.session !== null) this.session.beating = false;
    const id = `session-${this.index}-${this.ids++}` as SessionId;
    const ttlMs = Math.round(random.between(400, options.maxTtlMs));
    this.call(
      () => ({ op: 'open_session', session: id, holder: this.name, ttlMs, list: false, at: 0 }),
      3,
      (reply, first) => {
        if (reply?.kind === 'decided' && reply.outcome.kind === 'granted') {
          journal.note('opened', this.index, ttlMs, () => id);
          const until = first + this.trueMs(ttlMs);
          this.session = { id, ttlMs, implicit: false, until, beating: true };
          this.beats(this.session, undefined);
        }
        this.rest();
      },
    );
  }

  /** Signs of life, until told not to. A paused client sends none. */
  private beats(session: Session, lock: { scope: string; lockId: LockId } | undefined): void {
    const { time, random } = this.world;
    this.later(this.trueMs(session.ttlMs) / 3, () => {
      if (!session.beating) return;
      if (time.now >= this.pausedUntil && session.until > time.now) this.beat(session, lock);
      if (!this.stopped || lock !== undefined || random.chance(0.9)) this.beats(session, lock);
    });
  }

  private beat(session: Session, lock: { scope: string; lockId: LockId } | undefined): void {
    const request: ClientRequest =
      lock === undefined
        ? { op: 'beat_session', session: session.id, holder: '', ttlMs: 0, list: true, at: 0 }
        : { op: 'heartbeat', ...lock, holder: null };
    this.call(
      () => request,
      1,
      (reply, first) => {
        if (reply?.kind !== 'decided' || session.until <= this.world.time.now) return;
        const taken = lock === undefined ? reply.outcome.kind === 'extended' : reply.beat;
        if (taken) {
          this.world.journal.note('beat', this.index, 0, () => session.id);
          session.until = first + this.trueMs(session.ttlMs);
        } else if (reply.outcome.kind === 'ended') session.until = this.world.time.now;
      },
    );
  }

  // --- acquire ---

  private acquire(scope: string): void {
    const { random, options, time } = this.world;
    const lockId = `${this.index}-${this.ids++}` as LockId;
    const waits = random.chance(options.waits);
    const session = this.drawSession(lockId, scope);
    const endless = random.chance(session === null ? 0.02 : 0.3);
    const leaseMs = endless ? 0 : Math.round(random.between(options.minLeaseMs, options.maxLeaseMs));
    this.ask({
      scope,
      lockId,
      made: leaseMs !== 0 && session?.implicit !== false && random.chance(0.15),
      holder: this.name,
      ...this.drawMode(),
      priority: random.chance(options.urgent)
        ? 'high'
        : random.pick(['normal', 'normal', 'normal', 'low'] as const),
      leaseMs,
      waitMs: waits ? Math.round(random.between(100, options.maxWaitMs)) : 0,
      pollMs: waits && random.chance(0.3) ? Math.round(random.between(50, 1_500)) : null,
      session,
      first: time.now,
      sends: 0,
      patience: random.between(500, 10_000),
    });
  }

  private drawMode(): { readonly mode: Mode; readonly permits: number } {
    const { random, options } = this.world;
    const { permits } = options;
    if (permits === 0) return { mode: random.chance(options.reads) ? 'read' : 'write', permits };
    if (random.chance(0.9)) return { mode: 'permit', permits };
    return random.chance(0.5) ? { mode: 'permit', permits: permits + 1 } : { mode: 'write', permits: 0 };
  }

  private drawSession(lockId: LockId, scope: string): Session | null {
    const { random, options, time } = this.world;
    if (!random.chance(options.sessions)) return null;
    if (random.chance(0.5)) return this.session;
    const ttlMs = Math.round(random.between(400, options.maxTtlMs));
    const until = time.now + this.trueMs(ttlMs);
    return { id: implicitSession(lockId, scope), ttlMs, implicit: true, until, beating: true };
  }

  private ask(wish: Wish): void {
    const { world } = this;
    const { random, options, journal, time } = world;
    const { scope, lockId, leaseMs, waitMs } = wish;
    world.wanted.add(lockId);
    const implicit = wish.session?.implicit === true;
    const again = wish.sends > 0;
    const make = (attempt: number): AcquireRequest => {
      wish.sends++;
      if (attempt > 0 && !implicit && wish.session !== null && random.chance(0.3)) {
        wish.session.beating = false; // it was started anew, and has forgotten its session
        wish.session = null;
        this.session = null;
      }
      const { session } = wish;
      return {
        op: 'acquire',
        permits: wish.permits,
        scope,
        lockId,
        made: wish.made,
        holder: wish.holder,
        named: true,
        mode: wish.mode,
        priority: wish.priority,
        reason: null,
        session: session === null ? null : { id: session.id, ttlMs: session.ttlMs, implicit },
        leaseMs,
        waitMs,
        pollMs: wish.pollMs,
        repeat: wish.sends - 1,
        at: 0,
      };
    };
    const patient = waitMs > 0 && random.chance(options.hangUp);
    const calls = wish.made || patient ? 1 : leaseMs === 0 && wish.session === null ? 1_000 : 5;
    this.waitsFor = waitMs > 0 ? `${scope} ${lockId}` : undefined;
    const done = (reply: ClientReply | undefined, _first: number, last: number) => {
      this.waitsFor = undefined;
      this.answered(wish, reply, last, again);
    };
    if (!patient) {
      this.call(make, calls, done, waitMs);
      return;
    }
    // Hangs up while it waits; then comes back with the same lock id, or does not.
    let over = false;
    const sent = time.now;
    const hangUp = world.ask(this.index, make(0), 2_000, (reply) => {
      if (over) return;
      over = true;
      done(reply, sent, sent);
    });
    this.later(random.between(0, Math.min(waitMs, 3_000)), () => {
      if (over) return;
      over = true;
      this.waitsFor = undefined;
      journal.note('hung up', this.index, 0, () => lockId);
      hangUp();
      if (!wish.made && random.chance(0.6)) this.later(random.between(0, 3_000), () => this.ask(wish));
      else this.walkAway(wish);
    });
  }

  /** It wants the lock no longer, and tells nobody. */
  private walkAway({ scope, lockId, leaseMs, session }: Wish): void {
    this.world.wanted.delete(lockId);
    this.world.released.add(lockId);
    if (session?.implicit === true) session.beating = false;
    this.generation++; // the lock may be held under the old name for a while
    if (leaseMs === 0)
      this.cancelForSure(scope, lockId); // a release might come before what it should end
    else this.rest();
  }

  private answered(wish: Wish, reply: ClientReply | undefined, last: number, again: boolean): void {
    const { beliefs, journal, rules, random, time } = this.world;
    const { scope, lockId, leaseMs, holder } = wish;
    const note = (what: string) =>
      journal.note(`told ${what}`, this.index, 0, () => `${holder} ${scope} ${lockId}`);
    if (reply?.kind === 'waiting') {
      note('waiting');
      wish.patience -= time.now - last;
      const pause = random.chance(0.9) ? random.between(0, 100) : random.between(100, 5_000);
      wish.patience -= pause;
      if (wish.made) this.walkAway(wish);
      else if (wish.patience > 0) this.later(pause, () => this.ask(wish));
      else if (random.chance(0.5)) this.walkAway(wish);
      else this.cancel(wish);
      return;
    }
    this.world.wanted.delete(lockId);
    if (reply?.kind === 'decided') {
      const { outcome } = reply;
      note(outcome.kind);
      if (outcome.kind === 'granted') {
        if (outcome.repeat && !rules.countsFromRepeat) this.hold(wish, outcome.grant, wish.first);
        else this.hold(wish, outcome.grant, last + reply.countFromMs / LEASE_MARGIN / this.rate);
        return;
      }
      if (outcome.kind === 'already_held') {
        if (rules.countsFromRepeat) this.hold({ ...wish, session: null }, outcome.grant, last);
        else if (outcome.grant.session === null) this.claim(scope, outcome.grant, leaseMs);
        else this.rest();
        return;
      }
      // A copy that a gateway still has may yet be granted, once the ring forgets: it gives that back (seed 110019240).
      if (outcome.kind === 'ended') this.world.released.add(lockId);
      if (outcome.kind === 'misfit') beliefs.certainlyNot(scope, lockId, 'misfit', false);
      if (outcome.kind === 'busy') {
        beliefs.certainlyNot(scope, lockId, 'busy', false);
        journal.note(wish.waitMs > 0 ? 'waited in vain' : 'busy', this.index, 0, () => lockId);
      }
    } else if (reply?.kind === 'no_quorum') {
      note('no_quorum');
      // Of a repeat it says nothing: what was asked for before may be in the queue.
      if (!again && wish.sends === 1) beliefs.certainlyNot(scope, lockId, 'no_quorum', true);
      else this.world.released.add(lockId);
    } else {
      note(reply?.kind ?? 'nothing');
      this.world.released.add(lockId);
      this.generation++; // the lock may be held under the old name for a while
    }
    if (wish.session?.implicit === true) wish.session.beating = false;
    const unsure = reply?.kind !== 'decided' || reply.outcome.kind === 'mismatch';
    if (leaseMs === 0 && unsure) this.cancelForSure(scope, lockId);
    else this.rest();
  }

  private cancel(wish: Wish): void {
    const { scope, lockId } = wish;
    this.world.released.add(lockId);
    this.call(
      () => ({ op: 'cancel', scope, lockId, holder: null, at: 0 }),
      3,
      (reply) => {
        this.world.wanted.delete(lockId);
        const granted = reply?.kind === 'decided' && reply.outcome.kind === 'granted';
        if (reply?.kind === 'decided' && reply.outcome.kind === 'cancelled') {
          this.world.beliefs.certainlyNot(scope, lockId, 'cancelled', false);
          this.rest();
        } else if (granted) this.releaseForSure(scope, lockId);
        else if (wish.leaseMs === 0) this.cancelForSure(scope, lockId);
        else this.walkAway(wish);
      },
    );
  }

  /** T1: a lock that is held already is extended before its lease is counted. */
  private claim(scope: string, grant: Grant, leaseMs: number): void {
    const { lockId } = grant;
    this.call(
      () => extension(scope, lockId, leaseMs),
      3,
      (reply, first) => {
        const extended = reply?.kind === 'decided' && reply.outcome.kind === 'extended';
        if (extended && this.steppedDown.has(reply.outcome.grant.token)) {
          this.releaseForSure(scope, lockId); // it once asked to read only, and that may yet come (L9)
        } else if (extended) {
          this.believe(scope, reply.outcome.grant, first, null);
        } else if (grant.leaseMs === 0 || leaseMs === 0) this.releaseForSure(scope, lockId);
        else this.rest();
      },
    );
  }

  private hold(wish: Wish, grant: Grant, from: number): void {
    const { session, scope, lockId } = wish;
    if (session?.implicit === true) {
      // Opened with the acquire, and beaten by its gateway while it waited: counted from where the lease is.
      session.until = from + this.trueMs(session.ttlMs);
      this.beats(session, { scope, lockId });
    }
    this.believe(scope, grant, from, session);
  }

  private believe(scope: string, grant: Grant, from: number, session: Session | null): void {
    const leaseUntil = from + this.trueMs(grant.leaseMs);
    const { lockId, token, mode, slot, permits } = grant;
    const belief: Belief = {
      scope,
      lockId,
      token,
      mode,
      slot,
      permits,
      who: this.name,
      until: Math.min(leaseUntil, this.sessionUntil(session)),
    };
    const held: Held = { belief, leaseMs: grant.leaseMs, leaseId: grant.leaseId, leaseUntil, session };
    this.world.beliefs.hold(belief);
    this.holding(held);
  }

  private sessionUntil(session: Session | null): number {
    return session === null || this.world.rules.ignoresSession ? NEVER : session.until;
  }

  /** What its clocks say now. A lapse is final. */
  private recount(held: Held): void {
    const { belief } = held;
    if (belief.until <= this.world.time.now) return;
    belief.until = Math.min(held.leaseUntil, this.sessionUntil(held.session));
    this.world.beliefs.hold(belief);
  }

  private holding(held: Held): void {
    const { random, options, journal } = this.world;
    const lasting = held.leaseMs === 0 ? 1_000 : held.leaseMs;
    const pause = held.leaseMs !== 0 && random.chance(options.clientPause) ? random.between(0.5, 3) : 0;
    const long = random.chance(0.15) && options.holdShare > 0.5 ? 0.95 : random.between(0, options.holdShare);
    const share = options.hasty && pause === 0 ? random.between(0, 0.02) : long + pause;
    if (pause > 0) {
      journal.note('hold pause', this.index, 0, () => this.name);
      this.pausedUntil = this.world.time.now + lasting * share;
    }
    this.later(lasting * share, () => {
      this.recount(held);
      if (held.belief.until <= this.world.time.now) {
        journal.note('lapsed', this.index, 0, () => `${this.name} ${held.belief.lockId}`);
        this.letGo(held); // a lapse is final
      } else if ((held.leaseMs !== 0 || held.session !== null) && random.chance(options.clientCrash)) {
        journal.note('client died', this.index, 0, () => this.name);
        this.letGo(held);
      } else if (!this.stopped && random.chance(0.35)) this.extend(held);
      else if (!this.stopped && random.chance(options.converts)) this.convert(held);
      else this.release(held);
    });
  }

  /** It no longer believes, and says nothing: what remains ends by itself, or is ended if it never would. */
  private letGo(held: Held): void {
    const { belief, session } = held;
    belief.until = Math.min(belief.until, this.world.time.now);
    if (session !== null) {
      session.beating = false;
      if (this.session === session) this.session = null;
    }
    if (this.world.random.chance(0.5)) this.generation++; // else it comes back under its own name
    if (held.leaseMs === 0 && session === null) this.releaseForSure(belief.scope, belief.lockId);
    else this.rest();
  }

  private extend(held: Held): void {
    const { random, options, time } = this.world;
    const { scope, lockId } = held.belief;
    let leaseMs = Math.round(random.between(options.minLeaseMs, options.maxLeaseMs));
    let replaces: string | null = null;
    if (held.leaseMs !== 0 && random.chance(0.2)) {
      // A wanted shortening: the holder cuts its own count before it sends.
      leaseMs = Math.max(50, Math.round(held.leaseMs / 2));
      replaces = held.leaseId;
      held.leaseUntil = Math.min(held.leaseUntil, time.now + this.trueMs(leaseMs));
      this.recount(held);
    }
    this.call(
      () => ({ ...extension(scope, lockId, leaseMs), replaces: replaces as never }),
      3,
      (reply, first) => {
        this.recount(held);
        if (reply?.kind === 'decided' && reply.outcome.kind === 'extended') {
          const { grant } = reply.outcome;
          if (held.belief.until > time.now) {
            held.leaseMs = grant.leaseMs;
            held.leaseId = grant.leaseId;
            held.leaseUntil = first + this.trueMs(grant.leaseMs);
            this.recount(held);
            this.holding(held);
          } else this.letGo(held);
        } else if (reply?.kind === 'decided')
          this.letGo(held); // told that it is over
        else this.holding(held);
      },
    );
  }

  /** L9: a writer stops believing before it sends; a reader goes on reading while it waits to write. */
  private convert(held: Held): void {
    const { random, time, journal, beliefs, rules } = this.world;
    const { belief } = held;
    const { scope, lockId, token } = belief;
    const mode: Mode = belief.mode === 'write' ? 'read' : 'write';
    if (mode === 'read' && !rules.believesWhileConverting) {
      belief.until = time.now;
      this.steppedDown.add(token);
    }
    const waitMs = mode === 'write' && random.chance(0.7) ? Math.round(random.between(100, 2_000)) : 0;
    this.call(
      () => ({
        ...extension(scope, lockId, null),
        mode,
        waitMs,
        token: token as FencingToken,
      }),
      mode === 'read' ? 3 : 1,
      (reply) => {
        const outcome = reply?.kind === 'decided' ? reply.outcome : undefined;
        const until = Math.min(held.leaseUntil, this.sessionUntil(held.session));
        journal.note(
          `converting ${outcome?.kind ?? reply?.kind}`,
          this.index,
          0,
          () => `${lockId} to ${mode}`,
        );
        if (outcome?.kind === 'converted' || outcome?.kind === 'extended') {
          const { grant } = outcome;
          if (grant.mode !== mode || until <= time.now) {
            this.letGo(held);
            return;
          }
          if (mode === 'write' && belief.until <= time.now) {
            this.letGo(held);
            return;
          }
          belief.until = Math.min(belief.until, time.now);
          held.belief = { ...belief, mode, token: grant.token, until };
          beliefs.hold(held.belief);
          this.holding(held);
        } else if (mode === 'read') this.letGo(held);
        else if (outcome?.kind === 'ended' || outcome?.kind === 'not_found') this.letGo(held);
        else this.holding(held);
      },
      waitMs,
    );
  }

  private release(held: Held): void {
    const { random, time } = this.world;
    const { scope, lockId } = held.belief;
    held.belief.until = Math.min(held.belief.until, time.now);
    this.world.released.add(lockId);
    if (held.session?.implicit === true) held.session.beating = false;
    // Who has several permits under one name would not know which one it lets go.
    const byName = held.belief.mode !== 'permit' && random.chance(0.4);
    const holder = this.name;
    // By name only once: a repeat could meet a later lock of that name.
    this.call(
      () => releasing(scope, byName ? null : lockId, byName ? holder : null),
      byName ? 1 : 5,
      (reply) => {
        if (reply === undefined) this.generation++;
        if (reply?.kind !== 'decided' && held.leaseMs === 0) this.releaseForSure(scope, lockId);
        else this.rest();
      },
    );
  }

  /** A lock that never expires is not left behind. */
  private releaseForSure(scope: string, lockId: LockId): void {
    this.world.released.add(lockId);
    this.call(
      () => releasing(scope, lockId, null),
      5,
      (reply) => {
        if (reply?.kind !== 'decided') this.releaseForSure(scope, lockId);
        else if (reply.outcome.kind === 'queued') this.cancelForSure(scope, lockId);
        else this.rest();
      },
    );
  }

  /** A lock id that may yet be granted is retired; a lock that was granted is released. */
  private cancelForSure(scope: string, lockId: LockId): void {
    this.world.released.add(lockId);
    this.call(
      () => ({ op: 'cancel', scope, lockId, holder: null, at: 0 }),
      5,
      (reply) => {
        if (reply?.kind !== 'decided') this.cancelForSure(scope, lockId);
        else if (reply.outcome.kind === 'granted') this.releaseForSure(scope, lockId);
        else this.rest();
      },
    );
  }
}

function extension(scope: string, lockId: LockId, leaseMs: number | null): ClientRequest & { op: 'extend' } {
  return {
    op: 'extend',
    scope,
    lockId,
    holder: null,
    leaseMs,
    replaces: null,
    mode: null,
    token: null,
    waitMs: 0,
    at: 0,
  };
}

function releasing(scope: string, lockId: LockId | null, holder: string | null): ClientRequest {
  return { op: 'release', scope, lockId, holder, force: null, at: 0 };
}
