/**
 * A tiny network in virtual time: members with links between them, messages that take a while or get lost.
 * The same seed gives the same run.
 */
import type { LivenessChange } from '../../../src/mesh/members.ts';
import { Swim } from '../../../src/mesh/swim.ts';
import { Heap, type Timed } from '../../../src/peer/heap.ts';

interface Event extends Timed {
  readonly run: () => void;
}

export interface Node {
  readonly name: string;
  swim: Swim;
  lives: boolean;
  /** Stands still: sends, hears and does nothing, while its links stay up. */
  stopped: boolean;
  waking: Event | undefined;
  readonly held: (() => void)[];
  readonly changes: LivenessChange[];
}

/** Mulberry32: small, and good enough for tests. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Net {
  now = 0;
  loss = 0;
  latencyMs = 5;
  /** Frames and the rumours in them, since the last reset. */
  sent = 0;
  told = 0;
  trace = '';
  readonly nodes = new Map<string, Node>();
  readonly random: () => number;
  private readonly links = new Set<string>();
  private readonly events = new Heap<Event>();
  private readonly voters: readonly (readonly [string, string])[];

  constructor(voters: number, seed: number) {
    this.random = seeded(seed);
    this.voters = Array.from({ length: voters }, (_, i) => [`p${i}`, `host:${i}`] as const);
    for (const [name] of this.voters) this.start(name);
  }

  /** Starts a member, or starts it anew, without links. */
  start(name: string, boot = 1): Node {
    const config = { name, address: `host:${name}`, incarnation: boot * 1_000, random: this.random };
    const swim = new Swim(config, this.voters, this.now);
    const node: Node = { name, swim, lives: true, stopped: false, waking: undefined, held: [], changes: [] };
    this.nodes.set(name, node);
    this.after(node);
    return node;
  }

  node(name: string): Node {
    return this.nodes.get(name)!;
  }

  connectAll(): void {
    const names = [...this.nodes.keys()];
    for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) this.connect(a, b);
  }

  connect(a: string, b: string): void {
    if (this.linked(a, b) || !this.node(a).lives || !this.node(b).lives) return;
    this.links.add([a, b].sort().join());
    for (const [at, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const { incarnation } = this.node(other).swim;
      this.into(at, ({ swim }) => swim.linkUp(this.now, other, `host:${other}`, incarnation));
    }
  }

  /** Both see it closed, each after a while of its own. */
  cut(a: string, b: string): void {
    if (!this.links.delete([a, b].sort().join())) return;
    for (const [at, other] of [
      [a, b],
      [b, a],
    ] as const) {
      this.at(this.now + this.random() * this.latencyMs, () => {
        if (!this.linked(at, other)) this.into(at, ({ swim }) => swim.linkDown(this.now, other));
      });
    }
  }

  linked(a: string, b: string): boolean {
    return this.links.has([a, b].sort().join());
  }

  /** kill -9: its machine closes its links. */
  kill(name: string): void {
    this.node(name).lives = false;
    for (const other of this.nodes.keys()) if (other !== name) this.cut(name, other);
  }

  stop(name: string): void {
    this.node(name).stopped = true;
  }

  resume(name: string): void {
    const node = this.node(name);
    node.stopped = false;
    for (const run of node.held.splice(0)) run();
    node.swim.tick(this.now);
    this.after(node);
  }

  private into(name: string, run: (node: Node) => void): void {
    const node = this.node(name);
    if (!node.lives) return;
    if (node.stopped) {
      node.held.push(() => this.into(name, run));
      return;
    }
    run(node);
    this.after(node);
  }

  private after(node: Node): void {
    for (const { to, payload } of node.swim.takeMessages()) this.carry(node.name, to, payload);
    node.changes.push(...node.swim.takeChanges());
    const { nextWake } = node.swim;
    if (node.waking?.at === nextWake && node.waking.slot >= 0) return;
    if (node.waking !== undefined) this.events.delete(node.waking);
    if (nextWake === Number.POSITIVE_INFINITY) return;
    node.waking = this.at(nextWake, () => {
      if (this.nodes.get(node.name) === node) this.into(node.name, ({ swim }) => swim.tick(this.now));
    });
  }

  private carry(from: string, to: string, payload: readonly unknown[]): void {
    this.sent++;
    this.told += (payload[2] as unknown[]).length;
    this.trace += `${this.now.toFixed(3)} ${from}>${to} ${JSON.stringify(payload)}\n`;
    if (this.trace.length > 1_000_000) this.trace = this.trace.slice(-1_000);
    if (!this.linked(from, to) || this.random() < this.loss) return;
    this.at(this.now + this.latencyMs * (0.5 + this.random()), () => {
      if (!this.linked(from, to)) return;
      // What goes over a real link has been turned into bytes.
      const copy: unknown = JSON.parse(JSON.stringify(payload));
      this.into(to, ({ swim }) => swim.receive(this.now, from, copy));
    });
  }

  private at(at: number, run: () => void): Event {
    const event: Event = { at, slot: -1, run };
    this.events.set(event, Math.max(at, this.now));
    return event;
  }

  run(ms: number, each?: () => void): void {
    const end = this.now + ms;
    for (;;) {
      const event = this.events.pop(end);
      if (event === undefined) break;
      this.now = event.at;
      event.run();
      each?.();
    }
    this.now = end;
  }

  reset(): void {
    this.sent = 0;
    this.told = 0;
  }

  /** How a member sees another: its state, as people are shown it. */
  sees(at: string, of: string): string | undefined {
    return this.node(at)
      .swim.members()
      .find(({ name }) => name === of)?.state;
  }

  /** How each of the living sees this member. */
  seen(of: string): string[] {
    const states: string[] = [];
    for (const { name, lives } of this.nodes.values()) {
      if (lives && name !== of) states.push(this.sees(name, of) ?? 'unknown');
    }
    return [...new Set(states)];
  }
}
