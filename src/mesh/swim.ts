/**
 * Who lives: SWIM (A. Das, I. Gupta, A. Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group
 * Membership Protocol", 2002). It decides no lock; it says whom to ask first.
 * Inputs are method calls with the time in them; outputs are collected and taken. Chance comes from `random`.
 * Always true: a member's record only climbs (member.ts), only a climb is told on, and that a bounded number of
 * times: so gossip dies down. Only the member itself raises its incarnation.
 *
 * Where it leaves the paper, since all members have links to each other:
 *   - a closed link is a failed ping, and who is asked to ping in vain says so (nack): if all have lost their link,
 *     the member is suspect within a round trip, not a period;
 *   - what a member finds out itself (a suspicion, a refutation, that it leaves) it tells all at once; rumours on
 *     pings only mend what is lost;
 *   - a message to a suspect carries the suspicion, so that it can refute (as in A. Dadgar et al., "Lifeguard", 2018);
 *   - a new link, and now and then a ping, brings all that is known.
 * With no loss, a death without a sound among n members is known to all as such within 2n periods and the suspicion
 * time; the first suspicion comes after two periods on average.
 */
import {
  decodeGossip,
  encodeGossip,
  type Gossip,
  type GossipPayload,
  INCARNATION_MAX,
  type Rumour,
} from './gossip.ts';
import { isGood, rumourOf, viewOf } from './member.ts';
import { type LivenessChange, Members } from './members.ts';
import { Pings } from './pings.ts';
import { Rumours } from './rumours.ts';
import { log2Of, PERIOD_MS, REPEATS, RUMOURS_PER_MESSAGE, SYNC_PERIODS } from './swim-limits.ts';
import type { MemberView } from './types.ts';

export interface SwimConfig {
  readonly name: string;
  /** HOST:PORT of this peer. */
  readonly address: string;
  /** Higher than in any earlier run of this peer: its boot. */
  readonly incarnation: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface SwimMessage {
  readonly to: string;
  readonly payload: GossipPayload;
}

/** Names and addresses ('' if unknown) of the roster's voters. */
export type Voters = Iterable<readonly [name: string, address: string]>;

export class Swim {
  private readonly name: string;
  private readonly table: Members;
  private readonly pings: Pings;
  private readonly rumours = new Rumours();
  private self: Rumour;
  private voter = false;
  private periods = 0;
  private nextPeriodAt: number;
  private messages: SwimMessage[] = [];

  constructor(config: SwimConfig, voters: Voters, now: number) {
    const { name, address, incarnation, random } = config;
    this.name = name;
    this.self = { name, address, state: 'alive', incarnation };
    this.table = new Members(name);
    this.pings = new Pings(this.table, random, {
      send: (to, gossip) => this.send(to, gossip),
      failed: (at, target) => this.suspect(at, target),
    });
    this.enter(now, voters);
    this.nextPeriodAt = now + random() * PERIOD_MS;
  }

  // --- inputs ---

  /** Another roster is in force, or the first one counts. Names that vote no more stay as observers. */
  enter(now: number, voters: Voters): void {
    const all = [...voters];
    this.voter = all.some(([name]) => name === this.name);
    this.table.enter(now, all);
  }

  /** A link is ready. @param address, incarnation what the other's hello says of itself. */
  linkUp(now: number, name: string, address: string, incarnation: number): void {
    const member = this.table.link(now, name, true);
    if (member === undefined) return;
    this.hear(now, { name, address, state: 'alive', incarnation: Math.min(incarnation, INCARNATION_MAX) });
    this.tellEverything(name);
    this.pings.stop(name);
    this.pings.start(now, member);
  }

  /** The last link to this member has closed: counts as a failed ping. */
  linkDown(now: number, name: string): void {
    const member = this.table.link(now, name, false);
    if (member !== undefined) this.pings.lost(now, member);
  }

  /** A gossip payload came over the link of `from`. Throws a WireError that names the field if it is wrong. */
  receive(now: number, from: string, payload: unknown): void {
    const gossip = decodeGossip(payload);
    for (const rumour of gossip.rumours) {
      if (rumour.name === this.name) this.hearOfSelf(from, rumour);
      else this.hear(now, rumour);
    }
    const { seq } = gossip;
    switch (gossip.kind) {
      case 'ping':
        this.send(from, { kind: 'ack', seq, rumours: [] });
        break;
      case 'ack':
        this.pings.onAck(now, from, seq);
        break;
      case 'nack':
        this.pings.onNack(now, from, seq);
        break;
      case 'request':
        this.pings.onRequest(now, from, seq, gossip.target);
        break;
    }
  }

  /** The time has come: at nextWake or later. */
  tick(now: number): void {
    if (this.left) return;
    const late = now - this.nextWake;
    if (late > PERIOD_MS) {
      this.table.putOff(late);
      this.pings.putOff(late);
    }
    this.pings.wake(now);
    for (const member of this.table.overdue(now)) this.hear(now, { ...rumourOf(member), state: 'dead' });
    if (this.nextPeriodAt > now) return;
    this.nextPeriodAt = now + PERIOD_MS;
    this.pings.forgetRelays(now);
    this.table.forgetOld(now);
    const member = this.pings.nextTurn();
    if (member === undefined) return;
    if (++this.periods % SYNC_PERIODS === 0) this.tellEverything(member.name);
    this.pings.start(now, member);
  }

  /** This peer is about to stop: tells all that have a link. */
  leave(_now: number): void {
    this.self = { ...this.self, state: 'left' };
    this.tellAll(this.self);
  }

  // --- rumours ---

  private hear(now: number, rumour: Rumour): void {
    if (this.table.hear(now, rumour)) this.rumours.add(rumourOf(this.table.get(rumour.name)!));
  }

  /** Who is said to be anything but alive contradicts; an old rumour, only to whoever still tells it. */
  private hearOfSelf(from: string, { state, incarnation }: Rumour): void {
    if (this.left) return;
    const news = incarnation >= this.self.incarnation;
    if (state === 'alive') {
      if (news) this.self = { ...this.self, incarnation };
    } else if (!news) {
      this.post(from, { kind: 'news', seq: 0, rumours: [this.self] });
    } else if (incarnation < INCARNATION_MAX) {
      this.self = { ...this.self, incarnation: incarnation + 1 };
      this.tellAll(this.self);
    }
  }

  private suspect(now: number, name: string): void {
    const member = this.table.get(name);
    if (member?.state !== 'alive') return;
    const rumour: Rumour = { ...rumourOf(member), state: 'suspect' };
    this.hear(now, rumour);
    this.tellAll(rumour);
  }

  private tellAll(rumour: Rumour): void {
    this.rumours.add(rumour);
    for (const { name, linked } of this.table.all) {
      if (linked) this.post(name, { kind: 'news', seq: 0, rumours: [rumour] });
    }
  }

  private tellEverything(to: string): void {
    const known = [...this.table.all].filter(({ incarnation }) => incarnation >= 0);
    this.post(to, { kind: 'news', seq: 0, rumours: [this.self, ...known.map(rumourOf)] });
  }

  /** Takes rumours along: first what is said of whom the message is about, so that it can refute. */
  private send(to: string, gossip: Gossip): void {
    const rumours: Rumour[] = [];
    for (const name of gossip.kind === 'request' ? [to, gossip.target] : [to]) {
      const member = this.table.get(name);
      if (member !== undefined && member.state !== 'alive' && member.incarnation >= 0) {
        rumours.push(rumourOf(member));
      }
    }
    if (this.table.get(to)?.linked === true) {
      rumours.push(...this.rumours.take(RUMOURS_PER_MESSAGE, REPEATS * log2Of(this.table.size)));
    }
    this.post(to, { ...gossip, rumours });
  }

  private post(to: string, gossip: Gossip): void {
    this.messages.push({ to, payload: encodeGossip(gossip) });
  }

  private get left(): boolean {
    return this.self.state === 'left';
  }

  // --- outputs ---

  /** When tick() is wanted next. */
  get nextWake(): number {
    if (this.left) return Number.POSITIVE_INFINITY;
    return Math.min(this.nextPeriodAt, this.table.nextDeadAt, this.pings.nextAt);
  }

  /** Takes what is to be sent; what finds no link may be dropped. */
  takeMessages(): readonly SwimMessage[] {
    const { messages } = this;
    this.messages = [];
    return messages;
  }

  /** Takes the changes of isAlive() since the last call. */
  takeChanges(): readonly LivenessChange[] {
    return this.table.takeChanges();
  }

  // --- looking ---

  /** For choosing a home: it has a link, and is neither suspect nor dead. This peer itself always is. */
  isAlive(name: string): boolean {
    const member = this.table.get(name);
    return member === undefined ? name === this.name : isGood(member);
  }

  /** To be said in this peer's hello. */
  get incarnation(): number {
    return this.self.incarnation;
  }

  /** HOST:PORT, or undefined if not known: where to dial. */
  addressOf(name: string): string | undefined {
    const address = name === this.name ? this.self.address : this.table.get(name)?.address;
    return address === '' ? undefined : address;
  }

  /** Rumours that wait to be told. */
  get waiting(): number {
    return this.rumours.size;
  }

  /** Sorted by name, this peer included. */
  members(): readonly MemberView[] {
    const { name, address } = this.self;
    const self: MemberView = {
      name,
      address,
      role: this.voter ? 'voter' : 'observer',
      state: 'alive',
      rttMs: null,
    };
    const views = [self, ...[...this.table.all].map(viewOf)];
    return views.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
