/**
 * One watched scope at one voter: what its watchers were told last, and what was accepted since.
 * Always true: nothing is told but what is chosen, each change once, in the order of the chain. A change is told by
 * its events if this voter saw it follow what was told before within one ballot; what came otherwise (a new ballot, a
 * gap that was filled by a whole state) is told as the difference of two states.
 */
import type { LockEvent } from '../lock/event.ts';
import type { LockState } from '../lock/state.ts';
import type { Register } from '../vote/acceptor.ts';
import { type Ballot, compareStamps, sameBallot } from '../vote/ballot.ts';
import { Poll } from '../vote/poll.ts';
import type { VoteRules } from '../vote/rules.ts';
import { differenceOf } from './difference.ts';
import { factsOf } from './facts.ts';
import type { Timed } from './heap.ts';
import { SURE_EVERY_MS, SURE_MAX_MS, SURE_MS, UNTOLD_MAX } from './limits.ts';
import type { Fact, News } from './told.ts';

/** A state that this voter has accepted. */
interface Seen {
  readonly ballot: Ballot;
  readonly version: number;
  readonly state: LockState;
  /** What led to it from the one before; null: it came whole. */
  readonly events: readonly LockEvent[] | null;
}

export class ScopeWatch implements Timed {
  at = 0;
  slot = -1;
  readonly scope: string;
  readonly poll = new Poll();
  /** How often in a row it was asked, without having become sure. */
  asked = 0;
  /** What was told last; undefined until something is known to be chosen. */
  private told: Seen | undefined;
  /** What was accepted since, oldest first. */
  private seen: Seen[];
  /** Chosen, but not accepted here yet. */
  private ahead: { readonly ballot: Ballot; readonly version: number } | undefined;
  /** When this voter was last sure that it lacks nothing; when what is not told yet began; when it asked last. */
  private sureAt: number;
  private since: number;
  private askedAt = Number.NEGATIVE_INFINITY;

  constructor(scope: string, register: Register, now: number) {
    this.scope = scope;
    const { ballot, version, state } = register;
    this.seen = [{ ballot, version, state, events: null }];
    this.sureAt = now;
    this.since = now - SURE_MS;
  }

  /** The watch has begun: it can say with what. */
  get begins(): News | undefined {
    const { told, scope } = this;
    if (told === undefined) return undefined;
    const { ballot, version, state } = told;
    return { scope, ballot, version, facts: [], compared: false, begins: state };
  }

  /** When to make sure that nothing is missed, by this voter's clock. */
  get dueAt(): number {
    if (this.asked > 0) return this.askedAt + Math.min(SURE_MS * 2 ** (this.asked - 1), SURE_MAX_MS);
    return this.isSure ? this.sureAt + SURE_EVERY_MS : this.since + SURE_MS;
  }

  /** Whether all that it knows of is told. */
  get isSure(): boolean {
    return this.told !== undefined && this.seen.length === 0 && this.ahead === undefined;
  }

  /** The others are being asked. */
  ask(now: number): void {
    this.asked++;
    this.askedAt = now;
  }

  /**
   * The register has changed.
   * @param events how, if it was not replaced whole.
   * @returns what this change, chosen before it came, lets be told.
   */
  accepted(now: number, register: Register, events: readonly LockEvent[] | null, rules: VoteRules): News[] {
    const { ballot, version, state } = register;
    if (this.isSure) this.since = now;
    if (this.seen.length < UNTOLD_MAX) this.seen.push({ ballot, version, state, events });
    else this.seen = [{ ballot, version, state, events: null }];
    const { ahead } = this;
    return ahead === undefined ? [] : this.chosen(now, ahead.ballot, ahead.version, rules);
  }

  /** A majority has accepted this. @returns what may be told now. */
  chosen(now: number, ballot: Ballot, version: number, rules: VoteRules): News[] {
    const { told } = this;
    if (told !== undefined && compareStamps(ballot, version, told.ballot, told.version) <= 0) return [];
    const last = this.seen.findLastIndex(
      (seen) => sameBallot(seen.ballot, ballot) && seen.version <= version,
    );
    const { ahead } = this;
    if (ahead !== undefined && compareStamps(ahead.ballot, ahead.version, ballot, version) <= 0) {
      this.ahead = undefined;
    }
    if (last < 0 || this.seen[last]!.version < version) this.ahead ??= { ballot, version };
    if (last < 0) return [];
    this.since = now;
    return this.tell(last, rules);
  }

  /** It lacks nothing: the newest that there is, by whoever leads or by a majority, is told. */
  sure(now: number): void {
    this.sureAt = now;
    this.asked = 0;
  }

  /** Tells what was seen, up to that place. */
  private tell(last: number, rules: VoteRules): News[] {
    const { scope } = this;
    const untold = this.seen.slice(0, last + 1);
    this.seen = this.seen.slice(last + 1);
    const newest = untold[last]!;
    const begun = this.told;
    this.told = newest;
    if (begun === undefined) return [this.begins!];
    // The newest state that came whole: it holds what was chosen before, and nothing before it need be.
    const whole = rules.skipsUnchosen() ? untold.findLastIndex(({ events }) => events === null) : 0;
    const news: News[] = [];
    let before = begun.state;
    for (let i = Math.max(whole, 0); i <= last; i++) {
      const { ballot, version, state, events } = untold[i]!;
      const compared = events === null;
      const facts: Fact[] = compared ? differenceOf(before, state) : factsOf(before, events);
      // What came and went unseen may have left nothing to tell but that it did: the next token then fits.
      const unseen = compared && before.token !== state.token;
      if (facts.length > 0 || unseen) news.push({ scope, ballot, version, facts, compared, begins: null });
      before = state;
    }
    return news;
  }
}
