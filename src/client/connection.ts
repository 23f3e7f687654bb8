/**
 * One WebSocket to one peer, for all requests that are asked of it.
 * Always true: nothing is sent before the peer's welcome; all that is asked in one turn of the event loop leaves as
 * one frame; after the end nothing is sent or handed on, and each request that was open was told that it broke.
 * A peer that stands still, or a cable that is cut, says nothing: while requests are open and nothing comes, the peer
 * is pinged, and then given up.
 */
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import { UnknownKindError, WireError } from '../lock/plain.ts';
import { CLIENT_FRAME_BYTES_MAX } from '../protocol/limits.ts';
import { PROTOCOL_VERSION, type Welcome } from '../protocol/messages.ts';
import { clientMessageToWire, peerMessageFromWire } from '../protocol/wire.ts';
import type { Clock } from './clock.ts';
import type { Answer, Asker, Draft } from './way.ts';

/** From the dial to the peer's welcome. */
export const DIAL_MS = 3_000;
/** After this many looks without a word from the peer it is pinged; after so many it is given up. */
export const LOOK_MS = 500;
export const PING_LOOKS = 2;
export const GIVE_UP_LOOKS = 6;

const FRAME_MESSAGES_MAX = 2_000;
const PAYLOAD_BYTES_MAX = 64 * 1_048_576;
const CLOSE_MS = 1_000;
const AGENT = `quorate-typescript node/${process.versions.node}`;

const packr = new Packr({ useRecords: false });

/** Four zeros switch the mask off, which protects proxies from what browsers are made to send: it would cost a copy. */
const noMask = (mask: Uint8Array) => {
  mask.fill(0);
};

const OPTIONS = {
  perMessageDeflate: false,
  maxPayload: PAYLOAD_BYTES_MAX,
  closeTimeout: CLOSE_MS,
  generateMask: noMask,
};

export interface ConnectionHost {
  readonly clock: Clock;
  welcomed(connection: Connection, welcome: Welcome): void;
  /** The peer is stopping: nothing new is to be asked of it. */
  drained(connection: Connection): void;
  /** It is over; told once, before the requests that were open. */
  closed(connection: Connection, why: string): void;
}

export class Connection {
  private readonly host: ConnectionHost;
  private readonly socket: WebSocket;
  private readonly askers = new Map<number, Asker>();
  private outbox: unknown[][] = [];
  /** Requests in the outbox that are not to be sent any more. */
  private readonly dropped = new Set<number>();
  private lastId = 0;
  /** Requests up to this one may have reached the peer. */
  private sentId = 0;
  private isOpen = false;
  private isOver = false;
  private flushing = false;
  private heard = false;
  private quietLooks = 0;
  private stopDial: () => void;
  private stopLook: (() => void) | undefined;
  /** Whether the process stays for it: only while requests are open. */
  private hold: { ref(): unknown; unref(): unknown } | undefined;

  constructor(url: string, host: ConnectionHost) {
    this.host = host;
    this.socket = new WebSocket(url, OPTIONS);
    this.stopDial = host.clock.after(DIAL_MS, () => this.end(`no welcome within ${DIAL_MS} ms`), true);
    this.socket.on('upgrade', ({ socket }) => {
      this.hold = socket;
    });
    this.socket.on('open', () => {
      const hello = { kind: 'hello', version: PROTOCOL_VERSION, agent: AGENT } as const;
      this.socket.send(packr.pack([clientMessageToWire(hello)]));
    });
    this.socket.on('message', (data, isBinary) => this.receive(data as Buffer, isBinary));
    this.socket.on('pong', () => {
      this.heard = true;
    });
    this.socket.on('error', (error) => this.end(error.message));
    this.socket.on('close', (code, why) => this.end(`closed by the peer (${code} ${why.toString()})`));
  }

  /** Whether the peer has welcomed this client, and the connection is not over. */
  get open(): boolean {
    return this.isOpen && !this.isOver;
  }

  get over(): boolean {
    return this.isOver;
  }

  /** How many requests have no answer yet. */
  get size(): number {
    return this.askers.size;
  }

  /** @returns the number of the request in this connection. */
  send(message: Draft, asker: Asker): number {
    const id = ++this.lastId;
    if (this.isOver) {
      queueMicrotask(() => asker.broken(false, 'the connection is over'));
      return id;
    }
    message.id = id;
    this.askers.set(id, asker);
    this.outbox.push(clientMessageToWire(message));
    if (this.askers.size === 1) this.wake();
    this.schedule();
    return id;
  }

  /** @returns whether the request may have reached the peer. */
  gone(id: number): boolean {
    if (!this.askers.delete(id)) return id <= this.sentId;
    const sent = id <= this.sentId;
    if (sent) {
      this.outbox.push(clientMessageToWire({ kind: 'gone', id }));
      this.schedule();
    } else this.dropped.add(id);
    if (this.askers.size === 0) this.hold?.unref();
    return sent;
  }

  /** Another peer could be reached first: what waits for this one is handed back. */
  handBack(): void {
    if (this.isOpen || this.isOver) return;
    const askers = [...this.askers.values()];
    this.askers.clear();
    this.outbox = [];
    for (const asker of askers) asker.moved();
  }

  /** Sends what is due, and closes. */
  close(): void {
    if (this.isOver) return;
    if (this.isOpen) {
      this.flush();
      this.socket.close(1000);
      this.hold?.unref();
    } else this.socket.terminate();
    this.finish('this client was closed');
  }

  private schedule(): void {
    if (!this.isOpen || this.flushing) return;
    this.flushing = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.flushing = false;
    if (this.isOver) return;
    const { dropped } = this;
    const outbox = dropped.size === 0 ? this.outbox : this.outbox.filter((wire) => !isDropped(wire, dropped));
    dropped.clear();
    this.outbox = [];
    this.sentId = this.lastId;
    for (let at = 0; at < outbox.length; at += FRAME_MESSAGES_MAX) {
      this.sendFrame(
        outbox.length <= FRAME_MESSAGES_MAX ? outbox : outbox.slice(at, at + FRAME_MESSAGES_MAX),
      );
    }
  };

  private sendFrame(wire: unknown[][]): void {
    const bytes = packr.pack(wire);
    if (bytes.length <= CLIENT_FRAME_BYTES_MAX || wire.length < 2) {
      this.socket.send(bytes);
      return;
    }
    const half = wire.length >> 1;
    this.sendFrame(wire.slice(0, half));
    this.sendFrame(wire.slice(half));
  }

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.isOver) return;
    this.heard = true;
    try {
      if (!isBinary) throw new WireError('frame', 'is text');
      const frame: unknown = unpack(data);
      if (!Array.isArray(frame)) throw new WireError('frame', 'is no array');
      for (const wire of frame) this.receiveOne(wire);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.end(`what the peer sent is not understood: ${error.message}`);
    }
  }

  private receiveOne(wire: unknown): void {
    let message: ReturnType<typeof peerMessageFromWire>;
    try {
      message = peerMessageFromWire(wire);
    } catch (error) {
      if (error instanceof UnknownKindError) return; // a newer peer says more than this version understands
      throw error;
    }
    if (this.isOver) return;
    if (message.kind === 'welcome') {
      this.welcome(message);
    } else if (message.kind === 'drain') this.host.drained(this);
    else this.answer(message);
  }

  private answer(answer: Answer): void {
    const asker = this.askers.get(answer.id);
    if (asker === undefined) return;
    if (answer.kind !== 'event') {
      this.askers.delete(answer.id);
      if (this.askers.size === 0) this.hold?.unref();
    }
    asker.answered(answer);
  }

  private welcome(welcome: Welcome): void {
    if (welcome.version !== PROTOCOL_VERSION) {
      this.end(`it speaks version ${welcome.version} of the protocol, this client ${PROTOCOL_VERSION}`);
      return;
    }
    if (!this.isOpen) {
      this.stopDial();
      this.isOpen = true;
      if (this.askers.size === 0) this.hold?.unref();
      else this.wake();
    }
    this.host.welcomed(this, welcome);
    if (this.outbox.length > 0) this.schedule();
  }

  /** The first request is open: keeps the process, and looks whether the peer is there. */
  private wake(): void {
    this.hold?.ref();
    this.quietLooks = 0;
    if (this.isOpen) this.stopLook ??= this.host.clock.after(LOOK_MS, this.look, true);
  }

  // Looks are counted, not timed: a process that stood still shall first read what has come meanwhile.
  private readonly look = (): void => {
    this.stopLook = undefined;
    if (this.isOver || this.askers.size === 0) return;
    this.quietLooks = this.heard ? 0 : this.quietLooks + 1;
    this.heard = false;
    if (this.quietLooks === PING_LOOKS) this.socket.ping();
    if (this.quietLooks >= GIVE_UP_LOOKS) {
      this.end('it stopped answering');
      return;
    }
    this.stopLook = this.host.clock.after(LOOK_MS, this.look, true);
  };

  /** Ends it at once; nothing that waits to be sent is sent. */
  end(why: string): void {
    if (this.isOver) return;
    this.socket.terminate();
    this.finish(why);
  }

  private finish(why: string): void {
    this.isOver = true;
    this.stopDial();
    this.stopLook?.();
    const askers = [...this.askers];
    this.askers.clear();
    this.outbox = [];
    this.host.closed(this, why);
    for (const [id, asker] of askers) asker.broken(id <= this.sentId, why);
  }
}

/** A `gone` names a request that was sent, so that it is never one of these. */
function isDropped(wire: readonly unknown[], dropped: ReadonlySet<number>): boolean {
  return dropped.has(wire[1] as number);
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch (error) {
    throw new WireError('frame', error instanceof Error ? error.message : String(error));
  }
}
