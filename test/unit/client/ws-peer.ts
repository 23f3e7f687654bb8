/**
 * A peer on a real WebSocket, for tests of the client's connections: what it answers is the test's.
 * Always true: `stop` ends its server and all connections.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Packr } from 'msgpackr';
import { type WebSocket, WebSocketServer } from 'ws';
import { CLIENT_FRAME_BYTES_MAX } from '../../../src/protocol/limits.ts';
import {
  type ClientMessage,
  type PeerEntry,
  type PeerMessage,
  PROTOCOL_VERSION,
} from '../../../src/protocol/messages.ts';
import { clientMessageFromWire, peerMessageToWire } from '../../../src/protocol/wire.ts';

const packr = new Packr({ useRecords: false });

export class WsPeer {
  readonly name: string;
  port = 0;
  /** What came in, frame by frame. */
  readonly frames: ClientMessage[][] = [];
  connections = 0;
  /** Whether it answers a hello. */
  greets = true;
  version = PROTOCOL_VERSION;
  mesh = 'a-mesh';
  /** Whom it tells of; itself, if undefined. */
  peers: readonly PeerEntry[] | undefined;
  /** What it says to each message. */
  answer: (message: ClientMessage) => PeerMessage | undefined = () => undefined;
  private readonly server: WebSocketServer;
  private readonly open = new Set<WebSocket>();

  private constructor(name: string, server: WebSocketServer) {
    this.name = name;
    this.server = server;
    server.on('connection', (socket) => this.adopt(socket));
  }

  static async start(name = 'p1', port = 0): Promise<WsPeer> {
    const bounds = { perMessageDeflate: false, maxPayload: CLIENT_FRAME_BYTES_MAX };
    const server = new WebSocketServer({ port, host: '127.0.0.1', path: '/client', ...bounds });
    await once(server, 'listening');
    const peer = new WsPeer(name, server);
    peer.port = (server.address() as AddressInfo).port;
    return peer;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get entry(): PeerEntry {
    return { name: this.name, address: this.address, role: 'voter', state: 'alive' };
  }

  /** All messages of that kind. */
  heard<K extends ClientMessage['kind']>(kind: K): (ClientMessage & { kind: K })[] {
    return this.frames
      .flat()
      .filter((message): message is ClientMessage & { kind: K } => message.kind === kind);
  }

  say(...messages: PeerMessage[]): void {
    this.sayRaw(messages.map(peerMessageToWire));
  }

  sayRaw(frame: unknown): void {
    for (const socket of this.open) socket.send(packr.pack(frame));
  }

  sayText(text: string): void {
    for (const socket of this.open) socket.send(text);
  }

  welcome(): void {
    const { name, version } = this;
    const { mesh } = this;
    this.say({ kind: 'welcome', version, name, epoch: 1, peers: this.peers ?? [this.entry], mesh });
  }

  /** Ends all connections at once, as a kill does. */
  cut(): void {
    for (const socket of this.open) socket.terminate();
  }

  /** It hears nothing and says nothing, pongs included, as when it is stopped. */
  freeze(): void {
    for (const socket of this.open) socket.pause();
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private adopt(socket: WebSocket): void {
    this.connections++;
    this.open.add(socket);
    socket.on('close', () => this.open.delete(socket));
    socket.on('error', () => undefined);
    socket.on('message', (data) => {
      const frame = (packr.unpack(data as Buffer) as unknown[]).map(clientMessageFromWire);
      this.frames.push(frame);
      for (const message of frame) {
        if (message.kind === 'hello') {
          if (this.greets) this.welcome();
          continue;
        }
        const answer = this.answer(message);
        if (answer !== undefined) this.say(answer);
      }
    });
  }
}

/** The status of a free scope. */
export function free(message: ClientMessage): PeerMessage | undefined {
  return message.kind === 'status' ? { kind: 'status', id: message.id, body: { status: 'free' } } : undefined;
}

export async function until(what: string, check: () => boolean, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!check()) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
