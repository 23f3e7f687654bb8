/**
 * The clients that wait in queues through this gateway, and the places that it keeps for those that come back.
 * Always true: at most one request waits for a lock id; a place whose client is gone is given up, parked or kept for
 * PLACE_KEPT_MS; a promotion is claimed only for a client that is here (T4).
 *
 *   a place     on                              does
 *   waits       a notice, or what a look finds  claim; or, with a live session, the grant itself (T4)
 *   waits       its wait is over                cancel; then refused, or granted after all
 *   waits       its poll is over                "waiting"; the place is kept
 *   waits       its client is gone              cancel if nobody else knows the lock id, else park
 *   kept        a notice                        park
 *   kept        long enough                     park
 *
 * Each second every scope where somebody waits is looked at: a notice may be lost, and so may a place.
 */
import type { Command } from '../lock/command.ts';
import { type Grant, type LockId, NO_EXPIRY, NO_TOKEN, type SessionId } from '../lock/state.ts';
import { NEVER } from '../vote/task.ts';
import { Heap } from './heap.ts';
import { CLAIM_MAX_MS, CLAIM_MIN_MS, CLAIM_VOTES, LOOK_EVERY_MS, PLACE_KEPT_MS } from './limits.ts';
import { Looks } from './looks.ts';
import type { Notice } from './messages.ts';
import { OwnCommands } from './own-commands.ts';
import { beatOf, closingOf, isOver, OwnSession } from './own-session.ts';
import { isWaitable, type Pending, pendingOf, type Steps, scopeOf } from './pending.ts';
import type { Decided, Questions } from './questions.ts';
import type { AcquireRequest } from './request.ts';
import { scopeOfSession } from './sessions.ts';

/** How much of the slowest vote seen is forgotten with each new one. */
const SLOWEST_DECAY = 0.98;

export interface PlacesPort {
  readonly voters: number;
  freshSession(): SessionId;
  /** Asks for what the request wants, again. */
  act(now: number, pending: Pending): void;
  granted(now: number, pending: Pending, found: Decided, grant: Grant): void;
  converted(now: number, pending: Pending, found: Decided): void;
  refused(now: number, pending: Pending, found: Decided): void;
  remember(scope: string, found: Decided): void;
}

export class Places {
  readonly own: OwnSession;
  private readonly questions: Questions;
  private readonly port: PlacesPort;
  private readonly steps: Steps;
  private readonly places = new Map<string, Map<LockId, Pending>>();
  private readonly commands: OwnCommands;
  private readonly looks: Looks;
  private readonly timers = new Heap<Pending>();
  private slowestMs = 0;
  private waiters = 0;

  constructor(questions: Questions, steps: Steps, port: PlacesPort) {
    this.questions = questions;
    this.steps = steps;
    this.port = port;
    this.commands = new OwnCommands(
      questions,
      () => this.own.id,
      () => steps.wall(),
    );
    this.looks = new Looks(questions, {
      gateway: () => this.own.id,
      isNeeded: (scope) => this.places.has(scope),
      looked: (now, scope, found, sentAt) => {
        port.remember(scope, found);
        this.looked(now, scope, found, sentAt);
      },
    });
    this.own = new OwnSession({
      freshId: () => port.freshSession(),
      wall: () => steps.wall(),
      ask: (now, scope, command, timeoutMs, done) => {
        questions.ask(now, scope, command, now + timeoutMs, done);
      },
      isNeeded: () => this.waiters > 0,
      onLost: (now) => this.askAllAgain(now),
    });
  }

  get size(): number {
    return this.waiters;
  }

  get nextWake(): number {
    return Math.min(this.timers.firstAt, this.looks.nextWake, this.own.wakeAt);
  }

  /** How long a promotion may stay unclaimed (T4). */
  get claimMs(): number {
    const ms = Math.max(CLAIM_MIN_MS, CLAIM_VOTES * this.slowestMs);
    return Math.round(Math.min(ms, CLAIM_MAX_MS));
  }

  tookMs(ms: number): void {
    this.slowestMs = Math.max(ms, this.slowestMs * SLOWEST_DECAY);
  }

  /** A request arrived. */
  begin(pending: Pending): void {
    const { request } = pending;
    if (request.op === 'acquire') this.commands.handle(request.lockId, 1);
  }

  /** The request is over, and so is its place here. */
  forget(pending: Pending): void {
    this.remove(pending);
    if (pending.over) return;
    pending.over = true;
    if (pending.request.op === 'acquire') this.commands.handle(pending.request.lockId, -1);
  }

  /** Goes on once this gateway's session is open, so that the request may come to wait under it (T6). */
  whenOpen(now: number, pending: Pending, then: (now: number) => void): void {
    this.own.whenOpen(now, (at, open) => {
      if (!pending.client) this.forget(pending);
      else if (open) then(at);
      else this.steps.fail(at, pending, { kind: 'no_quorum', missing: 0 });
    });
  }

  // --- into the table and out of it ---

  /** It waits, as a question that left at `sentAt` was told. */
  wait(now: number, pending: Pending, found: Decided, sentAt: number): void {
    const { request } = pending;
    const { scope } = request as AcquireRequest;
    const lockId = pending.lockId!;
    const before = this.places.get(scope)?.get(lockId);
    if (before !== undefined && before !== pending) {
      // The client asks for it anew: it no longer waits for the former answer.
      if (before.client) this.tellWaiting(before, found, before.position);
      this.forget(before);
    }
    if (found.outcome.kind === 'queued') this.confirm(pending, sentAt, found.outcome.position);
    pending.last = found;
    pending.waitsSince = now;
    const implicit = request.op === 'acquire' && request.session?.implicit === true;
    if (implicit && pending.client && pending.beatAt === NEVER) {
      pending.beatAt = now + pending.ttlMs / 3;
    }
    const places = this.places.get(scope);
    if (places === undefined) this.places.set(scope, new Map([[lockId, pending]]));
    else places.set(lockId, pending);
    this.waiters++;
    this.arm(pending);
    this.looks.watch(now, scope);
  }

  private confirm(pending: Pending, sentAt: number, position: number): void {
    pending.position = position;
    if (!(pending.confirmedAt > sentAt)) pending.confirmedAt = sentAt;
  }

  private arm(pending: Pending): void {
    const { waitUntil, pollUntil, beatAt, keptUntil } = pending;
    this.timers.set(pending, Math.min(waitUntil, pollUntil, beatAt, keptUntil));
  }

  private remove(pending: Pending): void {
    this.timers.delete(pending);
    const { scope } = pending.request as AcquireRequest;
    const places = this.places.get(scope);
    if (places === undefined || pending.lockId === null || places.get(pending.lockId) !== pending) return;
    this.waiters--;
    places.delete(pending.lockId);
    if (places.size === 0) this.places.delete(scope);
  }

  /** Its wait is over, one way or the other: what follows has time for its votes again. */
  leave(now: number, pending: Pending): void {
    this.remove(pending);
    pending.deadline = now + pending.timeoutMs;
  }

  // --- what ends a wait ---

  wake(now: number): void {
    this.own.wake(now);
    for (;;) {
      const pending = this.timers.pop(now);
      if (pending === undefined) break;
      this.due(now, pending);
    }
    this.looks.wake(now);
  }

  private due(now: number, pending: Pending): void {
    if (now >= pending.keptUntil) this.endKept(now, pending);
    else if (now >= pending.waitUntil) this.giveUp(now, pending);
    else if (now >= pending.pollUntil) this.endPoll(now, pending);
    else {
      this.beat(now, pending);
      this.arm(pending);
    }
  }

  private giveUp(now: number, pending: Pending): void {
    this.leave(now, pending);
    const last = pending.last!;
    const { request } = pending;
    const busy = { kind: 'busy', position: Math.max(1, pending.position) } as const;
    if (request.op === 'acquire') {
      this.port.refused(now, pending, { ...last, outcome: busy });
      return;
    }
    this.steps.step(now, pending, scopeOf(pending), this.upgradeCancel(pending), (at, found) => {
      const { outcome } = found;
      if (outcome.kind === 'granted' && outcome.grant.mode === 'write')
        this.port.converted(at, pending, found);
      else if (outcome.kind === 'cancelled' || outcome.kind === 'granted') {
        this.steps.decided(pending, { ...last, outcome: busy });
      } else this.steps.decided(pending, found);
    });
  }

  private upgradeCancel(pending: Pending): Command {
    const gateway = this.own.id;
    return { kind: 'cancel', lockId: pending.lockId!, gateway, token: pending.token, at: this.steps.wall() };
  }

  /** The request ends, the place is kept for the next one. */
  private endPoll(now: number, pending: Pending): void {
    const { request, position } = pending;
    const last = pending.last!;
    const { scope } = request as AcquireRequest;
    this.remove(pending);
    const kept = pendingOf(now, -1, request, pending.timeoutMs);
    this.begin(kept);
    kept.client = false;
    kept.lockId = pending.lockId;
    kept.keptUntil = now + PLACE_KEPT_MS;
    kept.waitUntil = NEVER;
    kept.pollUntil = NEVER;
    this.wait(now, kept, last, Number.NEGATIVE_INFINITY);
    kept.position = position;
    // Who holds by now is worth a question; if nobody answers, who did will do.
    this.questions.ask(now, scope, { kind: 'read' }, now + LOOK_EVERY_MS, (_at, finding) => {
      this.tellWaiting(pending, finding.kind === 'decided' ? finding : last, kept.position);
    });
  }

  tellWaiting(pending: Pending, { votes, view }: Decided, position: number): void {
    const { voters } = this.port;
    this.steps.reply(pending, { kind: 'waiting', position: Math.max(1, position), votes, voters, view });
  }

  /** Parked, not ended: its client may be asking again this very moment. The voters give it up in time. */
  private endKept(now: number, pending: Pending): void {
    this.forget(pending);
    const { scope, lockId } = pending.request as AcquireRequest;
    this.commands.park(now, scope, lockId);
  }

  /**
   * The client is gone. If nobody else can know the lock id, nothing of it must stay; else its place is kept, should
   * it ask elsewhere. What is asked here touches only what is still bound to this gateway.
   */
  dismiss(now: number, pending: Pending): void {
    const { request } = pending;
    if (request.op === 'acquire' && request.made) {
      const { scope, lockId } = request;
      const at = this.steps.wall();
      const cancel: Command = { kind: 'cancel', lockId, gateway: null, token: NO_TOKEN, at };
      this.commands.ask(now, scope, lockId, cancel, (then, found) => {
        if (found.outcome.kind !== 'granted') return;
        this.commands.ask(then, scope, lockId, { kind: 'release', lockId, gateway: null, force: null, at });
      });
    } else if (request.op === 'acquire' && isWaitable(request)) {
      this.commands.park(now, request.scope, request.lockId);
    } else if (request.op === 'extend' && isWaitable(request) && pending.token !== NO_TOKEN) {
      this.commands.ask(now, request.scope, pending.lockId!, this.upgradeCancel(pending));
    }
  }

  /** What it was opened for was refused. */
  closeSession(now: number, { request }: Pending): void {
    const { lockId, session } = request as AcquireRequest;
    if (session === null) return;
    this.commands.ask(now, scopeOfSession(session.id), lockId, closingOf(session.id, this.steps.wall()));
  }

  // --- granted ---

  /** Somebody who waits here was granted, or upgraded. */
  onNotice(now: number, { scope, grant, votes, retirements }: Notice): void {
    const pending = this.places.get(scope)?.get(grant.lockId);
    if (pending !== undefined) this.found(now, pending, grant, votes, retirements);
  }

  private found(now: number, pending: Pending, grant: Grant, votes: number, retirements: number): void {
    const { request } = pending;
    if (!pending.client) {
      this.forget(pending);
      if (grant.unclaimed !== null) this.commands.park(now, (request as AcquireRequest).scope, grant.lockId);
      return;
    }
    if (request.op !== 'acquire') {
      this.leave(now, pending);
      this.port.act(now, pending); // a repeat of the conversion is told the whole
      return;
    }
    const { view } = pending.last!;
    const passed = now - pending.confirmedAt;
    const leftMs = [grant.leaseMs === NO_EXPIRY ? -1 : Math.max(0, Math.floor(grant.leaseMs - passed))];
    const told: Decided = {
      kind: 'decided',
      outcome: { kind: 'granted', grant, repeat: true },
      votes,
      view: { ...view, token: grant.token, retirements, holders: [grant], leftMs },
    };
    this.port.granted(now, pending, told, grant);
  }

  // --- each second ---

  /** What became of a request is not known: its scope is looked at for a while. */
  watch(now: number, pending: Pending): void {
    this.looks.watch(now, scopeOf(pending));
  }

  /** The peers that would have told of a promotion may be gone. */
  lookSoon(now: number): void {
    this.looks.soon(now);
  }

  private looked(now: number, scope: string, { view, votes }: Decided, sentAt: number): void {
    const missed = new Map(this.places.get(scope));
    for (const [lockId, position] of view.places) {
      const pending = missed.get(lockId);
      missed.delete(lockId);
      if (pending === undefined) this.parkStray(now, scope, lockId);
      else if (sentAt >= pending.arrivedAt) this.confirm(pending, sentAt, position);
    }
    for (const grant of view.holders) {
      const pending = missed.get(grant.lockId);
      missed.delete(grant.lockId);
      if (pending === undefined) this.parkStray(now, scope, grant.lockId);
      else this.found(now, pending, grant, votes, view.retirements);
    }
    for (const pending of missed.values()) {
      if (pending.waitsSince < sentAt) this.askAgain(now, pending, false);
    }
  }

  /** Bound to this gateway, but nobody here knows of it. */
  private parkStray(now: number, scope: string, lockId: LockId): void {
    if (!this.commands.isHandled(lockId)) this.commands.park(now, scope, lockId);
  }

  /** @param moves whether whoever waits elsewhere by now is to wait here. */
  private askAgain(now: number, pending: Pending, moves: boolean): void {
    pending.again = !moves;
    if (!pending.client) {
      this.forget(pending);
      return;
    }
    this.leave(now, pending);
    this.own.whenOpen(now, (at, open) => {
      if (!pending.client) this.forget(pending);
      else if (open) this.port.act(at, pending);
      else this.steps.reply(pending, { kind: 'unknown', missing: [] });
    });
  }

  private askAllAgain(now: number): void {
    const all = [...this.places.values()].flatMap((places) => [...places.values()]);
    for (const pending of all) this.askAgain(now, pending, true);
  }

  /** A client that waits is alive: its implicit session lives as long as its connection does. */
  private beat(now: number, pending: Pending): void {
    const { session } = pending.request as AcquireRequest;
    pending.beatAt = now + pending.ttlMs / 3;
    this.questions.ask(
      now,
      scopeOfSession(session!.id),
      beatOf(session!.id),
      now + pending.ttlMs,
      (_at, finding, question) => {
        if (finding.kind === 'decided' && !isOver(finding.outcome)) pending.beatenAt = question.sentAt;
      },
    );
  }
}
