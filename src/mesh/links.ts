/**
 * All links of this peer: those that it dialed and those that were dialed to it, on the one port that HTTP uses too.
 * Always true: of one process (name, identity, boot) at most one link is up; every name that is wanted and has no link
 * is being dialed; after `stop` no socket and no timer is left. Who may vote, or is believed, is not decided here.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import type { Frame } from '../peer/messages.ts';
import type { Control, Hello } from './control.ts';
import { survivor } from './crossing.ts';
import { Dialer, type DialerHost } from './dialer.ts';
import { CLOSE_MS, LINKS_MAX, PAYLOAD_BYTES_MAX, PING_MS } from './limits.ts';
import { CROSSED, ENDED, Link, type LinkCounters, type LinkHost } from './link.ts';
import type { Log } from './log.ts';

export interface LinksHost {
  readonly identity: string;
  readonly random: () => number;
  readonly log: Log;
  readonly mesh: string;
  readonly epoch: number;
  now(): number;
  position(): number;
  stalled(): boolean;
  /** What this peer says of itself to the peer of that name. */
  helloTo(lost: number): Hello;
  addressesOf(name: string): readonly string[];
  /** A link is up. Ending it here is fine. */
  up(link: Link): void;
  /** The peer says hello again, because something changed. */
  again(link: Link): void;
  /** A link that was up is closed. @param last whether no other link to a peer of that name is up. */
  down(link: Link, last: boolean): void;
  onControl(link: Link, control: Control): void;
  onFrame(link: Link, frame: Frame): void;
}

interface Up {
  readonly since: number;
  /** The other side's count of lost links, in its first hello here. */
  readonly lost: number;
}

const SERVER_OPTIONS: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: PAYLOAD_BYTES_MAX,
  closeTimeout: CLOSE_MS,
  clientTracking: false,
};

export class Links {
  readonly counters: LinkCounters = {
    framesIn: 0,
    framesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    dropped: 0,
  };
  private readonly host: LinksHost;
  private readonly server = new WebSocketServer(SERVER_OPTIONS);
  private readonly open = new Set<Link>();
  private readonly ready = new Map<Link, Up>();
  private readonly dialers = new Map<string, Dialer>();
  private readonly linkHost: LinkHost;
  private timer: NodeJS.Timeout | undefined;
  private halves = 0;
  private stopped = false;

  constructor(host: LinksHost) {
    this.host = host;
    this.linkHost = {
      counters: this.counters,
      get mesh() {
        return host.mesh;
      },
      get epoch() {
        return host.epoch;
      },
      now: () => host.now(),
      position: () => host.position(),
      stalled: () => host.stalled(),
      onHello: (link, hello, first) => this.onHello(link, hello, first),
      onControl: (link, control) => host.onControl(link, control),
      onFrame: (link, frame) => host.onFrame(link, frame),
      onClosed: (link, reason, quiet) => this.onClosed(link, reason, quiet),
    };
  }

  start(): void {
    this.timer = setInterval(() => {
      // Deadlines are looked at after the sockets were read: what arrived in time counts.
      setImmediate(() => this.tick());
    }, PING_MS / 2);
  }

  /** Names to have a link to; others are left as they are. */
  dial(names: Iterable<string>): void {
    if (this.stopped) return;
    const wanted = new Set(names);
    for (const [name, dialer] of this.dialers) {
      if (wanted.has(name)) continue;
      dialer.stop();
      this.dialers.delete(name);
    }
    for (const name of wanted) {
      if (this.dialers.has(name)) continue;
      const dialer = new Dialer(name, this.dialerHost);
      this.dialers.set(name, dialer);
      if (!this.has(name)) dialer.start(0);
    }
  }

  private readonly dialerHost: DialerHost = {
    random: () => this.host.random(),
    addressesOf: (name) => this.host.addressesOf(name),
    opened: (name, address, socket) => {
      const link = this.adopt(socket, name, address);
      link.sayHello(this.host.helloTo(this.dialers.get(name)?.lost ?? 0));
    },
    failed: (name, address, reason) => {
      this.host.log.debug({ peer: name, address }, `dialing failed: ${reason}`);
    },
  };

  /** Takes an upgrade of the HTTP server. Browsers are refused: they say an origin, peers do not. */
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const path = (req.url ?? '').split('?', 1)[0];
    if (path !== '/mesh') refuse(socket, 404, 'Not Found');
    else if (req.headers.origin !== undefined) refuse(socket, 403, 'Forbidden');
    else if (this.stopped || this.open.size >= LINKS_MAX) refuse(socket, 503, 'Service Unavailable');
    else {
      this.server.handleUpgrade(req, socket, head, (ws) => {
        this.adopt(ws, undefined, addressOf(req.socket));
      });
    }
  }

  private adopt(socket: WebSocket, dialed: string | undefined, from: string): Link {
    const link = new Link(socket, dialed, from, this.linkHost);
    this.open.add(link);
    if (this.stopped) link.drop('this peer stops');
    return link;
  }

  private onHello(link: Link, hello: Hello, first: boolean): void {
    const { host } = this;
    if (!first) {
      if (this.ready.has(link)) host.again(link);
      return;
    }
    const dialer = this.dialers.get(hello.name);
    if (link.dialed !== undefined && link.dialed !== hello.name) {
      host.log.warn({ peer: link.dialed }, `${link.label} answered where ${link.dialed} was dialed`);
      this.dialers.get(link.dialed)?.start(0);
    }
    const old = this.sameProcess(hello);
    if (old !== undefined) {
      const was = { dialed: old.dialed !== undefined, lost: this.ready.get(old)!.lost };
      const is = { dialed: link.dialed !== undefined, lost: hello.lost };
      if (survivor(was, is, host.identity < hello.identity) === 'old') {
        link.end(CROSSED, 'there is a link already');
        return;
      }
    }
    this.ready.set(link, { since: host.now(), lost: hello.lost });
    dialer?.rest();
    if (!link.hasSaidHello) link.sayHello(host.helloTo(dialer?.lost ?? 0));
    host.log.info({ peer: hello.name, dialed: link.dialed !== undefined }, `link to ${link.label} is up`);
    host.up(link);
    old?.end(CROSSED, 'another link replaces this one');
  }

  /** The link to the same process that is up already. */
  private sameProcess({ name, identity, boot }: Hello): Link | undefined {
    for (const link of this.ready.keys()) {
      const hello = link.hello!;
      if (hello.name === name && hello.identity === identity && hello.boot === boot) return link;
    }
    return undefined;
  }

  private onClosed(link: Link, reason: string, quiet: boolean): void {
    const { host } = this;
    this.open.delete(link);
    const up = this.ready.get(link);
    this.ready.delete(link);
    const name = link.hello?.name ?? link.dialed;
    const last = name === undefined || !this.has(name);
    host.log[quiet || this.stopped ? 'debug' : 'warn'](
      { peer: name },
      `link to ${link.label} closed: ${reason}`,
    );
    const dialer = name === undefined ? undefined : this.dialers.get(name);
    if (last && dialer !== undefined && !this.stopped) {
      dialer.lost++;
      dialer.start(up === undefined ? 0 : host.now() - up.since);
    }
    if (up !== undefined) host.down(link, last);
  }

  /** Whether a link to a peer of that name is up. */
  has(name: string): boolean {
    for (const link of this.ready.keys()) if (link.hello!.name === name) return true;
    return false;
  }

  get count(): number {
    return this.ready.size;
  }

  /** The links that are up, oldest first. */
  up(): Iterable<Link> {
    return this.ready.keys();
  }

  /** Something that hellos tell has changed. */
  announce(): void {
    for (const link of this.ready.keys()) {
      link.sayHello(this.host.helloTo(this.dialers.get(link.hello!.name)?.lost ?? 0));
    }
  }

  /** Drops all links, with what they had buffered; they are dialed anew. */
  dropAll(reason: string): void {
    for (const link of [...this.open]) link.drop(reason);
  }

  private tick(): void {
    if (this.stopped || this.host.stalled()) return;
    this.halves++;
    const now = this.host.now();
    for (const link of [...this.open]) link.tick(now, this.halves % 2 === 0);
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
    for (const dialer of this.dialers.values()) dialer.stop();
    for (const link of [...this.open]) link.end(ENDED, 'this peer stops');
    this.server.close();
  }
}

function refuse(socket: Duplex, status: number, text: string): void {
  socket.end(`HTTP/1.1 ${status} ${text}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function addressOf(socket: { remoteAddress?: string | undefined; remotePort?: number | undefined }): string {
  return `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? '?'}`;
}
