/**
 * The WebSocket door for clients, at /client: src/protocol/PROTOCOL.md says what goes through it.
 * Always true: every connection passes the guard first; what is said to one client in one turn of the event loop
 * leaves as one frame; after `stop` no socket and no timer is left.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { CLIENT_FRAME_BYTES_MAX, PING_MS } from '../protocol/limits.ts';
import type { Welcome } from '../protocol/messages.ts';
import { type ClientFigures, Connection, type ConnectionHost } from './client-connection.ts';
import { isSameWelcome, welcomeOf } from './client-welcome.ts';
import type { Door } from './door.ts';
import { endWith, toProblem } from './failures.ts';
import type { Identity } from './guard.ts';
import { overloaded } from './refusals.ts';

/** How many clients one peer takes. */
const CONNECTIONS_MAX = 10_000;
/** How often the mesh is looked at for what clients are to be told. */
const LOOK_MS = 1_000;
const LOOKS_PER_PING = PING_MS / LOOK_MS;
/** How long a connection that was ended waits for the client to end it too. */
const CLOSE_MS = 1_000;

const SERVER_OPTIONS: ServerOptions & { closeTimeout: number } = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: CLIENT_FRAME_BYTES_MAX,
  closeTimeout: CLOSE_MS,
  clientTracking: false,
};

export class ClientDoor {
  readonly figures: ClientFigures = {
    framesIn: 0,
    framesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  private readonly door: Door;
  private readonly bug: (error: unknown) => void;
  private readonly server = new WebSocketServer(SERVER_OPTIONS);
  private readonly open = new Set<Connection>();
  private readonly host: ConnectionHost;
  private readonly timer: NodeJS.Timeout;
  private writing: Connection[] = [];
  private told: Welcome;
  private looks = 0;
  private draining = false;
  private waitsEnded = false;
  private drained: () => void = () => undefined;

  /** @param count counts an answer. @param bug is told of errors that nobody planned for. */
  constructor(door: Door, count: (action: string, code: string) => void, bug: (error: unknown) => void) {
    this.door = door;
    this.bug = bug;
    this.told = welcomeOf(door.peer);
    const clients = this;
    this.host = {
      door,
      figures: this.figures,
      count,
      bug,
      get draining() {
        return clients.draining;
      },
      get waitsEnded() {
        return clients.waitsEnded;
      },
      welcome: () => {
        this.look();
        return this.told;
      },
      wrote: (connection) => {
        if (this.writing.push(connection) === 1) queueMicrotask(this.flush);
      },
      closed: (connection) => {
        this.open.delete(connection);
        if (this.open.size === 0) this.drained();
      },
    };
    // Deadlines are looked at after the sockets were read: what arrived in time counts.
    this.timer = setInterval(() => setImmediate(() => this.tick()), LOOK_MS);
    this.timer.unref();
  }

  get connections(): number {
    return this.open.size;
  }

  /** Requests that have no answer yet. */
  get requests(): number {
    let sum = 0;
    for (const connection of this.open) sum += connection.size;
    return sum;
  }

  /** Whether any request may stay open for long. */
  get waits(): boolean {
    for (const connection of this.open) if (connection.waits) return true;
    return false;
  }

  /** Takes an upgrade of the HTTP server. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let identity: Identity;
    try {
      identity = this.door.guard.admit(request.headers);
      if (this.draining) throw overloaded('this peer is stopping, and takes no client any more', {});
      if (this.open.size >= CONNECTIONS_MAX) throw overloaded(`${CONNECTIONS_MAX} clients are connected`, {});
    } catch (error) {
      endWith(socket, toProblem(error, this.bug));
      return;
    }
    this.server.handleUpgrade(request, socket, head, (ws) => this.adopt(ws, identity));
  }

  private adopt(socket: WebSocket, identity: Identity): void {
    this.open.add(new Connection(socket, identity, this.host, performance.now()));
  }

  /** At the end of a turn: after all callbacks of it, before the next. */
  private readonly flush = (): void => {
    const { writing } = this;
    this.writing = [];
    for (const connection of writing) connection.flush();
  };

  private tick(): void {
    this.look();
    const now = performance.now();
    const ping = ++this.looks % LOOKS_PER_PING === 0;
    for (const connection of [...this.open]) connection.tick(now, ping);
  }

  /** Tells all clients if the mesh has changed. */
  private look(): void {
    const welcome = welcomeOf(this.door.peer);
    if (isSameWelcome(welcome, this.told)) return;
    this.told = welcome;
    for (const connection of this.open) connection.say(welcome);
  }

  /**
   * Sends all clients elsewhere: each connection ends with its last answer.
   * @returns resolves once none is left.
   */
  drain(): Promise<void> {
    this.draining = true;
    const done = new Promise<void>((resolve) => {
      this.drained = resolve;
    });
    if (this.open.size === 0) this.drained();
    for (const connection of [...this.open]) connection.drain();
    return done;
  }

  /** Nobody waits here in a queue any more: its client is told to ask elsewhere, and its place is kept. */
  endWaits(): void {
    this.waitsEnded = true;
    for (const connection of [...this.open]) connection.endWaits();
  }

  /** Ends all connections at once. */
  stop(): void {
    this.draining = true;
    clearInterval(this.timer);
    for (const connection of [...this.open]) connection.drop();
    this.server.close();
  }
}
