/**
 * One scope as a clerk with a paper notebook would keep it: a list of who holds, a list of who waits with a tally
 * beside each name, a list of kept places, and a list of every lock id that ever ended, which is never cut. For a
 * semaphore there is a board with numbered hooks beside it, where each holder hangs its lock id on the first that is
 * bare. It was written from the words of the rules (L1 to L10, T3 to T6), not from the code, and shares nothing with
 * it but the shape of commands, outcomes, grants and waiters.
 * Always true: it changes in place, sorts anew for every question, and looks things up by walking the whole list.
 */
import type { Acquire, Cancel, Command, Convert, Extend, Outcome } from '../../../src/lock/command.ts';
import type { Ending, Grant, LeaseId, Upgrade, Waiter } from '../../../src/lock/state.ts';
import { Line } from './model-line.ts';
import { most, type Page, type Past } from './page.ts';

const MEMORY = 64;

export class Notebook {
  counter = 0;
  holders: Grant[] = [];
  readonly line = new Line();
  away: Waiter[] = [];
  upgrade: Upgrade | null = null;
  /** What hangs on each hook; a lock has no board. */
  board: (string | null)[] = [];
  arrivals = 0;
  readonly over: Past[] = [];

  page(): Page {
    return {
      token: this.counter,
      holders: [...this.holders],
      waiting: this.line.places
        .map(({ waiter, overtaken }): [Waiter, number] => [waiter, most(overtaken)])
        .sort(([a], [b]) => a.arrival - b.arrival),
      away: [...this.away].sort((a, b) => (a.lockId < b.lockId ? -1 : 1)),
      upgrade: this.upgrade,
      arrivals: this.arrivals,
      retired: this.over.slice(Math.max(0, this.over.length - MEMORY)),
      retirements: this.over.length,
    };
  }

  do(command: Command, leaseId: LeaseId): Outcome {
    const at = 'at' in command ? command.at : -1;
    const outcome = this.carryOut(command, leaseId);
    // L3: whatever frees the scope lets in whoever can be, in the same change.
    while (this.letIn(leaseId, at));
    if (typeof outcome === 'object') return outcome;
    const { lockId } = command as Acquire;
    const mine = this.holder(lockId);
    if (mine !== undefined) return { kind: 'granted', grant: mine, repeat: true };
    const queued = this.queuedAt(lockId);
    return outcome === 'elsewhere' && queued.kind === 'queued' ? { ...queued, kind: outcome } : queued;
  }

  private carryOut(command: Command, leaseId: LeaseId): Outcome | 'as it is now' | 'elsewhere' {
    switch (command.kind) {
      case 'read':
      case 'look':
        return { kind: 'state' };
      case 'acquire':
        return this.acquire(command, leaseId);
      case 'convert':
        return this.convert(command);
      case 'extend':
        return this.extend(command, leaseId);
      case 'cancel':
        return this.cancel(command);
      case 'sweep': {
        // T5: its locks and places end with a session; T6: what waits at it keeps its place.
        for (const { lockId, session } of [...this.holders])
          if (session === command.session) this.end(lockId, 'crashed');
        for (const places of [this.line.places.map(({ waiter }) => waiter), this.away]) {
          const dead = places.filter(({ session }) => session === command.session);
          dead.sort((a, b) => (a.lockId < b.lockId ? -1 : 1));
          for (const { lockId } of dead) this.end(lockId, 'crashed');
        }
        this.desert(command.session);
        return { kind: 'swept' };
      }
      case 'reap':
        if (!this.away.some(({ lockId }) => lockId === command.lockId)) return { kind: 'not_found' };
        this.end(command.lockId, 'cancelled');
        return { kind: 'cancelled' };
      default:
    }

    const { lockId } = command;
    const mine = this.holder(lockId);
    const here = (gateway: string) =>
      (mine?.unclaimed ?? this.line.find(lockId)?.waiter)?.gateway === gateway;
    switch (command.kind) {
      case 'claim':
        if (mine === undefined) return this.unheld(lockId);
        if (mine.unclaimed === null || !here(command.gateway))
          return { kind: 'granted', grant: mine, repeat: true };
        return {
          kind: 'granted',
          grant: this.rewrite({
            ...mine,
            leaseMs: mine.unclaimed.leaseMs,
            leaseId,
            at: command.at,
            unclaimed: null,
          }),
          repeat: false,
        };
      case 'release': {
        if (mine !== undefined) {
          const deliverable = command.gateway !== null && (mine.unclaimed === null || !here(command.gateway));
          if (deliverable) return { kind: 'granted', grant: mine, repeat: true };
          const { force } = command;
          if (force === null) this.end(lockId, 'released');
          else this.end(lockId, 'forced', `${force.by}: ${force.reason}`);
          return { kind: 'released', token: mine.token, repeat: false };
        }
        const past = this.lookUp(lockId);
        const done = past?.why === 'released' || (past?.why === 'forced' && command.force !== null);
        if (done) return { kind: 'released', token: past.token as never, repeat: true };
        return this.unheld(lockId);
      }
      case 'park':
        if (here(command.gateway)) {
          this.keep(lockId);
          return { kind: 'parked' };
        }
        if (mine !== undefined) return { kind: 'granted', grant: mine, repeat: true };
        return this.away.some((kept) => kept.lockId === lockId) ? { kind: 'parked' } : this.unheld(lockId);
      case 'expire':
        if (mine === undefined || mine.leaseId !== command.leaseId) return { kind: 'not_found' };
        // The gateway was too slow for one of its clients: for all of them.
        if (mine.unclaimed === null) this.end(lockId, 'expired');
        else this.desert(mine.unclaimed.gateway);
        return { kind: 'expired' };
    }
  }

  private acquire(command: Acquire, leaseId: LeaseId): Outcome | 'as it is now' | 'elsewhere' {
    const { lockId } = command;
    const mine = this.holder(lockId);
    const waiting = this.line.find(lockId);
    const away = this.away.find((kept) => kept.lockId === lockId);
    const known = mine ?? waiting?.waiter ?? away;
    if (known !== undefined) {
      if (command.session !== known.session) return { kind: 'mismatch' };
      if (command.named && command.holder !== known.holder) return { kind: 'mismatch' };
    }
    // T6: the client waits where it asked last.
    const follow = (waiter: Waiter): Waiter => {
      const ofItself = command.again && waiter.gateway !== command.gateway;
      if (!command.wait || ofItself || command.repeat < waiter.repeat) return waiter;
      return { ...waiter, gateway: command.gateway, repeat: command.repeat };
    };
    if (mine !== undefined) {
      if (mine.unclaimed === null) return { kind: 'granted', grant: mine, repeat: true };
      return {
        kind: 'granted',
        grant: this.rewrite({ ...mine, unclaimed: follow(mine.unclaimed) }),
        repeat: true,
      };
    }
    if (waiting !== undefined) {
      waiting.waiter = follow(waiting.waiter);
      return waiting.waiter.gateway === command.gateway ? 'as it is now' : 'elsewhere';
    }
    if (away !== undefined) {
      if (!command.wait) return 'as it is now';
      this.away = this.away.filter((kept) => kept !== away);
      const { gateway } = command;
      const waiter = { ...away, gateway, repeat: Math.max(away.repeat, command.repeat) };
      this.line.add(waiter);
      return 'as it is now';
    }
    const past = this.lookUp(lockId);
    if (past !== undefined) return this.bygone(past);
    if (this.over.length > command.seen + MEMORY) return { kind: 'stale' };
    // L10: who comes to an empty page says what it is; everybody else goes by that.
    const nobody = this.holders.length + this.line.places.length + this.away.length === 0;
    if (nobody) this.board = Array(command.permits).fill(null);
    if (this.board.length !== command.permits) return { kind: 'misfit', permits: this.board.length };
    const namesake = this.isLock() ? this.holders.find(({ holder }) => holder === command.holder) : undefined;
    if (namesake !== undefined) {
      const weaker = namesake.mode === 'read' && command.mode === 'write';
      return { kind: weaker ? 'deadlock' : 'already_held', grant: namesake };
    }
    const arrival = this.arrivals + 1;
    const ahead = this.line.aheadOf(command.priority, arrival, 0);
    if (ahead === 0 && this.upgrade === null && this.admits(command.mode)) {
      const { lockId, holder, named, priority, reason, session, ttlMs, permits, mode, leaseMs, at } = command;
      const who = { lockId, holder, named, priority, reason, session, ttlMs, permits, mode };
      return {
        kind: 'granted',
        grant: this.grant({ ...who, leaseMs, leaseId, at, unclaimed: null }, arrival),
        repeat: false,
      };
    }
    if (!command.wait) return { kind: 'busy', position: ahead + 1 };
    const { kind: _kind, wait: _wait, seen: _seen, again: _again, ...wanted } = command;
    this.arrivals = arrival;
    this.line.add({ ...wanted, arrival });
    return { kind: 'queued', position: ahead + 1 };
  }

  private convert(command: Convert): Outcome {
    const mine = this.holder(command.lockId);
    if (mine === undefined) return this.unheld(command.lockId);
    if (!this.isLock() || command.mode === 'permit') return { kind: 'misfit', permits: this.board.length };
    if (mine.mode === command.mode && [mine.token, mine.former].includes(command.token)) {
      return { kind: 'converted', grant: mine, repeat: true };
    }
    if (mine.unclaimed !== null || mine.token !== command.token) return { kind: 'outdated', grant: mine };
    if (command.mode === 'read' || this.holders.length === 1) {
      return { kind: 'converted', grant: this.turn(mine, command.mode), repeat: false };
    }
    if (this.upgrade !== null && this.upgrade.lockId !== mine.lockId)
      return { kind: 'deadlock', grant: mine };
    if (!command.wait) return { kind: 'busy', position: 1 };
    this.upgrade = { lockId: mine.lockId, gateway: command.gateway };
    return { kind: 'upgrading', grant: mine };
  }

  private extend({ lockId, leaseMs, replaces }: Extend, leaseId: LeaseId): Outcome {
    const mine = this.holder(lockId);
    if (mine === undefined) {
      const past = this.lookUp(lockId);
      return past === undefined ? { kind: 'not_found' } : this.bygone(past);
    }
    let lease = leaseMs;
    if (replaces !== mine.leaseId) {
      if (mine.leaseMs === 0) lease = 0;
      if (lease !== 0 && lease < mine.leaseMs) lease = mine.leaseMs;
    }
    return { kind: 'extended', grant: this.rewrite({ ...mine, leaseMs: lease, leaseId, unclaimed: null }) };
  }

  private cancel({ lockId, gateway, token }: Cancel): Outcome {
    const mine = this.holder(lockId);
    const past = this.lookUp(lockId);
    if (token !== 0) {
      if (mine === undefined) return past === undefined ? { kind: 'not_found' } : this.bygone(past);
      if (this.upgrade?.lockId !== lockId || mine.token !== token)
        return { kind: 'granted', grant: mine, repeat: true };
      this.upgrade = null;
      return { kind: 'cancelled' };
    }
    if (mine !== undefined) return { kind: 'granted', grant: mine, repeat: true };
    const waiting = this.line.find(lockId);
    if (waiting !== undefined && gateway !== null && waiting.waiter.gateway !== gateway)
      return this.queuedAt(lockId);
    if (past !== undefined) return past.why === 'cancelled' ? { kind: 'cancelled' } : this.bygone(past);
    this.end(lockId, 'cancelled');
    return { kind: 'cancelled' };
  }

  /** One step of letting in; false when nobody can be. */
  private letIn(leaseId: LeaseId, at: number): boolean {
    if (this.upgrade !== null) {
      const reader = this.holder(this.upgrade.lockId)!;
      if (this.holders.length > 1) return false;
      this.turn(reader, 'write');
      return true;
    }
    const next = this.line.inOrder()[0];
    if (next === undefined || !this.admits(next.waiter.mode)) return false;
    const { waiter } = next;
    this.line.strike((lockId) => lockId === waiter.lockId);
    const { lockId, holder, named, priority, reason, session, ttlMs, permits, mode } = waiter;
    const { leaseMs, claimMs } = waiter;
    const who = { lockId, holder, named, priority, reason, session, ttlMs, permits, mode };
    // T4: with a session of its own it needs no claim, unless its lease would never end.
    const needsClaim = session === null || leaseMs === 0;
    const lease = needsClaim ? { leaseMs: claimMs, unclaimed: waiter } : { leaseMs, unclaimed: null };
    this.grant({ ...who, ...lease, leaseId, at }, waiter.arrival);
    return true;
  }

  private grant(wanted: Omit<Grant, 'token' | 'former' | 'slot'>, arrival: number): Grant {
    this.counter += 1;
    const slot = this.isLock() ? 0 : this.board.indexOf(null);
    if (!this.isLock()) this.board[slot] = wanted.lockId;
    const grant: Grant = { ...wanted, token: this.counter as never, slot, former: 0 as never };
    this.holders.push(grant);
    if (this.line.places.length > 0) this.arrivals = Math.max(this.arrivals, arrival);
    this.line.passedBy(arrival);
    return grant;
  }

  private turn(mine: Grant, mode: Grant['mode']): Grant {
    this.counter += 1;
    if (this.upgrade?.lockId === mine.lockId) this.upgrade = null;
    return this.rewrite({ ...mine, mode, token: this.counter as never, former: mine.token });
  }

  private rewrite(grant: Grant): Grant {
    this.holders = this.holders.map((one) => (one.lockId === grant.lockId ? grant : one));
    return grant;
  }

  private end(id: string, why: Ending, note: string | null = null): void {
    const token = this.holders.find(({ lockId }) => lockId === id)?.token ?? 0;
    this.strike((lockId) => lockId === id);
    this.over.push({ id, why, token, note });
  }

  /** Off all lists. */
  private strike(which: (lockId: string) => boolean): void {
    this.holders = this.holders.filter(({ lockId }) => !which(lockId));
    this.line.strike(which);
    this.away = this.away.filter(({ lockId }) => !which(lockId));
    if (this.upgrade !== null && which(this.upgrade.lockId)) this.upgrade = null;
    this.board = this.board.map((hook) => (hook !== null && which(hook) ? null : hook));
  }

  private keep(id: string): void {
    const waiter = this.holder(id)?.unclaimed ?? this.line.find(id)!.waiter;
    this.strike((lockId) => lockId === id);
    this.away.push(waiter);
  }

  private desert(gateway: string): void {
    for (const { unclaimed } of [...this.holders])
      if (unclaimed?.gateway === gateway) this.keep(unclaimed.lockId);
    for (const { waiter } of [...this.line.places]) if (waiter.gateway === gateway) this.keep(waiter.lockId);
    if (this.upgrade?.gateway === gateway) this.upgrade = null;
  }

  private queuedAt(id: string): Outcome {
    const waiting = this.line.find(id);
    if (waiting !== undefined) return { kind: 'queued', position: this.line.inOrder().indexOf(waiting) + 1 };
    const { priority, arrival } = this.away.find(({ lockId }) => lockId === id)!;
    return {
      kind: 'queued',
      position: this.line.aheadOf(priority, arrival, this.line.tallyFor(arrival)) + 1,
    };
  }

  private isLock(): boolean {
    return this.board.length === 0;
  }

  private admits(mode: Grant['mode']): boolean {
    if (!this.isLock()) return this.board.includes(null);
    return this.holders.every((held) => held.mode === 'read' && mode === 'read');
  }

  private unheld(id: string): Outcome {
    if (this.line.find(id) !== undefined || this.away.some(({ lockId }) => lockId === id))
      return this.queuedAt(id);
    const past = this.lookUp(id);
    return past === undefined ? { kind: 'not_found' } : this.bygone(past);
  }

  private holder(id: string): Grant | undefined {
    return this.holders.find(({ lockId }) => lockId === id);
  }

  private lookUp(id: string): Past | undefined {
    let found: Past | undefined;
    for (let i = 0; i < this.over.length; i++) {
      if (this.over[i]!.id === id && this.over.length - i <= MEMORY) found = this.over[i];
    }
    return found;
  }

  private bygone({ why, token, note }: Past): Outcome {
    return { kind: 'ended', ending: why, token: token as never, note };
  }
}
