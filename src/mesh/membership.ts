/**
 * Who the other side of each link is, and what it may do: formation, standings and gossip, applied to links.
 * Always true: a link has a place for messages only while this peer speaks for a mesh, and the other side for the same;
 * a voter's place only while the roster has its identity and nothing speaks against it (M2); before that it is held,
 * a guest, or has none. All of a peer's word that is acted upon was durable there.
 */
import { UnknownKindError, WireError } from '../lock/plain.ts';
import type { FormationConfig, FormationOutput, RosterHello, Stored } from '../peer/formation.ts';
import {
  type Counts,
  type FormationState,
  helloOf,
  startFormation,
  stepFormation,
} from '../peer/formation.ts';
import { type FormationView, viewOf } from '../peer/formation-view.ts';
import type { Refusal } from '../peer/refusal.ts';
import { indexOf, namesOf } from '../peer/roster.ts';
import { type SavedSeen, type Sighting, Standings } from '../peer/standing.ts';
import type { Control, Hello } from './control.ts';
import { ENDED, type Link, NO_PLACE, REFUSED } from './link.ts';
import type { Log } from './log.ts';
import { Swim } from './swim.ts';
import type { MemberView } from './types.ts';

export interface MembershipConfig extends FormationConfig {
  readonly boot: number;
  /** Addresses of --roster by name. */
  readonly addresses: ReadonlyMap<string, string>;
  readonly random: () => number;
  readonly log: Log;
}

export interface MembershipHost {
  now(): number;
  /** Position of the last flush. */
  position(): number;
  /** The links that are up, oldest first. */
  links(): Iterable<Link>;
  dial(names: Iterable<string>): void;
  /** To say hello again on all links. */
  announce(): void;
  /** To be flushed; then flushed() is called. */
  store(stored: Stored): void;
  /** There is a mesh to speak for, or this peer's part in it has changed. */
  counts(counts: Counts): void;
  liveness(voter: number, alive: boolean): void;
}

export class Membership {
  /** Grows when the view may have changed. */
  changes = 0;
  private readonly config: MembershipConfig;
  private readonly host: MembershipHost;
  private readonly swim: Swim;
  private readonly saved: readonly SavedSeen[];
  private formation!: FormationState;
  private standings: Standings | undefined;
  private counted: Counts | undefined;
  private refusal: Refusal | undefined;
  private byPlace = new Map<number, Link>();
  private gossiping = new Map<string, Link>();
  private guests = 0;

  constructor(config: MembershipConfig, saved: readonly SavedSeen[], host: MembershipHost) {
    this.config = config;
    this.host = host;
    this.saved = saved;
    const { name, address, boot, random, addresses } = config;
    this.swim = new Swim({ name, address, incarnation: boot, random }, addresses, host.now());
  }

  start(stored: Stored): void {
    this.host.dial(this.others(this.config.configured));
    this.form(startFormation(this.config, stored));
  }

  private others(names: readonly string[]): string[] {
    return names.filter((name) => name !== this.config.name);
  }

  // --- what this peer says and sees ---

  helloTo(lost: number): Hello {
    const { boot, address } = this.config;
    const position = this.host.position();
    const { incarnation } = this.swim;
    return { ...helloOf(this.formation), boot, position, address, incarnation, lost };
  }

  get view(): FormationView {
    const view = viewOf(this.formation);
    if (this.refusal === undefined || view.kind !== 'voting') return view;
    return { kind: 'refused', refusal: this.refusal, problems: view.problems };
  }

  get counts(): Counts | undefined {
    return this.counted;
  }

  /** Where to send what is for this place. */
  linkAt(place: number): Link | undefined {
    return this.byPlace.get(place);
  }

  /** What the operator says, then what the gossip says. */
  addressesOf(name: string): readonly string[] {
    const said = new Set([this.config.addresses.get(name), this.swim.addressOf(name)]);
    return [...said].filter((address) => address !== undefined && address !== '') as string[];
  }

  members(): readonly MemberView[] {
    return this.swim.members();
  }

  get nextWake(): number {
    return this.swim.nextWake;
  }

  /** What was seen of others, to be saved with the next flush, if it has changed. */
  takeSeen(): readonly SavedSeen[] | undefined {
    return this.standings?.takeSaved();
  }

  // --- inputs ---

  /** What store() was given is durable. */
  flushed(): void {
    this.form(stepFormation(this.formation, { kind: 'flushed' }));
    this.refresh();
  }

  up(link: Link): void {
    const { name, identity, boot } = link.hello!;
    if (name === this.config.name && identity === this.config.identity) {
      if (boot !== this.config.boot) {
        this.config.log.warn({}, `${link.label} runs on a copy of this peer's data directory`);
      }
      link.end(REFUSED, 'this is you, or a copy of your data directory');
      return;
    }
    this.judge(link, 'hello', link.hello!.position, 0);
    this.hear(link);
  }

  again(link: Link): void {
    if (!link.held) this.judge(link, 'ping', link.hello!.position, 0);
    this.hear(link);
  }

  /** @param last whether no other link to a peer of that name is up. */
  down(link: Link, last: boolean): void {
    const { name, identity, boot } = link.hello!;
    let other = false;
    for (const { hello } of this.host.links()) {
      other ||= hello!.name === name && hello!.identity === identity && hello!.boot === boot;
    }
    if (!other) this.standings?.closed(name, boot);
    if (last) this.form(stepFormation(this.formation, { kind: 'gone', name }));
    this.refresh();
  }

  tick(): void {
    this.swim.tick(this.host.now());
    this.pump();
  }

  /** Tells the others that this peer stops. */
  leave(): void {
    this.swim.leave(this.host.now());
    this.pump();
  }

  onControl(link: Link, control: Control): void {
    switch (control.kind) {
      case 'ping':
        if (!link.held) this.judge(link, 'ping', control.position, 0);
        return;
      case 'answer':
        if (!link.held) return;
        this.judge(link, 'answer', control.position, control.question);
        this.hear(link);
        return;
      case 'refusal':
        this.refused(link, control.refusal);
        return;
      case 'gossip':
        this.onGossip(link, control.payload);
        return;
    }
  }

  private onGossip(link: Link, payload: unknown): void {
    const { name } = link.hello!;
    if (this.gossiping.get(name) !== link) return;
    try {
      this.swim.receive(this.host.now(), name, payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (!(error instanceof UnknownKindError)) link.end(REFUSED, error.message);
      return;
    }
    this.pump();
  }

  // --- formation ---

  private hear(link: Link): void {
    if (link.closed) return;
    if (!link.held)
      this.form(stepFormation(this.formation, { kind: 'hello', hello: rosterHello(link.hello!) }));
    this.refresh();
  }

  private form(step: { state: FormationState; outputs: readonly FormationOutput[] }): void {
    this.formation = step.state;
    this.changes++;
    for (const output of step.outputs) {
      if (output.kind === 'store') this.host.store(output.stored);
      else if (output.kind === 'announce') this.host.announce();
      else this.enter(output);
    }
  }

  private enter(counts: Counts): void {
    this.counted = counts;
    const { roster } = counts;
    if (this.standings === undefined) this.standings = new Standings(roster, this.saved);
    else this.standings.enter(roster);
    const names = namesOf(roster);
    this.swim.enter(
      this.host.now(),
      names.map((name) => [name, this.addressesOf(name)[0] ?? ''] as const),
    );
    this.guests = names.length;
    this.host.counts(counts);
    this.host.dial(this.others(names));
    for (const link of [...this.host.links()]) {
      link.place = NO_PLACE;
      this.judge(link, 'hello', link.hello!.position, 0);
    }
    this.refresh();
  }

  /** A voter says that this peer has forgotten votes: whether or not it knows better, this peer does not. */
  private refused(link: Link, refusal: Refusal): void {
    const { counted, config } = this;
    if (counted === undefined || !counted.votes || this.refusal !== undefined) return;
    if (link.place === NO_PLACE || link.place >= counted.roster.voters.length) return;
    if (refusal.name !== config.name || refusal.epoch !== counted.roster.epoch) return;
    this.refusal = refusal;
    this.changes++;
    this.counted = { ...counted, votes: false };
    this.host.counts(this.counted);
    this.refresh();
  }

  // --- standing ---

  private judge(link: Link, kind: Sighting['kind'], position: number, question: number): void {
    const { name, identity, boot } = link.hello!;
    const verdict = this.standings?.see({ kind, name, identity, boot, position, question }) ?? {
      kind: 'unknown',
    };
    switch (verdict.kind) {
      case 'unknown':
        if (kind === 'hello') this.newestOnly(link);
        return;
      case 'ok':
        link.held = false;
        return;
      case 'newer':
        link.held = false;
        for (const other of this.sameIdentity(link)) {
          if (other.hello!.boot !== boot) other.end(ENDED, 'a newer start of this peer speaks');
        }
        return;
      case 'ask':
        link.held = true;
        link.sendControl({ kind: 'question', question: verdict.question });
        return;
      case 'late':
        link.end(ENDED, 'a newer start of this peer has spoken');
        return;
      case 'refuse':
        this.refuse(link, verdict.refusal);
        for (const other of this.sameIdentity(link)) this.refuse(other, verdict.refusal);
        return;
    }
  }

  private refuse(link: Link, refusal: Refusal): void {
    link.held = false;
    if (link.refused) return;
    link.refused = true;
    this.config.log.warn({ peer: refusal.name }, refusal.text);
    link.sendControl({ kind: 'refusal', refusal });
    this.refresh();
  }

  /** Of a peer that nobody judges, the newest start counts. */
  private newestOnly(link: Link): void {
    for (const other of this.sameIdentity(link)) {
      if (other.hello!.boot > link.hello!.boot) link.end(ENDED, 'a newer start of this peer has spoken');
      else if (other.hello!.boot < link.hello!.boot) other.end(ENDED, 'a newer start of this peer speaks');
    }
  }

  /** Other links to the same data directory. */
  private sameIdentity(link: Link): Link[] {
    const { name, identity } = link.hello!;
    const found: Link[] = [];
    for (const other of this.host.links()) {
      if (other !== link && other.hello!.name === name && other.hello!.identity === identity)
        found.push(other);
    }
    return found;
  }

  // --- places and liveness ---

  /** Gives each link its place anew. The newest link to a place has it. */
  private refresh(): void {
    const now = this.host.now();
    const byPlace = new Map<number, Link>();
    const gossiping = new Map<string, Link>();
    for (const link of this.host.links()) {
      const quiet = link.held || link.hello!.name === this.config.name || this.isForeign(link.hello!);
      link.place = quiet ? NO_PLACE : this.placeOf(link);
      if (link.place !== NO_PLACE) byPlace.set(link.place, link);
      if (!quiet && !link.refused) gossiping.set(link.hello!.name, link);
    }
    const before = this.gossiping;
    this.byPlace = byPlace;
    this.gossiping = gossiping;
    for (const [name, link] of gossiping) {
      if (before.get(name) === link) continue;
      this.swim.linkUp(now, name, link.hello!.address, link.hello!.incarnation);
    }
    for (const name of before.keys()) if (!gossiping.has(name)) this.swim.linkDown(now, name);
    this.pump();
  }

  private isForeign(hello: Hello): boolean {
    return this.counted !== undefined && hello.roster !== null && hello.mesh !== this.counted.mesh;
  }

  private placeOf(link: Link): number {
    const { counted } = this;
    if (counted === undefined) return NO_PLACE;
    const { voters } = counted.roster;
    const { name, identity, roster } = link.hello!;
    const voter = indexOf(counted.roster, name);
    if (voter >= 0 && voters[voter]!.identity === identity && roster !== null && !link.refused) return voter;
    return link.place >= voters.length ? link.place : ++this.guests;
  }

  /** Sends what the gossip has to say, and passes on what it found out. */
  private pump(): void {
    for (const { to, payload } of this.swim.takeMessages()) {
      this.gossiping.get(to)?.sendControl({ kind: 'gossip', payload });
    }
    this.swim.takeChanges();
    const voters = this.counted?.roster.voters ?? [];
    for (let i = 0; i < voters.length; i++) {
      this.host.liveness(i, this.byPlace.has(i) && this.swim.isAlive(voters[i]!.name));
    }
  }
}

function rosterHello({ name, identity, observer, configured, mesh, roster }: Hello): RosterHello {
  return { name, identity, observer, configured, mesh, roster };
}
