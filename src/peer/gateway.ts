/**
 * The gateway half of a peer: does for a client what its request takes, one question after the other.
 * Always true: each request is answered exactly once; a command that acts on a lock names its lock id before it
 * leaves (L6); an acquire that went to two peers, or that the client has sent before, is refused only after its
 * cancel is chosen (L4); a promotion is claimed only while its client is here (T4).
 *
 *   request     questions
 *   acquire     (its session), acquire; then granted, refused after a cancel, or it waits (places.ts)
 *   release     (which lock), release; by force without a lock id: of each holder
 *   extend      (which lock), (convert), extend
 *   cancel      (which place), cancel
 *   heartbeat   (which lock), is it still there, beat of its session
 *   sessions    open, beat, close: the register of the session
 *   status      read
 */
import type { Command } from '../lock/command.ts';
import type { LockId, SessionId } from '../lock/state.ts';
import { Acquiring } from './acquiring.ts';
import { Holding, type LockRequest } from './holding.ts';
import { SEEN_SCOPES_MAX, WAITING_MAX } from './limits.ts';
import type { Forward, Notice, Verdict } from './messages.ts';
import { Oldest } from './oldest.ts';
import { beatOf, closingOf, openingOf } from './own-session.ts';
import { isWaitable, type Pending, pendingOf, type ReplyMore, type Steps } from './pending.ts';
import { Places } from './places.ts';
import { type Decided, type Finding, type Question, Questions } from './questions.ts';
import type { AcquireRequest, ClientReply, ClientRequest, SessionRequest } from './request.ts';
import { scopeOfSession } from './sessions.ts';

export interface GatewayRules {
  /** L4: whether a refusal must wait for the cancel, after so many copies of the acquire were sent. */
  cancelsFirst(request: AcquireRequest, copies: number): boolean;
  /** L6: the lock id that a release or an extension goes by before anything was asked, or null to ask. */
  lockIdOf(request: LockRequest): LockId | null;
  /** T4: where the count of a promotion that needed no claim begins: it still waited then. */
  promotedFrom(confirmedAt: number, now: number): number;
}

export const GATEWAY_RULES: GatewayRules = {
  cancelsFirst: (request, copies) => request.repeat > 0 || copies > 1,
  lockIdOf: (request) => request.lockId,
  promotedFrom: (confirmedAt) => confirmedAt,
};

export interface GatewayPort {
  readonly voters: number;
  /** All voters, the scope's home first. */
  line(scope: string): readonly number[];
  alive(voter: number): boolean;
  forward(to: number, message: Forward): void;
  reply(id: number, reply: ClientReply): void;
  /** The id of a session of this gateway: never given twice. */
  freshSession(): SessionId;
  /** The session's time to live in milliseconds, if this peer votes and its own copy has not run out. */
  ttlHere(session: SessionId): number | undefined;
  /** Wall clock, for people. */
  wall(): number;
}

export class Gateway implements Steps {
  private readonly port: GatewayPort;
  private readonly rules: GatewayRules;
  private readonly questions: Questions;
  private readonly places: Places;
  private readonly acquiring: Acquiring;
  private readonly holding: Holding;
  private readonly byId = new Map<number, Pending>();
  private readonly seen = new Map<string, number>();
  private readonly oldestSeen = new Oldest(this.seen);
  private now = 0;

  /** @param firstNumber where this boot starts to number its questions: far from where any other boot did. */
  constructor(port: GatewayPort, rules: GatewayRules, firstNumber: number) {
    this.port = port;
    this.rules = rules;
    this.questions = new Questions(port, firstNumber);
    this.places = new Places(this.questions, this, {
      voters: port.voters,
      freshSession: () => port.freshSession(),
      act: (now, pending) => this.act(now, pending),
      granted: (now, pending, found, grant) =>
        this.acquiring.promotion.isGranted(now, pending, found, grant, true),
      converted: (now, pending, found) => this.holding.promoted(now, pending, found),
      refused: (now, pending, found) => this.acquiring.refuse(now, pending, found),
      remember: (scope, found) => this.remember(scope, found.view.retirements),
    });
    this.acquiring = new Acquiring(
      this,
      this.places,
      rules,
      (scope) => this.seen.get(scope) ?? 0,
      (session) => port.ttlHere(session),
    );
    this.holding = new Holding(this, this.places, port.voters);
  }

  get nextWake(): number {
    return Math.min(this.questions.nextWake, this.places.nextWake);
  }

  /** How many requests wait for an answer. */
  get size(): number {
    return this.byId.size;
  }

  /** @param id the caller's number for the request, given back with the reply. @param timeoutMs for the votes; waiting comes on top. */
  request(now: number, id: number, request: ClientRequest, timeoutMs: number): void {
    this.now = now;
    if (!this.questions.hasQuorum) {
      this.port.reply(id, { kind: 'no_quorum', missing: indices(this.questions.missingVoters()) });
      return;
    }
    if (isWaitable(request) && this.places.size >= WAITING_MAX) {
      this.port.reply(id, { kind: 'overloaded', limit: `${WAITING_MAX} requests wait at this peer` });
      return;
    }
    const pending = pendingOf(now, id, request, timeoutMs);
    this.places.begin(pending);
    this.byId.set(id, pending);
    this.begin(now, pending);
  }

  private begin(now: number, pending: Pending): void {
    const { request } = pending;
    switch (request.op) {
      case 'status':
        this.step(now, pending, request.scope, { kind: 'read' }, (_at, found) =>
          this.decided(pending, found),
        );
        return;
      case 'acquire':
        this.acquiring.acquire(now, pending, request);
        return;
      case 'open_session':
      case 'beat_session':
      case 'close_session':
        this.session(now, pending, request);
        return;
      default: {
        const lockId = this.rules.lockIdOf(request);
        const converts = request.op === 'extend' && request.mode !== null;
        if (lockId !== null && !converts) this.holding.actOn(now, pending, request, lockId);
        else this.holding.resolve(now, pending, request);
      }
    }
  }

  /** The next question of a request; what a failure means is the same everywhere. */
  step(
    now: number,
    pending: Pending,
    scope: string,
    command: Command,
    then: (now: number, found: Decided, question: Question) => void,
  ): void {
    if (pending.question !== undefined) this.questions.close(pending.question);
    let answered = false;
    const question = this.questions.ask(now, scope, command, pending.deadline, (at, finding, asked) => {
      const decided = finding.kind === 'decided';
      if (decided) this.remember(scope, finding.view.retirements);
      const stale = decided && finding.outcome.kind === 'stale' && pending.client;
      if (stale && (this.places.own.isOpen || !isWaitable(pending.request))) {
        this.questions.again(at, asked, this.acquiring.command(pending));
        return;
      }
      answered = true;
      pending.question = undefined;
      if (!decided) {
        this.fail(at, pending, finding);
        return;
      }
      this.questions.close(asked);
      if (stale) {
        this.acquiring.act(at, pending);
        return;
      }
      this.places.tookMs(at - asked.sentAt);
      if (pending.client) then(at, finding, asked);
      else this.drop(at, pending);
    });
    if (!answered) pending.question = question;
  }

  fail(now: number, pending: Pending, finding: Exclude<Finding, Decided>): void {
    if (finding.kind === 'overloaded') {
      this.reply(pending, finding);
      return;
    }
    const missing = indices(finding.missing | this.questions.missingVoters());
    // After a first change was decided, or may have been, "nothing happened" is not true of the whole.
    const may = finding.kind === 'unknown' || pending.changed;
    // A copy of it may yet come to wait here, with nobody to speak for it: a look will find it.
    if (may && isWaitable(pending.request)) this.places.watch(now, pending);
    if (pending.client) this.reply(pending, { kind: may ? 'unknown' : 'no_quorum', missing });
    else this.drop(now, pending);
  }

  /** Its client is gone. */
  private drop(now: number, pending: Pending): void {
    this.places.dismiss(now, pending);
    this.places.forget(pending);
  }

  reply(pending: Pending, reply: ClientReply): void {
    if (pending.question !== undefined) this.questions.close(pending.question);
    pending.question = undefined;
    if (pending.client) {
      pending.client = false;
      this.byId.delete(pending.id);
      this.port.reply(pending.id, reply);
    }
    this.places.forget(pending);
  }

  decided(pending: Pending, found: Decided, outcome = found.outcome, more: ReplyMore = {}): void {
    const { votes, view } = found;
    const { lockId } = pending;
    const { countFromMs = 0, beat = false } = more;
    const { voters } = this.port;
    // A repeat elsewhere may live with that session, unless nothing can be granted under this lock id any more.
    if (pending.opened && pending.barred && outcome.kind !== 'granted') {
      this.places.closeSession(this.now, pending);
    }
    this.reply(pending, { kind: 'decided', outcome, lockId, votes, voters, view, countFromMs, beat });
  }

  wall(): number {
    return this.port.wall();
  }

  private act(now: number, pending: Pending): void {
    const { request } = pending;
    if (request.op === 'extend') this.holding.convert(now, pending, request);
    else this.acquiring.act(now, pending);
  }

  // --- sessions ---

  private session(now: number, pending: Pending, request: SessionRequest): void {
    const { session, holder, ttlMs, at } = request;
    pending.lockId = session as string as LockId;
    const command =
      request.op === 'open_session'
        ? openingOf(session, ttlMs, holder, true, at)
        : request.op === 'beat_session'
          ? beatOf(session, request.list)
          : closingOf(session, at);
    this.step(now, pending, scopeOfSession(session), command, (_at, found) => this.decided(pending, found));
  }

  // --- what happens meanwhile ---

  /**
   * The client is gone. Where it waits its place is given up, or kept if it may ask elsewhere with the same lock id;
   * a grant that nobody else can ask for is undone (T4); nothing else is sent anew.
   */
  abandon(now: number, id: number): void {
    this.now = now;
    const pending = this.byId.get(id);
    if (pending === undefined) return;
    this.byId.delete(id);
    pending.client = false;
    const { question, request } = pending;
    if (question === undefined) {
      this.drop(now, pending);
      return;
    }
    const undoes = request.op === 'acquire' && (request.made || request.waitMs > 0);
    if (!undoes && !isWaitable(request)) {
      this.questions.close(question);
      this.places.forget(pending);
    } else if (request.op !== 'acquire' || !request.made) question.mayCopy = false;
  }

  onVerdict(now: number, number: number, verdict: Verdict): void {
    this.now = now;
    this.questions.onVerdict(now, number, verdict);
  }

  onNotice(now: number, notice: Notice): void {
    this.now = now;
    this.places.onNotice(now, notice);
  }

  /** A peer looks dead. */
  onDead(now: number, voter: number): void {
    this.now = now;
    this.questions.onDead(now, voter);
    this.places.lookSoon(now);
  }

  wake(now: number): void {
    this.now = now;
    this.questions.wake(now);
    this.places.wake(now);
  }

  private remember(scope: string, retirements: number): void {
    const known = this.seen.get(scope);
    if (known === undefined) {
      if (retirements === 0) return;
      if (this.seen.size >= SEEN_SCOPES_MAX) this.oldestSeen.take();
    } else if (retirements <= known) return;
    this.seen.set(scope, retirements);
  }
}

function indices(mask: number): number[] {
  const list: number[] = [];
  for (let i = 0; mask >> i > 0; i++) if (mask & (1 << i)) list.push(i);
  return list;
}
