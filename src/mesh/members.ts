/**
 * All other members: what was heard of each, whether it has a link, and what changed.
 * Always true: voters are the roster's names, all others are observers, whatever rumours say; a dead or left member
 * that is not known is no news, or two who forget it in turn would tell each other for ever.
 */
import type { Rumour } from './gossip.ts';
import { isGood, isNews, type Member, unheard } from './member.ts';
import { FORGET_MS, log2Of, MEMBERS_MAX, PERIOD_MS, SUSPICION_PERIODS } from './swim-limits.ts';

export interface LivenessChange {
  readonly name: string;
  readonly alive: boolean;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Members {
  private readonly me: string;
  private readonly members = new Map<string, Member>();
  private changes: LivenessChange[] = [];

  constructor(me: string) {
    this.me = me;
  }

  /** All but this peer itself. */
  get all(): Iterable<Member> {
    return this.members.values();
  }

  /** This peer included. */
  get size(): number {
    return this.members.size + 1;
  }

  get(name: string): Member | undefined {
    return this.members.get(name);
  }

  /** The roster's names, and addresses for those of which none is known. */
  enter(now: number, voters: Iterable<readonly [name: string, address: string]>): void {
    for (const member of this.members.values()) member.voter = false;
    for (const [name, address] of voters) {
      if (name === this.me) continue;
      const known = this.members.get(name);
      if (known === undefined) this.members.set(name, unheard(name, address, true));
      else {
        known.voter = true;
        if (known.address === '') known.address = address;
      }
    }
    for (const member of this.members.values()) this.noteEnd(member, now);
  }

  /** A rumour about another member. @returns whether it was news. */
  hear(now: number, rumour: Rumour): boolean {
    const gone = rumour.state === 'dead' || rumour.state === 'left';
    const member = this.members.get(rumour.name) ?? (gone ? undefined : this.newcomer(rumour.name));
    if (member === undefined || !isNews(rumour, member)) return false;
    member.state = rumour.state;
    member.incarnation = rumour.incarnation;
    if (rumour.address !== '') member.address = rumour.address;
    member.deadAt = rumour.state === 'suspect' ? now + this.suspicionMs : NEVER;
    this.noteEnd(member, now);
    this.note(member);
    return true;
  }

  /** Makes room for an observer, if there is any. */
  private newcomer(name: string): Member | undefined {
    if (this.size >= MEMBERS_MAX) return undefined;
    const member = unheard(name, '', false);
    this.members.set(name, member);
    return member;
  }

  link(now: number, name: string, linked: boolean): Member | undefined {
    const member = this.members.get(name) ?? (linked ? this.newcomer(name) : undefined);
    if (member === undefined) return undefined;
    member.linked = linked;
    member.doubted = !linked;
    if (!linked) member.rttMs = null;
    this.noteEnd(member, now);
    this.note(member);
    return member;
  }

  private noteEnd(member: Member, now: number): void {
    const gone = !member.voter && !member.linked && (member.state === 'dead' || member.state === 'left');
    if (!gone) member.forgetAt = NEVER;
    else if (member.forgetAt === NEVER) member.forgetAt = now + FORGET_MS;
  }

  private note(member: Member): void {
    const alive = isGood(member);
    if (alive === member.said) return;
    member.said = alive;
    this.changes.push({ name: member.name, alive });
  }

  takeChanges(): readonly LivenessChange[] {
    const { changes } = this;
    this.changes = [];
    return changes;
  }

  // --- time ---

  /** A rumour needs log2 periods to be heard by all, and so does its refutation. */
  get suspicionMs(): number {
    return SUSPICION_PERIODS * log2Of(this.size) * PERIOD_MS;
  }

  /** When the next suspect is to be declared dead, or Infinity. */
  get nextDeadAt(): number {
    let next = NEVER;
    for (const member of this.members.values()) next = Math.min(next, member.deadAt);
    return next;
  }

  /** Suspects that had their time. */
  *overdue(now: number): Iterable<Member> {
    for (const member of this.members.values()) if (member.deadAt <= now) yield member;
  }

  /** This peer stood still: what it did not hear meanwhile is no fault of others. */
  putOff(ms: number): void {
    for (const member of this.members.values()) member.deadAt += ms;
  }

  forgetOld(now: number): void {
    for (const member of this.members.values()) {
      if (member.forgetAt <= now) this.members.delete(member.name);
    }
  }
}
