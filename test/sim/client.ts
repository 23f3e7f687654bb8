/**
 * A client of a run: acquires, extends and releases through any gateway, retries lost answers through another with
 * the same lock id, pauses, and crashes. It counts its leases as rule T1 says, on a clock of its own.
 */
import type { Grant, LockId } from '../../src/lock/state.ts';
import type { ClientReply, ClientRequest } from '../../src/peer/request.ts';
import type { Belief } from './beliefs.ts';
import type { World } from './world.ts';

interface Held {
  readonly belief: Belief;
  readonly leaseMs: number;
  readonly leaseId: string;
}

export class Client {
  readonly index: number;
  private readonly world: World;
  private readonly rate: number;
  private generation = 0;
  private stopped = false;
  private ids = 0;

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
    return ms === 0 ? Number.POSITIVE_INFINITY : ms / this.rate;
  }

  private next(): void {
    if (this.stopped) return;
    const { random, scopes } = this.world;
    const scope = random.pick(scopes);
    if (random.chance(0.12)) this.status(scope);
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

  /**
   * Sends a request through one gateway after another until one answers for certain.
   * @param done gets the answer, the true time of the first send and that of the last; undefined: nobody knows.
   */
  private call(
    make: (attempt: number) => ClientRequest,
    attempts: number,
    done: (reply: ClientReply | undefined, first: number, last: number) => void,
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
      this.later(timeoutMs + world.random.between(50, 500), () => {
        if (!over) hangUp();
        again();
      });
    };
    attempt(0);
  }

  private acquire(scope: string): void {
    const { random, options, beliefs, journal, rules } = this.world;
    const lockId = `${this.index}-${this.ids++}` as LockId;
    const leaseMs = random.chance(0.02)
      ? 0
      : Math.round(random.between(options.minLeaseMs, options.maxLeaseMs));
    const holder = this.name;
    this.world.wanted.add(lockId);
    this.call(
      (attempt) => ({
        op: 'acquire',
        scope,
        lockId,
        made: false,
        holder,
        named: true,
        leaseMs,
        repeat: attempt > 0,
        at: 0,
      }),
      leaseMs === 0 ? 1_000 : 5, // what never expires must not be left to chance
      (reply, first, last) => {
        this.world.wanted.delete(lockId);
        if (reply?.kind === 'decided') {
          const { outcome } = reply;
          journal.note(`told ${outcome.kind}`, this.index, 0, () => `${holder} ${scope} ${lockId}`);
          if (outcome.kind === 'granted') {
            const from = outcome.repeat && rules.countsFromRepeat ? last : first;
            this.hold(scope, lockId, outcome.grant, from);
            return;
          }
          if (outcome.kind === 'already_held') {
            if (rules.countsFromRepeat) this.hold(scope, outcome.grant.lockId, outcome.grant, last);
            else this.claim(scope, outcome.grant, leaseMs);
            return;
          }
          if (outcome.kind === 'busy') beliefs.certainlyNot(scope, lockId, 'busy', false);
        } else if (reply?.kind === 'no_quorum') {
          journal.note('told no_quorum', this.index, 0, () => `${holder} ${scope} ${lockId}`);
          beliefs.certainlyNot(scope, lockId, 'no_quorum', first === last);
        } else {
          journal.note('told nothing', this.index, 0, () => `${holder} ${scope} ${lockId}`);
          this.generation++; // the lock may be held under the old name for a while
        }
        if (leaseMs === 0 && reply?.kind !== 'decided') {
          this.releaseForSure(scope, lockId);
          return;
        }
        this.rest();
      },
    );
  }

  /** T1: a lock that is held already is extended before its lease is counted. */
  private claim(scope: string, grant: Grant, leaseMs: number): void {
    const { lockId, token } = grant;
    this.call(
      () => ({ op: 'extend', scope, lockId, holder: null, leaseMs, replaces: null }),
      3,
      (reply, first) => {
        if (reply?.kind === 'decided' && reply.outcome.kind === 'extended') {
          this.hold(scope, lockId, { ...reply.outcome.grant, token }, first);
        } else if (grant.leaseMs === 0 || leaseMs === 0) this.releaseForSure(scope, lockId);
        else this.rest();
      },
    );
  }

  private hold(
    scope: string,
    lockId: LockId,
    grant: { token: number; leaseMs: number; leaseId: string },
    from: number,
  ): void {
    const belief: Belief = {
      scope,
      lockId,
      token: grant.token,
      who: this.name,
      until: from + this.trueMs(grant.leaseMs),
    };
    this.world.beliefs.hold(belief);
    this.holding({ belief, leaseMs: grant.leaseMs, leaseId: grant.leaseId });
  }

  private holding(held: Held): void {
    const { random, options, journal } = this.world;
    const lasting = held.leaseMs === 0 ? 1_000 : held.leaseMs;
    const pause = held.leaseMs !== 0 && random.chance(options.clientPause) ? random.between(0.5, 3) : 0;
    if (pause > 0) journal.note('hold pause', this.index, 0, () => this.name);
    const share = options.hasty && pause === 0 ? random.between(0, 0.02) : random.between(0, 0.6) + pause;
    this.later(lasting * share, () => {
      if (held.belief.until <= this.world.time.now) {
        journal.note('lapsed', this.index, 0, () => `${this.name} ${held.belief.lockId}`);
        this.rest(); // a lapse is final
      } else if (held.leaseMs !== 0 && random.chance(options.clientCrash)) {
        journal.note('client died', this.index, 0, () => this.name);
        held.belief.until = this.world.time.now;
        if (random.chance(0.5)) this.generation++; // else it comes back under its own name
        this.rest();
      } else if (!this.stopped && random.chance(0.4)) this.extend(held);
      else this.release(held);
    });
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
      held.belief.until = Math.min(held.belief.until, time.now + this.trueMs(leaseMs));
    }
    this.call(
      () => ({ op: 'extend', scope, lockId, holder: null, leaseMs, replaces: replaces as never }),
      3,
      (reply, first) => {
        if (reply?.kind === 'decided' && reply.outcome.kind === 'extended') {
          const { grant } = reply.outcome;
          if (held.belief.until > time.now) {
            held.belief.until = first + this.trueMs(grant.leaseMs);
            this.world.beliefs.hold(held.belief);
            this.holding({ belief: held.belief, leaseMs: grant.leaseMs, leaseId: grant.leaseId });
          } else this.rest();
        } else if (reply?.kind === 'decided') {
          held.belief.until = Math.min(held.belief.until, time.now); // told that it is over
          this.rest();
        } else this.holding(held);
      },
    );
  }

  private release(held: Held): void {
    const { random, time } = this.world;
    const { scope, lockId } = held.belief;
    held.belief.until = Math.min(held.belief.until, time.now);
    this.world.released.add(lockId);
    const byName = random.chance(0.4);
    const holder = this.name;
    // By name only once: a repeat could meet a later lock of that name.
    this.call(
      () => ({ op: 'release', scope, lockId: byName ? null : lockId, holder: byName ? holder : null }),
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
      () => ({ op: 'release', scope, lockId, holder: null }),
      5,
      (reply) => {
        if (reply?.kind === 'decided') this.rest();
        else this.releaseForSure(scope, lockId);
      },
    );
  }
}
