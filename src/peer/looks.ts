/**
 * Each second, a look at every scope where clients of this gateway wait (T4): news of a promotion may be lost, and so
 * may a place.
 * Always true: a look tells the state after it was sent; one that was asked under a former session tells nothing.
 */
import type { SessionId } from '../lock/state.ts';
import { Heap, type Timed } from './heap.ts';
import { LOOK_EVERY_MS, PLACE_KEPT_MS } from './limits.ts';
import type { Decided, Questions } from './questions.ts';

/** A gateway goes on looking at a scope for this long after the last client came to wait there. */
const LOOK_AFTER_MS = PLACE_KEPT_MS + 5_000;

interface Looked extends Timed {
  readonly scope: string;
  until: number;
}

export interface LooksPort {
  /** The session under which this gateway keeps places. */
  gateway(): SessionId;
  /** Whether anybody waits there. */
  isNeeded(scope: string): boolean;
  looked(now: number, scope: string, found: Decided, sentAt: number): void;
}

export class Looks {
  private readonly questions: Questions;
  private readonly port: LooksPort;
  private readonly scopes = new Map<string, Looked>();
  private readonly timers = new Heap<Looked>();

  constructor(questions: Questions, port: LooksPort) {
    this.questions = questions;
    this.port = port;
  }

  get nextWake(): number {
    return this.timers.firstAt;
  }

  watch(now: number, scope: string): void {
    const until = now + LOOK_AFTER_MS;
    const known = this.scopes.get(scope);
    if (known !== undefined) {
      known.until = until;
      return;
    }
    const looked: Looked = { scope, until, at: 0, slot: -1 };
    this.scopes.set(scope, looked);
    this.timers.set(looked, now + LOOK_EVERY_MS);
  }

  soon(now: number): void {
    for (const looked of this.scopes.values()) this.timers.set(looked, now);
  }

  wake(now: number): void {
    for (;;) {
      const looked = this.timers.pop(now);
      if (looked === undefined) return;
      this.look(now, looked);
    }
  }

  private look(now: number, looked: Looked): void {
    const { scope } = looked;
    if (!this.port.isNeeded(scope) && now >= looked.until) {
      this.scopes.delete(scope);
      return;
    }
    this.timers.set(looked, now + LOOK_EVERY_MS);
    const gateway = this.port.gateway();
    this.questions.ask(
      now,
      scope,
      { kind: 'look', gateway },
      now + LOOK_EVERY_MS,
      (at, finding, question) => {
        const current = gateway === this.port.gateway();
        if (current && finding.kind === 'decided') this.port.looked(at, scope, finding, question.sentAt);
      },
    );
  }
}
