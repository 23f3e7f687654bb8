/**
 * What an acquire takes: its session, then the acquire itself; then it is granted, waits, or is refused.
 * Always true: an acquire that went to two peers, or that the client has sent before, is refused only after its
 * cancel is chosen (L4); nobody waits here before this gateway's own session is open (T6).
 */
import type { Acquire, Command, Outcome } from '../lock/command.ts';
import { NO_TOKEN, type SessionId } from '../lock/state.ts';
import type { GatewayRules } from './gateway.ts';
import { beatOf, isOver, openingOf } from './own-session.ts';
import type { Pending, Steps } from './pending.ts';
import type { Places } from './places.ts';
import { Promotion } from './promotion.ts';
import type { Decided, Question } from './questions.ts';
import type { AcquireRequest } from './request.ts';
import { scopeOfSession } from './sessions.ts';

/** The session that was opened for this lock is dead, and so is whatever lived with it. */
const CRASHED: Outcome = { kind: 'ended', ending: 'crashed', token: NO_TOKEN, note: null };

export class Acquiring {
  readonly promotion: Promotion;
  private readonly steps: Steps;
  private readonly places: Places;
  private readonly rules: GatewayRules;
  private readonly seen: (scope: string) => number;
  private readonly ttlHere: (session: SessionId) => number | undefined;

  /**
   * @param seen the count of retirements last seen of a scope (L4).
   * @param ttlHere the session's time to live, if this peer's own copy of it is alive: then nobody need be asked (T5).
   */
  constructor(
    steps: Steps,
    places: Places,
    rules: GatewayRules,
    seen: (scope: string) => number,
    ttlHere: (session: SessionId) => number | undefined,
  ) {
    this.steps = steps;
    this.places = places;
    this.rules = rules;
    this.seen = seen;
    this.ttlHere = ttlHere;
    this.promotion = new Promotion(steps, places, rules, (now, pending) => this.act(now, pending));
  }

  acquire(now: number, pending: Pending, request: AcquireRequest): void {
    const { session, holder, named, at } = request;
    pending.lockId = request.lockId;
    if (session === null) {
      this.enter(now, pending, request);
      return;
    }
    const ttlMs = session.implicit ? undefined : this.ttlHere(session.id);
    if (ttlMs !== undefined) {
      pending.ttlMs = ttlMs;
      this.enter(now, pending, request);
      return;
    }
    const scope = scopeOfSession(session.id);
    const command: Command = session.implicit
      ? openingOf(session.id, session.ttlMs, holder, named, at)
      : { kind: 'read' };
    this.steps.step(now, pending, scope, command, (then, found, question) => {
      const { outcome, view } = found;
      if (session.implicit && outcome.kind !== 'granted') {
        this.steps.decided(pending, found, isOver(outcome) ? CRASHED : outcome);
        return;
      }
      const grant = view.holders[0];
      if (grant === undefined) {
        this.steps.reply(pending, { kind: 'no_session', session: session.id });
        return;
      }
      if (session.implicit && grant.leaseMs !== session.ttlMs) {
        // A repeat with another heartbeat would count a session that ends when the first one said.
        this.steps.decided(pending, found, { kind: 'mismatch' });
        return;
      }
      pending.ttlMs = grant.leaseMs;
      pending.beatenAt = question.sentAt;
      // An opening that was not the first sets no count (T1): a sign of life does.
      const before = outcome.kind === 'granted' && outcome.repeat;
      pending.opened = session.implicit && !before;
      if (session.implicit && before) this.revive(then, pending, request, session.id);
      else this.enter(then, pending, request);
    });
  }

  private revive(now: number, pending: Pending, request: AcquireRequest, session: SessionId): void {
    this.steps.step(now, pending, scopeOfSession(session), beatOf(session), (then, found, question) => {
      pending.beatenAt = question.sentAt;
      if (isOver(found.outcome)) this.steps.decided(pending, found, CRASHED);
      else this.enter(then, pending, request);
    });
  }

  private enter(now: number, pending: Pending, request: AcquireRequest): void {
    if (request.waitMs === 0) {
      this.act(now, pending);
      return;
    }
    this.places.whenOpen(now, pending, (at) => this.act(at, pending));
  }

  /** Asks for what is wanted, for the first time or again. */
  act(now: number, pending: Pending): void {
    const request = pending.request as AcquireRequest;
    if (request.waitMs > 0 && !this.places.own.isOpen) {
      this.enter(now, pending, request); // the session died while something else was under way
      return;
    }
    this.steps.step(now, pending, request.scope, this.command(pending), (at, found, question) =>
      this.acquired(at, pending, request, found, question),
    );
  }

  command(pending: Pending): Acquire {
    const request = pending.request as AcquireRequest;
    const { lockId, holder, named, mode, permits, priority, reason, session, leaseMs, waitMs, repeat, at } =
      request;
    return {
      kind: 'acquire',
      lockId,
      holder,
      named,
      mode,
      priority,
      reason,
      session: session?.id ?? null,
      ttlMs: pending.ttlMs,
      permits,
      leaseMs,
      wait: waitMs > 0,
      claimMs: this.places.claimMs,
      gateway: this.places.own.id,
      repeat,
      again: pending.again,
      seen: this.seen(request.scope),
      at,
    };
  }

  private acquired(
    now: number,
    pending: Pending,
    request: AcquireRequest,
    found: Decided,
    question: Question,
  ): void {
    const { outcome } = found;
    pending.changed = true;
    switch (outcome.kind) {
      case 'granted':
        this.promotion.isGranted(now, pending, found, outcome.grant, outcome.repeat);
        return;
      case 'queued':
        if (request.waitMs > 0) this.places.wait(now, pending, found, question.sentAt);
        else this.refuse(now, pending, { ...found, outcome: { kind: 'busy', position: outcome.position } });
        return;
      case 'elsewhere':
        this.places.tellWaiting(pending, found, outcome.position);
        return;
      case 'busy':
      case 'full':
      case 'already_held':
      case 'deadlock':
      case 'misfit':
        if (this.rules.cancelsFirst(request, question.copies)) this.refuse(now, pending, found);
        else this.steps.decided(pending, found);
        return;
      default:
        this.steps.decided(pending, found);
    }
  }

  /** L4: says no once it is certain that nothing will be granted any more. */
  refuse(now: number, pending: Pending, refusal: Decided): void {
    const { lockId, scope } = pending.request as AcquireRequest;
    const gateway = this.places.own.id;
    const command: Command = { kind: 'cancel', lockId, gateway, token: NO_TOKEN, at: this.steps.wall() };
    this.steps.step(now, pending, scope, command, (at, found) => {
      const { outcome } = found;
      if (outcome.kind === 'cancelled') {
        pending.barred = true;
        this.steps.decided(pending, { ...found, outcome: refusal.outcome, view: viewFor(refusal, found) });
      } else if (outcome.kind === 'granted') {
        this.promotion.isGranted(at, pending, found, outcome.grant, true);
      } else if (outcome.kind === 'queued') this.places.tellWaiting(pending, found, outcome.position);
      else this.steps.decided(pending, found);
    });
  }
}

/** Who holds is told as of the cancel, unless what was refused names a lock itself. */
function viewFor(refusal: Decided, cancel: Decided): Decided['view'] {
  return 'grant' in refusal.outcome ? refusal.view : cancel.view;
}
