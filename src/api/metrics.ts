/**
 * The figures of one peer's doors, in the text format of Prometheus.
 * Always true: counting a request costs one addition; everything else is looked up when somebody asks for it. No
 * label is ever a scope or a holder: there is no end of those.
 */
import { Counter, Gauge, Registry } from 'prom-client';
import type { RunningPeer } from '../mesh/types.ts';
import { majority } from '../vote/quorum.ts';

/** What the peer keeps in memory. */
export type Figures = Readonly<Record<'scopes' | 'requests', number>>;

/** What went over sockets. */
export type Traffic = Readonly<
  Record<'framesIn' | 'framesOut' | 'messagesIn' | 'messagesOut' | 'bytesIn' | 'bytesOut', number>
>;

/** What the peer has done since it started. */
export type Counters = Traffic & Readonly<Record<'flushes' | 'registersFlushed' | 'dropped', number>>;

export class Metrics {
  readonly registry = new Registry();
  private readonly counts = new Map<string, Map<string, number>>();

  constructor(
    peer: RunningPeer,
    version: string,
    { figures, counters }: { readonly figures?: () => Figures; readonly counters?: () => Counters },
  ) {
    const { registry, counts } = this;
    const registers = [registry];
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name: `quorate_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });

    new Counter({
      name: 'quorate_requests_total',
      help: 'Requests answered, by what was asked and the code of the answer.',
      labelNames: ['action', 'code'],
      registers,
      collect() {
        this.reset();
        for (const [action, codes] of counts) {
          for (const [code, count] of codes) this.inc({ action, code }, count);
        }
      },
    });
    new Gauge({
      name: 'quorate_build_info',
      help: 'Always 1; the labels tell what runs.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version, node: process.versions.node }, 1);
    new Gauge({
      name: 'quorate_peers',
      help: 'Members of the mesh by role and state, as this peer sees them.',
      labelNames: ['role', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { role, state } of peer.members()) this.inc({ role, state }, 1);
      },
    });
    gauge('voters', 'Voters of the roster in force.', () => peer.voters.length);
    gauge('quorum_size', 'Votes that a decision needs.', () => majority(peer.voters.length));
    gauge('quorum', 'Whether a majority of the voters looks alive from here.', () => Number(peer.hasQuorum));
    gauge('epoch', 'Number of the roster in force.', () => peer.epoch);
    if (figures !== undefined) {
      gauge('scopes_in_memory', 'Scopes that this voter keeps in memory.', () => figures().scopes);
      gauge('requests_open', 'Requests that wait for their vote.', () => figures().requests);
    }
    if (counters !== undefined) this.addCounters(counters);
    gauge('process_resident_memory_bytes', 'Memory of this process.', () => process.memoryUsage.rss());
    gauge('process_start_time_seconds', 'When this process started, since 1970.', () => {
      return Math.round(Date.now() / 1_000 - process.uptime());
    });
    new Counter({
      name: 'quorate_process_cpu_seconds_total',
      help: 'Processor time of this process.',
      registers,
      collect() {
        const { user, system } = process.cpuUsage();
        this.reset();
        this.inc((user + system) / 1e6);
      },
    });
  }

  private addCounters(counters: () => Counters): void {
    const registers = [this.registry];
    const counter = (name: string, help: string, read: () => number) =>
      new Counter({
        name: `quorate_${name}_total`,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    counter('flushes', 'Groups of votes that were flushed to the disk.', () => counters().flushes);
    counter('registers_flushed', 'Registers in those groups.', () => counters().registersFlushed);
    counter('messages_dropped', 'Messages for peers without a link.', () => counters().dropped);
    this.addTraffic('link', 'on the links to other peers', counters);
  }

  /** Clients' WebSockets. */
  addClients(clients: {
    readonly connections: number;
    readonly requests: number;
    readonly figures: Traffic;
  }): void {
    const registers = [this.registry];
    new Gauge({
      name: 'quorate_client_connections',
      help: "Clients' WebSockets that are open.",
      registers,
      collect() {
        this.set(clients.connections);
      },
    });
    new Gauge({
      name: 'quorate_client_requests_open',
      help: 'Requests that came over them and have no answer yet.',
      registers,
      collect() {
        this.set(clients.requests);
      },
    });
    this.addTraffic('client', "on clients' WebSockets", () => clients.figures);
  }

  private addTraffic(name: string, where: string, figures: () => Traffic): void {
    for (const what of ['frames', 'messages', 'bytes'] as const) {
      new Counter({
        name: `quorate_${name}_${what}_total`,
        help: `${what} ${where}.`,
        labelNames: ['direction'],
        registers: [this.registry],
        collect() {
          const now = figures();
          this.reset();
          this.inc({ direction: 'in' }, now[`${what}In`]);
          this.inc({ direction: 'out' }, now[`${what}Out`]);
        },
      });
    }
  }

  /** @param code `ok`, or the code of the problem that was answered. */
  count(action: string, code: string): void {
    let codes = this.counts.get(action);
    if (codes === undefined) {
      codes = new Map();
      this.counts.set(action, codes);
    }
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
}
