/**
 * Plain HTTP to the configured servers, one of them until it fails.
 * Always true: a server that failed rests for a while if there are others; a request whose answer does not come in
 * time, where a live peer would have answered, counts as broken.
 */
import type { Clock } from './clock.ts';
import { EventParser } from './event-parser.ts';
import type { HttpClient, Sending } from './http.ts';
import { parsed } from './http.ts';
import { answerOf, POLL_MS, requestOf } from './http-messages.ts';
import type { Server } from './options.ts';
import { pauseMs } from './pause.ts';
import type { Asker, Draft, Peer, Transport } from './way.ts';

const HUNG_MIN_MS = 3_000;
const HUNG_SHARE = 0.6;

interface UnderWay {
  readonly asker: Asker;
  readonly sending: Sending;
  stopTimer: (() => void) | undefined;
}

class HttpPeer implements Peer {
  readonly label: string;
  readonly server: Server;
  restUntil = Number.NEGATIVE_INFINITY;
  private readonly owner: HttpTransport;
  private readonly underWay = new Map<number, UnderWay>();
  private failures = 0;
  private tickets = 0;

  constructor(server: Server, owner: HttpTransport) {
    this.server = server;
    this.label = server.host;
    this.owner = owner;
  }

  send(message: Draft, asker: Asker): number {
    const ticket = ++this.tickets;
    const waitMs = 'waitMs' in message ? message.waitMs : 0;
    const parser = message.kind === 'watch' ? new EventParser() : undefined;
    const sending = this.owner.http.send(this.server, requestOf(message), waitMs > 0, {
      answered: (status, text) => {
        const answer = answerOf(message, status, parsed(text));
        if (answer === undefined) {
          this.broken(ticket, true, `it answered ${status}, and no peer answers so`);
          return;
        }
        this.failures = 0;
        this.finish(ticket)?.asker.answered(answer);
      },
      broken: (sent, why) => this.broken(ticket, sent, why),
      ...(parser === undefined
        ? {}
        : {
            part: (text) => {
              for (const body of parser.push(text)) {
                this.underWay.get(ticket)?.asker.answered({ kind: 'event', id: 0, body });
              }
            },
          }),
    });
    const one: UnderWay = { asker, sending, stopTimer: undefined };
    this.underWay.set(ticket, one);
    if (parser === undefined) {
      const patience = this.owner.hungMs + Math.min(waitMs, POLL_MS);
      one.stopTimer = this.owner.clock.after(
        patience,
        () => this.broken(ticket, one.sending.abort(), `no answer within ${patience} ms`),
        true,
      );
    }
    return ticket;
  }

  gone(ticket: number): boolean {
    return this.finish(ticket)?.sending.abort() ?? true;
  }

  close(): void {
    for (const ticket of [...this.underWay.keys()]) {
      const one = this.finish(ticket)!;
      one.asker.broken(one.sending.abort(), 'this client was closed');
    }
  }

  private broken(ticket: number, sent: boolean, why: string): void {
    const one = this.finish(ticket);
    if (one === undefined) return;
    this.failures++;
    this.restUntil = this.owner.clock.now() + pauseMs(this.failures, this.owner.random);
    this.owner.failed(this);
    one.asker.broken(sent, why);
  }

  private finish(ticket: number): UnderWay | undefined {
    const one = this.underWay.get(ticket);
    this.underWay.delete(ticket);
    one?.stopTimer?.();
    return one;
  }
}

export class HttpTransport implements Transport {
  readonly clock: Clock;
  readonly random: () => number;
  readonly http: HttpClient;
  /** Without an answer for this long a peer counts as hung; what a request may wait comes on top. */
  readonly hungMs: number;
  private readonly peers: readonly HttpPeer[];
  private current: number;

  constructor(
    servers: readonly Server[],
    clock: Clock,
    random: () => number,
    http: HttpClient,
    requestMs: number,
  ) {
    this.clock = clock;
    this.random = random;
    this.http = http;
    this.hungMs = Math.max(HUNG_MIN_MS, requestMs * HUNG_SHARE);
    this.peers = servers.map((server) => new HttpPeer(server, this));
    this.current = Math.floor(random() * this.peers.length) % this.peers.length;
  }

  pick(_scope: string | null, tried: readonly Peer[]): Peer {
    const line = this.line();
    const now = this.clock.now();
    return (
      line.find((peer) => !tried.includes(peer) && peer.restUntil <= now) ??
      line.find((peer) => !tried.includes(peer)) ??
      line.find((peer) => peer.restUntil <= now) ??
      line[0]!
    );
  }

  servers(): readonly Server[] {
    return this.line().map(({ server }) => server);
  }

  close(): void {
    for (const peer of this.peers) peer.close();
  }

  /** The next one serves from now on. */
  failed(peer: HttpPeer): void {
    if (this.peers[this.current] === peer) this.current = (this.current + 1) % this.peers.length;
  }

  private line(): HttpPeer[] {
    return [...this.peers.slice(this.current), ...this.peers.slice(0, this.current)];
  }
}
