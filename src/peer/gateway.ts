/**
 * The gateway half of a peer: carries a client's request to the scope's home, and to the next in line when no
 * answer comes.
 * Always true: each request is answered exactly once; "no quorum" only if every peer that was asked says that
 * nothing left it (V10); a command that acts on a lock names its lock id before it leaves (L6); an acquire that
 * went to two peers, or that the client has sent before, is refused only after its cancel is chosen (L4).
 *
 *   stage    asks the line for                  then
 *   resolve  the state                          the lock id is known: act; it is not: refused
 *   act      the command itself                 decided, or (acquire refused, copies about): cancel
 *   cancel   the cancel of this lock id         chosen: the refusal; it was granted meanwhile: the grant
 */
import type { Command } from '../lock/command.ts';
import type { LockId } from '../lock/state.ts';
import { count, majority } from '../vote/quorum.ts';
import { Heap, type Timed } from './heap.ts';
import { FORWARD_SHARE, GATEWAY_RETRY_MS, SEEN_SCOPES_MAX, UNDO_MS } from './limits.ts';
import type { Forward, Verdict } from './messages.ts';
import type { AcquireRequest, ClientReply, ClientRequest, ExtendRequest, ReleaseRequest } from './request.ts';

export interface GatewayRules {
  /** L4: whether a refusal must wait for the cancel, after so many copies of the acquire were sent. */
  cancelsFirst(request: AcquireRequest, copies: number): boolean;
  /** L6: the lock id that a release or an extension goes by before anything was asked, or null to ask. */
  lockIdOf(request: ReleaseRequest | ExtendRequest): LockId | null;
}

export const GATEWAY_RULES: GatewayRules = {
  cancelsFirst: (request, copies) => request.repeat || copies > 1,
  lockIdOf: (request) => request.lockId,
};

export interface GatewayPort {
  /** This peer's index among the voters, or -1. */
  readonly me: number;
  readonly voters: number;
  /** All voters, the scope's home first. */
  line(scope: string): readonly number[];
  alive(voter: number): boolean;
  forward(to: number, message: Forward): void;
  reply(id: number, reply: ClientReply): void;
}

type Stage = 'resolve' | 'act' | 'cancel';
type Decided = Verdict & { kind: 'decided' };

interface Pending extends Timed {
  readonly id: number;
  readonly request: ClientRequest;
  readonly deadline: number;
  readonly line: readonly number[];
  stage: Stage;
  command: Command;
  /** Where in the line the last question went, who was asked (a mask), and in how many copies. */
  place: number;
  asked: number;
  copies: number;
  /** The numbers of this stage's questions whose receiver may have acted on them, or may yet. */
  open: number[];
  refusal: Verdict | null;
  missing: number;
  abandoned: boolean;
}

export class Gateway {
  private readonly port: GatewayPort;
  private readonly rules: GatewayRules;
  private readonly questions = new Map<number, Pending>();
  private readonly byId = new Map<number, Pending>();
  private readonly timers = new Heap<Pending>();
  private readonly seen = new Map<string, number>();
  private nextNumber: number;
  /** Ids of requests that the gateway makes itself: below all that a client's request is given. */
  private nextOwn = -1;

  /** @param firstNumber where this boot starts to number its requests: far from where any other boot did. */
  constructor(port: GatewayPort, rules: GatewayRules, firstNumber: number) {
    this.port = port;
    this.rules = rules;
    this.nextNumber = firstNumber;
  }

  get nextWake(): number {
    return this.timers.firstAt;
  }

  /** How many requests wait for an answer. */
  get size(): number {
    return this.byId.size;
  }

  /** @param id the caller's number for the request, given back with the reply. @param deadline by this peer's clock. */
  request(now: number, id: number, request: ClientRequest, deadline: number): void {
    const missing = this.missingVoters();
    if (this.port.voters - count(missing) < majority(this.port.voters)) {
      this.port.reply(id, { kind: 'no_quorum', missing: indices(missing) }); // M3: at once
      return;
    }
    const pending = this.open(id, request, deadline);
    switch (request.op) {
      case 'status':
        this.start(now, pending, 'act', { kind: 'read' });
        return;
      case 'acquire':
        this.start(now, pending, 'act', this.acquireCommand(request));
        return;
      default: {
        const lockId = this.rules.lockIdOf(request);
        if (lockId !== null) this.start(now, pending, 'act', commandOn(request, lockId));
        else this.start(now, pending, 'resolve', { kind: 'read' });
      }
    }
  }

  private open(id: number, request: ClientRequest, deadline: number): Pending {
    const pending: Pending = {
      id,
      request,
      deadline,
      line: this.port.line(request.scope),
      stage: 'act',
      command: { kind: 'read' },
      place: -1,
      asked: 0,
      copies: 0,
      open: [],
      refusal: null,
      missing: 0,
      abandoned: false,
      at: 0,
      slot: -1,
    };
    this.byId.set(id, pending);
    return pending;
  }

  /**
   * The client is gone. An acquire under a made-up lock id goes on, for its grant must be undone (T4). Everything
   * else ends here: the client may be asking elsewhere with the same lock id, and nothing must be sent for it anew.
   */
  abandon(id: number): void {
    const pending = this.byId.get(id);
    if (pending === undefined) return;
    pending.abandoned = true;
    if (pending.request.op !== 'acquire' || !pending.request.made) this.forget(pending);
  }

  private acquireCommand(request: AcquireRequest): Command {
    const { lockId, holder, named, leaseMs, at } = request;
    const seen = this.seen.get(request.scope) ?? 0;
    return { kind: 'acquire', lockId, holder, named, mode: 'write', leaseMs, seen, at };
  }

  private start(now: number, pending: Pending, stage: Stage, command: Command): void {
    this.close(pending);
    pending.stage = stage;
    pending.command = command;
    pending.place = -1;
    pending.asked = 0;
    pending.copies = 0;
    this.askNext(now, pending);
  }

  /** This copy is known to have come to nothing. */
  private settleCopy(pending: Pending, number: number): void {
    this.questions.delete(number);
    pending.open = pending.open.filter((open) => open !== number);
  }

  /** Answers to what was asked so far no longer count. */
  private close(pending: Pending): void {
    for (const number of pending.open) this.questions.delete(number);
    pending.open = [];
  }

  /** Asks the next in line that looks alive. */
  private askNext(now: number, pending: Pending): void {
    const { line } = pending;
    let place = pending.place;
    for (let step = 0; step < line.length; step++) {
      place = (place + 1) % line.length;
      if (this.port.alive(line[place]!)) break;
    }
    pending.place = place;
    this.ask(now, pending, line[place]!);
  }

  private ask(now: number, pending: Pending, to: number): void {
    if (now >= pending.deadline) {
      this.fail(now, pending);
      return;
    }
    // Each copy has a number of its own: "nothing happened" is said of that copy only.
    const request = this.nextNumber++;
    pending.asked |= 1 << to;
    pending.copies++;
    pending.open.push(request);
    this.questions.set(request, pending);
    this.timers.set(pending, Math.min(now + GATEWAY_RETRY_MS, pending.deadline));
    const waitMs = (pending.deadline - now) * FORWARD_SHARE;
    const { command } = pending;
    this.port.forward(to, { kind: 'forward', request, scope: pending.request.scope, command, waitMs });
  }

  onVerdict(now: number, from: number, number: number, verdict: Verdict): void {
    const pending = this.questions.get(number);
    if (pending === undefined) return; // answered already, or of another stage
    if (verdict.kind === 'decided') {
      this.remember(pending.request.scope, verdict.view.retirements);
      this.onDecided(now, from, number, pending, verdict);
      return;
    }
    if (verdict.kind === 'no_quorum') {
      this.settleCopy(pending, number);
      pending.missing |= verdict.missing;
    }
    const untried = pending.line.some((voter) => !(pending.asked & (1 << voter)) && this.port.alive(voter));
    if (untried) this.askNext(now, pending);
    else if (pending.open.length === 0) this.fail(now, pending);
  }

  private onDecided(now: number, from: number, number: number, pending: Pending, verdict: Decided): void {
    const { request, stage } = pending;
    const { outcome } = verdict;
    if (stage === 'resolve') {
      this.resolve(now, pending, verdict);
      return;
    }
    if (stage === 'cancel') {
      if (request.op === 'release' && outcome.kind === 'granted') {
        this.start(now, pending, 'act', commandOn(request, outcome.grant.lockId));
        return;
      }
      // Granted by another copy, and maybe ended since: that is what happened, and not the refusal.
      this.finish(now, pending, outcome.kind === 'cancelled' ? (pending.refusal ?? verdict) : verdict);
      return;
    }
    if (request.op === 'acquire') {
      if (outcome.kind === 'stale') {
        // This copy can never grant: it is as if it had not been sent.
        this.settleCopy(pending, number);
        pending.copies--;
        pending.command = this.acquireCommand(request);
        this.ask(now, pending, from);
        return;
      }
      const refused = outcome.kind === 'busy' || outcome.kind === 'already_held';
      if (refused && this.rules.cancelsFirst(request, pending.copies)) {
        pending.refusal = verdict;
        this.start(now, pending, 'cancel', { kind: 'cancel', lockId: request.lockId });
        return;
      }
    }
    this.finish(now, pending, verdict);
  }

  /** L6: turns scope or holder name into a lock id. */
  private resolve(now: number, pending: Pending, verdict: Decided): void {
    const request = pending.request as ReleaseRequest | ExtendRequest;
    const { holders } = verdict.view;
    const mine = holders.find((grant) =>
      request.holder === null ? !grant.named : grant.holder === request.holder,
    );
    if (mine !== undefined) {
      this.start(now, pending, 'act', commandOn(request, mine.lockId));
      return;
    }
    if (holders.length === 0) {
      this.finish(now, pending, { ...verdict, outcome: { kind: 'not_found' } });
      return;
    }
    const { votes, view } = verdict;
    this.answer(now, pending, { kind: 'not_holder', votes, voters: this.port.voters, view });
  }

  private finish(now: number, pending: Pending, verdict: Verdict): void {
    if (verdict.kind !== 'decided') {
      this.fail(now, pending);
      return;
    }
    const { command, request } = pending;
    const lockId = 'lockId' in command ? command.lockId : null;
    let { outcome } = verdict;
    // The first grant of a made-up lock id is always this request's own, whichever copy of it brought it.
    if (outcome.kind === 'granted' && request.op === 'acquire' && request.made) {
      outcome = { ...outcome, repeat: false };
    }
    const { votes, view } = verdict;
    this.answer(now, pending, { kind: 'decided', outcome, lockId, votes, voters: this.port.voters, view });
  }

  private fail(now: number, pending: Pending): void {
    const missing = indices(pending.missing | this.missingVoters());
    const changes = pending.stage !== 'resolve' && pending.request.op !== 'status';
    // Before the cancel there was a command under way, or there would be nothing to cancel.
    const may = changes && (pending.open.length > 0 || pending.stage === 'cancel');
    this.answer(now, pending, { kind: may ? 'unknown' : 'no_quorum', missing });
  }

  private answer(now: number, pending: Pending, reply: ClientReply): void {
    this.forget(pending);
    if (pending.id < 0) return; // the gateway's own
    if (pending.abandoned) this.undo(now, pending.request, reply);
    else this.port.reply(pending.id, reply);
  }

  private forget(pending: Pending): void {
    this.close(pending);
    this.byId.delete(pending.id);
    this.timers.delete(pending);
  }

  /** T4: a grant that cannot be delivered is released. Where it may yet come, the lock id is cancelled first. */
  private undo(now: number, request: ClientRequest, reply: ClientReply): void {
    if (request.op !== 'acquire' || !request.made) return;
    const granted = reply.kind === 'decided' && reply.outcome.kind === 'granted';
    if (!granted && reply.kind !== 'unknown') return;
    const { scope, lockId } = request;
    const release: ReleaseRequest = { op: 'release', scope, lockId, holder: null };
    const pending = this.open(this.nextOwn--, release, now + UNDO_MS);
    this.start(now, pending, 'cancel', { kind: 'cancel', lockId });
  }

  private remember(scope: string, retirements: number): void {
    const known = this.seen.get(scope);
    if (known === undefined) {
      if (retirements === 0) return;
      if (this.seen.size >= SEEN_SCOPES_MAX) this.seen.delete(this.seen.keys().next().value!);
    } else if (retirements <= known) return;
    this.seen.set(scope, retirements);
  }

  private missingVoters(): number {
    let mask = 0;
    for (let i = 0; i < this.port.voters; i++) if (!this.port.alive(i)) mask |= 1 << i;
    return mask;
  }

  /** A peer looks dead: whoever waits for it asks the next in line now. */
  onDead(now: number, voter: number): void {
    for (const pending of [...this.byId.values()]) {
      if (pending.line[pending.place] === voter) this.askNext(now, pending);
    }
  }

  wake(now: number): void {
    for (;;) {
      const pending = this.timers.pop(now);
      if (pending === undefined) return;
      if (now >= pending.deadline) this.fail(now, pending);
      else this.askNext(now, pending);
    }
  }
}

function commandOn(request: ReleaseRequest | ExtendRequest, lockId: LockId): Command {
  if (request.op === 'release') return { kind: 'release', lockId };
  return { kind: 'extend', lockId, leaseMs: request.leaseMs, replaces: request.replaces };
}

function indices(mask: number): number[] {
  const list: number[] = [];
  for (let i = 0; mask >> i > 0; i++) if (mask & (1 << i)) list.push(i);
  return list;
}
