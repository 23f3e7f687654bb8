/**
 * Who is pinged, when, and through whom: one member per period, each in turn; if it does not answer, through some
 * others; and at once when its link closes.
 * Always true: a member is pinged by at most one probe at a time, and each probe ends with an ack or a failure.
 */
import type { Gossip } from './gossip.ts';
import { isExpected, isGood, type Member } from './member.ts';
import type { Members } from './members.ts';
import { HELPERS, INDIRECT_MS, PING_TRY_MS } from './swim-limits.ts';

interface Probe {
  readonly seq: number;
  readonly target: string;
  readonly sentAt: number;
  /** Whether others were asked to ping it. */
  indirect: boolean;
  /** When the direct, then the indirect ping counts as failed. */
  until: number;
  /** Who was asked and has not answered. */
  readonly helpers: Set<string>;
}

/** A ping on behalf of another. */
interface Relay {
  readonly to: string;
  readonly seq: number;
  readonly target: string;
  readonly until: number;
}

export interface PingsPort {
  send(to: string, gossip: Gossip): void;
  /** Nobody could reach the member. */
  failed(now: number, name: string): void;
}

export class Pings {
  private readonly table: Members;
  private readonly random: () => number;
  private readonly port: PingsPort;
  private readonly probes = new Map<number, Probe>();
  private readonly relays = new Map<number, Relay>();
  private turns: string[] = [];
  private seq = 0;

  constructor(table: Members, random: () => number, port: PingsPort) {
    this.table = table;
    this.random = random;
    this.port = port;
  }

  /** When something is due next, or Infinity. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const probe of this.probes.values()) next = Math.min(next, probe.until);
    return next;
  }

  /** Each in turn, in an order that is drawn anew each time round: nobody waits longer than two rounds. */
  nextTurn(): Member | undefined {
    for (const last of [false, true]) {
      for (let name = this.turns.pop(); name !== undefined; name = this.turns.pop()) {
        const member = this.table.get(name);
        if (member !== undefined && isExpected(member)) return member;
      }
      if (last) break;
      const turns = [...this.table.all].filter(isExpected).map(({ name }) => name);
      this.turns = this.drawn(turns, turns.length);
    }
    return undefined;
  }

  start(now: number, { name, linked }: Member): void {
    for (const probe of this.probes.values()) if (probe.target === name) return;
    const seq = ++this.seq;
    const until = now + PING_TRY_MS;
    const probe: Probe = { seq, target: name, sentAt: now, indirect: false, until, helpers: new Set() };
    this.probes.set(seq, probe);
    if (linked) this.port.send(name, { kind: 'ping', seq, rumours: [] });
    else this.askHelpers(now, probe);
  }

  /** It has just been heard: what was asked before proves nothing any more. */
  stop(name: string): void {
    for (const probe of this.probes.values()) if (probe.target === name) this.probes.delete(probe.seq);
  }

  /** Its link has closed: nothing comes from it any more, neither of itself nor on behalf of others. */
  lost(now: number, member: Member): void {
    const { name } = member;
    for (const [seq, relay] of this.relays) {
      if (relay.target !== name) continue;
      this.relays.delete(seq);
      this.port.send(relay.to, { kind: 'nack', seq: relay.seq, rumours: [] });
    }
    for (const probe of this.probes.values()) {
      if (probe.helpers.delete(name)) this.failIfAlone(now, probe);
      else if (probe.target === name && !probe.indirect) this.askHelpers(now, probe);
    }
    if (member.state === 'alive') this.start(now, member);
  }

  private askHelpers(now: number, probe: Probe): void {
    const { seq, target } = probe;
    probe.indirect = true;
    probe.until = now + INDIRECT_MS;
    const able = [...this.table.all].filter((member) => isGood(member) && member.name !== target);
    for (const { name } of this.drawn(able, HELPERS)) {
      probe.helpers.add(name);
      this.port.send(name, { kind: 'request', seq, target, rumours: [] });
    }
    this.failIfAlone(now, probe);
  }

  /** Without a link to it, and without a helper that has one, there is nothing to wait for. */
  private failIfAlone(now: number, probe: Probe): void {
    const linked = this.table.get(probe.target)?.linked === true;
    if (probe.indirect && probe.helpers.size === 0 && !linked) this.fail(now, probe);
  }

  private fail(now: number, { seq, target }: Probe): void {
    this.probes.delete(seq);
    this.port.failed(now, target);
  }

  // --- what others answer and ask ---

  onAck(now: number, from: string, seq: number): void {
    const probe = this.probes.get(seq);
    const relay = this.relays.get(seq);
    if (probe !== undefined) {
      if (from !== probe.target && !probe.helpers.has(from)) return;
      this.probes.delete(seq);
      const member = this.table.get(probe.target);
      if (member === undefined) return;
      member.doubted = false;
      if (from === probe.target) member.rttMs = now - probe.sentAt;
    } else if (relay?.target === from) {
      this.relays.delete(seq);
      this.port.send(relay.to, { kind: 'ack', seq: relay.seq, rumours: [] });
    }
  }

  onNack(now: number, from: string, seq: number): void {
    const probe = this.probes.get(seq);
    if (probe?.helpers.delete(from) === true) this.failIfAlone(now, probe);
  }

  /** @param theirs the asker's number for it. */
  onRequest(now: number, from: string, theirs: number, target: string): void {
    if (this.table.get(target)?.linked !== true) {
      this.port.send(from, { kind: 'nack', seq: theirs, rumours: [] });
      return;
    }
    const seq = ++this.seq;
    this.relays.set(seq, { to: from, seq: theirs, target, until: now + INDIRECT_MS });
    this.port.send(target, { kind: 'ping', seq, rumours: [] });
  }

  // --- time ---

  wake(now: number): void {
    for (const probe of this.probes.values()) {
      if (probe.until > now) continue;
      if (probe.indirect) this.fail(now, probe);
      else this.askHelpers(now, probe);
    }
  }

  forgetRelays(now: number): void {
    for (const [seq, relay] of this.relays) if (relay.until <= now) this.relays.delete(seq);
  }

  /** This peer stood still: what it did not hear meanwhile is no fault of others. */
  putOff(ms: number): void {
    for (const probe of this.probes.values()) probe.until += ms;
  }

  /** Some of them, without replacement (Fisher and Yates). */
  private drawn<T>(from: readonly T[], most: number): T[] {
    const left = [...from];
    const drawn: T[] = [];
    while (left.length > 0 && drawn.length < most) {
      const at = Math.floor(this.random() * left.length);
      drawn.push(left[at]!);
      left[at] = left.at(-1)!;
      left.pop();
    }
    return drawn;
  }
}
