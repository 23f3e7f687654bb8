/**
 * From "the lock id holds" to the answer that a holder may count on (T1, T4).
 * Always true: a promotion that needs a claim is answered only once the claim is chosen; a count that is told begins
 * no later than the send of the command, or of the last question told "still waiting", that came before its lease.
 */
import type { Command } from '../lock/command.ts';
import { type Grant, NO_EXPIRY } from '../lock/state.ts';
import type { GatewayRules } from './gateway.ts';
import { type Pending, type Steps, scopeOf } from './pending.ts';
import type { Places } from './places.ts';
import type { Decided } from './questions.ts';

export class Promotion {
  private readonly steps: Steps;
  private readonly places: Places;
  private readonly rules: GatewayRules;
  private readonly act: (now: number, pending: Pending) => void;

  /** @param act asks for what the request wants, again. */
  constructor(
    steps: Steps,
    places: Places,
    rules: GatewayRules,
    act: (now: number, pending: Pending) => void,
  ) {
    this.steps = steps;
    this.rules = rules;
    this.places = places;
    this.act = act;
  }

  /**
   * The lock id holds. A promotion is claimed first; where a live session made that needless, the lease is counted
   * from the last question that was told "still waiting", or set anew if much of it has passed (T4).
   */
  isGranted(now: number, pending: Pending, found: Decided, grant: Grant, repeat: boolean): void {
    this.places.leave(now, pending);
    if (grant.unclaimed !== null) {
      this.claim(now, pending, found, grant);
      return;
    }
    const promoted = repeat && grant.session !== null && !Number.isNaN(pending.confirmedAt);
    if (!promoted) this.granted(pending, found, repeat ? undefined : 0);
    else if (grant.leaseMs === NO_EXPIRY || now - pending.confirmedAt <= grant.leaseMs / 2) {
      this.granted(
        pending,
        found,
        this.countFrom(pending, this.rules.promotedFrom(pending.confirmedAt, now)),
      );
    } else this.extend(now, pending, grant);
  }

  private claim(now: number, pending: Pending, found: Decided, { lockId, unclaimed }: Grant): void {
    const gateway = this.places.own.id;
    if (unclaimed!.gateway !== gateway) {
      this.places.tellWaiting(pending, found, 1); // through another gateway, where its client asked later
      return;
    }
    const command: Command = { kind: 'claim', lockId, gateway, at: this.steps.wall() };
    this.steps.step(now, pending, scopeOf(pending), command, (at, claimed, question) => {
      const { outcome } = claimed;
      const granted = outcome.kind === 'granted' ? outcome.grant : undefined;
      if (outcome.kind === 'queued') {
        pending.again = true;
        this.act(at, pending);
      } else if (granted !== undefined && granted.unclaimed !== null)
        this.places.tellWaiting(pending, claimed, 1);
      else if (outcome.kind === 'granted' && outcome.repeat) this.granted(pending, claimed, undefined);
      else this.granted(pending, claimed, this.countFrom(pending, question.sentAt));
    });
  }

  private extend(now: number, pending: Pending, { lockId, leaseMs }: Grant): void {
    const command: Command = { kind: 'extend', lockId, leaseMs, replaces: null };
    this.steps.step(now, pending, scopeOf(pending), command, (at, found, question) => {
      const { outcome } = found;
      if (outcome.kind === 'extended') {
        const granted = {
          ...found,
          outcome: { kind: 'granted', grant: outcome.grant, repeat: true },
        } as const;
        this.granted(pending, granted, this.countFrom(pending, question.sentAt));
      } else if (outcome.kind === 'not_found') {
        pending.again = true;
        this.act(at, pending);
      } else this.steps.decided(pending, found);
    });
  }

  /** How long after the request's arrival the counts of its lease and of its session began, whichever is earlier. */
  private countFrom(pending: Pending, at: number): number {
    const { request, beatenAt, arrivedAt } = pending;
    const implicit = request.op === 'acquire' && request.session?.implicit === true;
    return Math.max(0, (implicit ? Math.min(at, beatenAt) : at) - arrivedAt);
  }

  /** @param countFromMs see ClientReply; undefined: it was held before, and starts no count (T1). */
  private granted(pending: Pending, found: Decided, countFromMs: number | undefined): void {
    const { outcome } = found;
    if (outcome.kind !== 'granted') {
      this.steps.decided(pending, found);
      return;
    }
    const made = pending.request.op === 'acquire' && pending.request.made;
    // The first grant of a made-up lock id is always this request's own, whichever copy of it brought it.
    const repeat = countFromMs === undefined && !made;
    this.steps.decided(pending, found, { ...outcome, repeat }, { countFromMs: countFromMs ?? 0 });
  }
}
