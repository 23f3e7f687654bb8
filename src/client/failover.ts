/**
 * Calls: requests that go from peer to peer until one answers for certain, or their time is over.
 * Always true: a call is at one peer at a time; it comes to one answer or one error, or to nothing once it was
 * aborted; a repeat has the same lock id and a higher `repeat`; `maybe` says whether an earlier copy may have happened
 * or may yet.
 */
import { Heap, type Timed } from '../peer/heap.ts';
import { NEVER } from '../vote/task.ts';
import type { Clock } from './clock.ts';
import type { Instant } from './count.ts';
import { NoQuorumError, OutcomeUnknownError, type QuorateError } from './errors.ts';
import { pauseMs } from './pause.ts';
import { type Body, errorOf } from './refusals.ts';
import type { Answer, Asker, Draft, Peer, Transport } from './way.ts';

/** Timers are this coarse, so that few are set. */
const COARSE_MS = 10;
/** Who is told "waiting" after this long has waited; sooner, the place is elsewhere or the peer is stopping. */
const WAITED_MS = 1_000;

/** Refusals after which another peer, or the same one later, may say otherwise. */
const PASSING: ReadonlySet<unknown> = new Set([
  'no_quorum',
  'outcome_unknown',
  'internal',
  'overloaded',
  'waiting',
]);

/** What becomes of a call. Called once, unless it is aborted. */
export interface Sink {
  /** @param call tells when the copy that was answered was sent. */
  done(answer: Answer, call: Call): void;
  failed(error: QuorateError, call: Call): void;
}

export interface CallOptions {
  /** By which the peers to ask are chosen; null: any peer. */
  readonly route: string | null;
  /** Monotonic milliseconds. */
  readonly deadline: number;
  /** Until when an acquire may wait in the queue. */
  readonly waitUntil?: number;
  /** Not to be sent again once it may have happened. */
  readonly once?: boolean;
  /** A copy without an answer for this long, milliseconds, is given up, and the next one sent elsewhere. */
  readonly patienceMs?: number;
}

const NOBODY: readonly Peer[] = [];

export class Call implements Asker, Timed {
  /** When it is looked at: its deadline, or the end of a pause. */
  at = 0;
  slot = -1;
  readonly message: Draft;
  readonly options: CallOptions;
  /** When the present copy was handed over. */
  readonly sent: { mono: number; wall: number } = { mono: 0, wall: 0 };
  /** Whether an earlier copy may have happened, or may yet. */
  maybe = false;
  private readonly calls: Calls;
  private readonly sink: Sink;
  private peer: Peer | undefined;
  private ticket = 0;
  private sends = 0;
  private failures = 0;
  private tried: Peer[] | undefined;
  /** What the last peer said; undefined: nothing, the way to it broke. */
  private refusal: Body | undefined;
  private reasons: Map<string, string> | undefined;

  constructor(calls: Calls, message: Draft, options: CallOptions, sink: Sink) {
    this.calls = calls;
    this.message = message;
    this.options = options;
    this.sink = sink;
  }

  /** Hands it to the next peer. */
  attempt(now: number): void {
    const { message, options } = this;
    if (message.kind === 'acquire') {
      message.repeat = this.sends;
      if (message.waitMs > 0) message.waitMs = Math.max(0, Math.ceil((options.waitUntil ?? now) - now));
    }
    this.sent.mono = now;
    this.sent.wall = this.calls.clock.wall();
    this.sends++;
    this.peer = this.calls.transport.pick(options.route, this.tried ?? NOBODY);
    this.ticket = this.peer.send(message, this);
  }

  answered(answer: Answer): void {
    if (this.peer === undefined) return;
    if (answer.kind !== 'refused' || !PASSING.has(answer.body.code)) {
      this.peer = undefined;
      this.calls.over(this);
      this.sink.done(answer, this);
      return;
    }
    this.refused(answer.body);
  }

  private refused(body: Body): void {
    this.refusal = body;
    const waited = body.code === 'waiting' && this.calls.clock.now() - this.sent.mono >= WAITED_MS;
    if (body.code === 'waiting' || body.certainty !== 'definite') this.maybe = true;
    if (waited) {
      this.peer = undefined;
      this.calls.resume(this);
    } else this.again();
  }

  broken(sent: boolean, why: string): void {
    if (this.peer === undefined) return;
    if (sent) this.maybe = true;
    else this.sends--;
    this.reasons ??= new Map();
    this.reasons.set(this.peer.label, why);
    this.refusal = undefined;
    this.again();
  }

  moved(): void {
    if (this.peer === undefined) return;
    this.sends--;
    this.peer = undefined;
    this.calls.resume(this);
  }

  /** Elsewhere at once the first time, then after pauses. */
  private again(): void {
    const { calls, options } = this;
    this.tried ??= [];
    this.tried.push(this.peer!);
    this.peer = undefined;
    this.failures++;
    if (options.once === true && this.maybe) {
      this.fail(this.refusal === undefined);
      return;
    }
    const next = calls.transport.pick(options.route, this.tried);
    const fresh = !this.tried.includes(next);
    if (!fresh) this.tried = [];
    if (fresh && this.failures === 1) calls.resume(this);
    else calls.pause(this, pauseMs(this.failures, calls.random));
  }

  /** This copy has had its time. */
  impatient(): void {
    if (this.peer === undefined) return;
    this.broken(this.peer.gone(this.ticket), 'no answer in time');
  }

  /** Its time is over. */
  expire(): void {
    const inFlight = this.peer !== undefined;
    if (inFlight && this.peer!.gone(this.ticket)) this.maybe = true;
    this.peer = undefined;
    this.fail(inFlight);
  }

  /** Gives it up; its sink is told nothing. @returns whether any copy may have happened, or may yet. */
  abort(): boolean {
    if (this.peer?.gone(this.ticket) === true) this.maybe = true;
    this.peer = undefined;
    this.calls.over(this);
    return this.maybe;
  }

  /** @param unanswered whether a peer had it until the end. */
  private fail(unanswered: boolean): void {
    this.calls.over(this);
    this.sink.failed(this.errorOf(unanswered), this);
  }

  private errorOf(unanswered: boolean): QuorateError {
    const { refusal, maybe, about } = this;
    const certainty = maybe ? 'indefinite' : 'definite';
    if (refusal !== undefined && !unanswered) return errorOf({ ...refusal, certainty }, about);
    const told = [...(this.reasons ?? [])].map(([label, why]) => `${label}: ${why}`).join('; ');
    const reasons = told === '' ? '' : ` (${told})`;
    if (unanswered && maybe) {
      return new OutcomeUnknownError(
        `No peer answered in time${reasons}; it may have happened, or may yet.`,
        about,
      );
    }
    const what = maybe ? 'it may have happened, or may yet' : 'nothing happened';
    const next = maybe ? { next: 'Ask `status` once a peer can be reached.' } : {};
    return new NoQuorumError(`No peer could be reached in time${reasons}; ${what}.`, {
      ...about,
      certainty,
      ...next,
    });
  }

  private get about(): { scope?: string; lockId?: string } {
    const { message } = this;
    if (!('scope' in message)) return {};
    const lockId = 'lockId' in message ? message.lockId : null;
    return lockId === null ? { scope: message.scope } : { scope: message.scope, lockId };
  }
}

export interface Answered<A extends Answer = Answer> {
  readonly answer: A;
  /** Before the copy that was answered was sent. */
  readonly sent: Instant;
}

export class Calls {
  readonly clock: Clock;
  readonly random: () => number;
  readonly transport: Transport;
  private readonly heap = new Heap<Call>();
  private timerAt = NEVER;
  /** Whether the timer keeps the process running. */
  private timerHolds = false;
  private stopTimer: (() => void) | undefined;
  private ended = false;
  /** Calls that pause: no socket keeps the process running for them. */
  private readonly pausing = new Set<Call>();

  constructor(clock: Clock, random: () => number, transport: Transport) {
    this.clock = clock;
    this.random = random;
    this.transport = transport;
  }

  start(message: Draft, options: CallOptions, sink: Sink): Call {
    const call = new Call(this, message, options, sink);
    if (this.ended) {
      queueMicrotask(() => call.expire());
      return call;
    }
    this.attempt(call, this.clock.now());
    return call;
  }

  /** As a promise. */
  ask(message: Draft, options: CallOptions): Promise<Answered> {
    return new Promise((resolve, reject) => {
      this.start(message, options, {
        done: (answer, { sent }) => resolve({ answer, sent }),
        failed: reject,
      });
    });
  }

  /** Sends it again at once; not from within the call that failed. */
  resume(call: Call): void {
    this.pause(call, 0);
  }

  pause(call: Call, ms: number): void {
    const now = this.clock.now();
    const until = now + ms;
    const { deadline } = call.options;
    this.pausing.add(call);
    this.due(call, Math.min(until, deadline));
    if (ms > 0) return;
    queueMicrotask(() => {
      if (this.pausing.has(call)) this.go(call, this.clock.now());
    });
  }

  over(call: Call): void {
    this.heap.delete(call);
    this.pausing.delete(call);
  }

  /** Everything that is under way fails, and so will whatever is asked from now on. */
  endAll(): void {
    this.ended = true;
    for (let call = this.heap.pop(NEVER); call !== undefined; call = this.heap.pop(NEVER)) call.expire();
    this.stopTimer?.();
  }

  private go(call: Call, now: number): void {
    const paused = this.pausing.delete(call);
    if (now >= call.options.deadline) call.expire();
    else if (paused) this.attempt(call, now);
    else call.impatient();
  }

  private attempt(call: Call, now: number): void {
    const { deadline, patienceMs } = call.options;
    this.due(call, patienceMs === undefined ? deadline : Math.min(deadline, now + patienceMs));
    call.attempt(now);
  }

  private due(call: Call, at: number): void {
    this.heap.set(call, at);
    const holds = this.pausing.size > 0;
    if (at < this.timerAt || (holds && !this.timerHolds)) this.setTimer(Math.min(at, this.timerAt), holds);
  }

  private setTimer(at: number, holds: boolean): void {
    this.stopTimer?.();
    this.timerAt = at;
    this.timerHolds = holds;
    const ms = Math.max(0, at - this.clock.now());
    this.stopTimer = this.clock.after(Math.ceil(ms / COARSE_MS) * COARSE_MS, this.fire, !holds);
  }

  private readonly fire = (): void => {
    this.stopTimer = undefined;
    this.timerAt = NEVER;
    this.timerHolds = false;
    const now = this.clock.now();
    for (let call = this.heap.pop(now); call !== undefined; call = this.heap.pop(now)) this.go(call, now);
    if (this.heap.size > 0) this.setTimer(this.heap.firstAt, this.pausing.size > 0);
  };
}
