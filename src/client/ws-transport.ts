/**
 * One WebSocket per peer, each request straight to its scope's home.
 * Always true: at most one connection per peer; a peer that can be reached now is preferred to one that has to be
 * dialed, so that only the very first requests wait for a dial; a peer that answers under another name than the one
 * that it was told of by is not asked. Which peer is asked decides speed only, never who holds.
 */
import type { PeerEntry, Welcome } from '../protocol/messages.ts';
import type { Clock } from './clock.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import { Homes, isReachable } from './homes.ts';
import type { Server } from './options.ts';
import { pauseMs } from './pause.ts';
import type { Asker, Draft, Peer, Transport } from './way.ts';

/** While nothing is open, a dial that takes longer than this is joined by one to another server. */
const HEDGE_MS = 300;
/** An address that never answers is dialed again this often at least, while others serve. */
const REST_MOST_MS = 10_000;
/** A connection that lasted for this long was a good one. */
const GOOD_MS = 5_000;

class Endpoint implements Peer, ConnectionHost {
  readonly server: Server;
  readonly label: string;
  readonly clock: Clock;
  /** What it called itself last. */
  name: string | undefined;
  /** The name under which another peer told of this address; undefined for a configured server. */
  readonly told: string | undefined;
  /** Whether somebody else answers there. */
  stranger = false;
  private readonly owner: WsTransport;
  private connection: Connection | undefined;
  private draining = false;
  private failures = 0;
  /** When it welcomed this client; NaN: not yet. */
  private openedAt = Number.NaN;
  restUntil = Number.NEGATIVE_INFINITY;

  constructor(server: Server, told: string | undefined, owner: WsTransport) {
    this.server = server;
    this.told = told;
    this.label = server.host;
    this.owner = owner;
    this.clock = owner.clock;
  }

  get open(): boolean {
    return this.connection?.open === true && !this.draining;
  }

  get dialing(): boolean {
    return this.connection !== undefined && !this.connection.open;
  }

  /** Whether a dial is under way, or one may begin. */
  get dialable(): boolean {
    if (this.owner.over) return false;
    return this.connection === undefined ? this.clock.now() >= this.restUntil : this.dialing;
  }

  dial(): Connection {
    if (this.connection === undefined) {
      const { host, secure } = this.server;
      this.connection = new Connection(`${secure ? 'wss' : 'ws'}://${host}/client`, this);
      this.owner.dialed();
    }
    return this.connection;
  }

  send(message: Draft, asker: Asker): number {
    if (!this.owner.over) return this.dial().send(message, asker);
    queueMicrotask(() => asker.broken(false, 'this client was closed'));
    return 0;
  }

  gone(ticket: number): boolean {
    return this.connection?.gone(ticket) ?? true;
  }

  handBack(): void {
    if (this.dialing) this.connection!.handBack();
  }

  close(): void {
    this.connection?.close();
  }

  // --- what the connection tells ---

  welcomed(connection: Connection, welcome: Welcome): void {
    const why = this.whyStrange(welcome);
    if (why !== undefined) {
      this.stranger = true;
      this.owner.forget(this);
      connection.end(why);
      return;
    }
    if (Number.isNaN(this.openedAt)) this.openedAt = this.clock.now();
    this.name = welcome.name;
    this.owner.welcomed(this, welcome);
  }

  private whyStrange({ name, mesh }: Welcome): string | undefined {
    if (this.told !== undefined && name !== this.told)
      return `it says that its name is ${name}, not ${this.told}`;
    return this.owner.isOfMesh(mesh) ? undefined : 'it is a peer of another mesh';
  }

  drained(): void {
    this.draining = true;
  }

  closed(): void {
    const now = this.clock.now();
    this.failures = now - this.openedAt > GOOD_MS ? 1 : this.failures + 1;
    this.restUntil = now + pauseMs(this.failures, this.owner.random, REST_MOST_MS);
    if (this.name !== undefined) this.owner.lost(this.name);
    this.connection = undefined;
    this.draining = false;
    this.openedAt = Number.NaN;
  }
}

export class WsTransport implements Transport {
  readonly clock: Clock;
  readonly random: () => number;
  private readonly configured: readonly Endpoint[];
  /** The id of the mesh; empty until a peer has told it. */
  private mesh = '';
  /** Addresses that peers told of. */
  private readonly discovered = new Map<string, Endpoint>();
  private readonly homes = new Homes();
  /** The voters' endpoints, in the order of `homes`. */
  private voters: (Endpoint | undefined)[] = [];
  over = false;

  constructor(servers: readonly Server[], clock: Clock, random: () => number) {
    this.clock = clock;
    this.random = random;
    this.configured = servers.map((server) => new Endpoint(server, undefined, this));
  }

  pick(scope: string | null, tried: readonly Peer[]): Peer {
    const line = scope === null ? this.homes.all : this.homes.lineOf(scope);
    for (const i of line) {
      const voter = this.voters[i];
      if (voter === undefined || !this.homes.alive[i] || tried.includes(voter)) continue;
      if (voter.open) return voter;
      if (voter.dialable) voter.dial();
    }
    const all = this.endpoints(line);
    return (
      all.find((end) => end.open && !tried.includes(end)) ??
      all.find((end) => end.dialable && !tried.includes(end)) ??
      all.find((end) => end.open) ??
      all.reduce((a, b) => (b.restUntil < a.restUntil ? b : a))
    );
  }

  servers(): readonly Server[] {
    const all = this.endpoints(this.homes.all);
    return [...all].sort((a, b) => Number(b.open) - Number(a.open)).map(({ server }) => server);
  }

  close(): void {
    this.over = true;
    for (const end of [...this.configured, ...this.discovered.values()]) end.close();
  }

  /** Those of the line first, then what was configured. */
  private endpoints(line: readonly number[]): Endpoint[] {
    const ends = new Set<Endpoint>();
    for (const i of line) {
      const voter = this.voters[i];
      if (voter !== undefined) ends.add(voter);
    }
    for (const end of this.configured) ends.add(end);
    for (const end of this.discovered.values()) if (!end.stranger) ends.add(end);
    return [...ends];
  }

  // --- what endpoints tell ---

  dialed(): void {
    if (this.anyOpen()) return;
    this.clock.after(
      HEDGE_MS,
      () => {
        if (this.over || this.anyOpen()) return;
        this.endpoints(this.homes.all)
          .find((end) => end.dialable && !end.dialing)
          ?.dial();
      },
      true,
    );
  }

  /** Whichever mesh was met first is the one that is meant: a lock of one excludes nobody in another. */
  isOfMesh(mesh: string): boolean {
    if (this.mesh === '') this.mesh = mesh;
    return mesh === '' || mesh === this.mesh;
  }

  welcomed(from: Endpoint, welcome: Welcome): void {
    this.homes.learn(welcome.name, welcome.peers);
    const own = welcome.peers.find(({ name }) => name === welcome.name);
    this.voters = this.homes.names.map((name, i) =>
      this.endpointOf(name, this.homes.addresses[i]!, own, from),
    );
    for (const end of this.endpoints(this.homes.all)) end.handBack();
  }

  /** @param own what the teller says of itself. */
  private endpointOf(
    name: string,
    address: string,
    own: PeerEntry | undefined,
    { server }: Endpoint,
  ): Endpoint | undefined {
    const known =
      this.configured.find((end) => end.name === name) ??
      this.configured.find((end) => end.server.host === address && end.name === undefined);
    if (known !== undefined) return known;
    const found = this.discovered.get(address);
    if (found?.told === name) return found.stranger ? undefined : found;
    if (!isReachable(address, own?.address ?? '', server.host)) return undefined;
    found?.close();
    const end = new Endpoint({ host: address, secure: server.secure }, name, this);
    this.discovered.set(address, end);
    return end;
  }

  /** There is no connection to that peer any more. */
  lost(name: string): void {
    this.homes.forget(name);
  }

  /** Somebody else answers at that address. */
  forget(end: Endpoint): void {
    this.voters = this.voters.map((voter) => (voter === end ? undefined : voter));
  }

  private anyOpen(): boolean {
    return this.configured.some((end) => end.open) || this.voters.some((end) => end?.open === true);
  }
}
