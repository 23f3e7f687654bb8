/**
 * A client of /client as plain as can be: it says what a test says, and keeps what it is told, frame by frame.
 */
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import type { LockId } from '../../../src/lock/state.ts';
import type {
  AcquireMessage,
  ClientMessage,
  PeerMessage,
  ReleaseMessage,
} from '../../../src/protocol/messages.ts';
import { clientMessageToWire, peerMessageFromWire } from '../../../src/protocol/wire.ts';

export const packr = new Packr({ useRecords: false });

const DEADLINE_MS = 20_000;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

type Told<K> = Extract<PeerMessage, { kind: K }>;

export class Talk {
  readonly socket: WebSocket;
  /** What was told, frame by frame, and all of it. */
  readonly frames: (readonly PeerMessage[])[] = [];
  readonly messages: PeerMessage[] = [];
  closed: Closed | undefined;
  /** What HTTP said instead of an upgrade. */
  refused: { status: number | undefined; body: string } | undefined;
  private readonly waiting = new Set<() => void>();
  private nextId = 1_000;

  /** @param headers instead of those that a client sends. */
  constructor(port: number, headers: Record<string, string> = {}, path = '/client') {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers, perMessageDeflate: false });
    this.socket.on('message', (data) => {
      const frame = (packr.unpack(data as Buffer) as unknown[]).map(peerMessageFromWire);
      this.frames.push(frame);
      this.messages.push(...frame);
      this.look();
    });
    this.socket.on('open', () => this.look());
    this.socket.on('error', () => undefined);
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.look();
    });
    this.socket.on('unexpected-response', (request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => {
        this.refused = { status: response.statusCode, body };
        request.destroy();
        this.look();
      });
    });
  }

  /** A client that said hello and was welcomed. */
  static async open(port: number): Promise<Talk> {
    const talk = new Talk(port);
    await talk.until('it is open', () => talk.socket.readyState === WebSocket.OPEN);
    talk.say({ kind: 'hello', version: 1, agent: 'a test' });
    await talk.told('welcome');
    return talk;
  }

  private look(): void {
    for (const check of [...this.waiting]) check();
  }

  /** Waits for what it is told. */
  async until(what: string, check: () => boolean): Promise<void> {
    if (check()) return;
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => end(new Error(`not within ${DEADLINE_MS} ms: ${what}`)), DEADLINE_MS);
      const look = () => {
        if (check()) end();
      };
      const end = (error?: Error) => {
        clearTimeout(late);
        this.waiting.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.waiting.add(look);
    });
  }

  /** All of these in one frame. */
  say(...messages: readonly ClientMessage[]): void {
    this.send(messages.map(clientMessageToWire));
  }

  /** A frame of any values. */
  send(frame: unknown): void {
    this.sendBytes(packr.pack(frame));
  }

  sendBytes(bytes: Buffer | string): void {
    this.socket.send(bytes);
  }

  /** A number that no request of this client has had. */
  id(): number {
    return this.nextId++;
  }

  /** The first message of that kind, or the first since so many were told. */
  async told<K extends PeerMessage['kind']>(kind: K, since = 0): Promise<Told<K>> {
    const found = () => this.messages.slice(since).find((message) => message.kind === kind);
    await this.until(`told ${kind}`, () => found() !== undefined || this.closed !== undefined);
    const message = found();
    if (message === undefined) throw new Error(`closed with ${this.closed!.code} ${this.closed!.reason}`);
    return message as Told<K>;
  }

  /** The answer to that request. */
  async answer(id: number): Promise<Exclude<PeerMessage, { kind: 'welcome' | 'drain' }>> {
    const found = () => this.messages.find((message) => 'id' in message && message.id === id);
    await this.until(`answer ${id}`, () => found() !== undefined || this.closed !== undefined);
    const message = found();
    if (message === undefined) throw new Error(`closed with ${this.closed!.code} ${this.closed!.reason}`);
    return message as Exclude<PeerMessage, { kind: 'welcome' | 'drain' }>;
  }

  /** Asks for a lock. @returns the number of the request. */
  acquire(fields: Partial<AcquireMessage> & { scope: string }): number {
    const message = acquire({ id: this.id(), ...fields });
    this.say(message);
    return message.id;
  }

  release(scope: string, lockId: LockId | null, fields: Partial<ReleaseMessage> = {}): number {
    const id = this.id();
    this.say({ kind: 'release', id, scope, lockId, holder: null, force: null, ...fields });
    return id;
  }

  async end(): Promise<Closed> {
    await this.until('it is closed', () => this.closed !== undefined);
    return this.closed!;
  }

  /** As if its machine was gone. */
  break(): void {
    this.socket.terminate();
  }
}

let made = 0;

/** A lock id that no other test has. */
export function lockId(): LockId {
  const low = (++made).toString(16).padStart(12, '0');
  const high = Math.floor(Math.random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0');
  return `${high}-7d1c-7a1e-9c43-${low}` as LockId;
}

export function acquire(fields: Partial<AcquireMessage> & { scope: string; id: number }): AcquireMessage {
  return {
    kind: 'acquire',
    lockId: lockId(),
    holder: `holder-${made}`,
    mode: 'write',
    permits: 0,
    priority: 'normal',
    reason: null,
    session: null,
    leaseMs: 30_000,
    waitMs: 0,
    repeat: 0,
    ...fields,
  };
}
