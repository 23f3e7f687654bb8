/**
 * One WebSocket to one peer.
 * Always true: nothing is handed on before the peer's hello; after the link is closed nothing is handed on and nothing
 * is sent; it is told to be closed exactly once, with a reason. Whatever comes in, at worst this link is closed.
 * A one-way cut leaves a socket open for ever, so each link pings, and is dropped when a pong is overdue.
 */
import type { WebSocket } from 'ws';
import { UnknownKindError, WireError } from '../lock/plain.ts';
import type { Frame } from '../peer/messages.ts';
import { frameFromWire, type Head, headFromWire, MESSAGES } from '../peer/wire.ts';
import { pack, packFrame, unpack } from './codec.ts';
import { type Control, controlFromWire, controlToWire, type Hello } from './control.ts';
import { BUFFERED_BYTES_MAX, HELLO_MS, PAYLOAD_BYTES_MAX, PING_DEADLINE_MS } from './limits.ts';

/** Figures, summed over all links. */
export interface LinkCounters {
  framesIn: number;
  framesOut: number;
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Messages and frames that found no link, or came over one that may not vote or forward. */
  dropped: number;
}

/** What a link needs of the peer that it belongs to. */
export interface LinkHost {
  readonly counters: LinkCounters;
  /** The mesh that is spoken for: '' and 0 before a roster counts. */
  readonly mesh: string;
  readonly epoch: number;
  now(): number;
  /** Position of the last flush. */
  position(): number;
  /** Whether the event loop stood still: then all links are dropped already, this one too. */
  stalled(): boolean;
  onHello(link: Link, hello: Hello, first: boolean): void;
  onControl(link: Link, control: Control): void;
  onFrame(link: Link, frame: Frame): void;
  /** @param quiet nothing is wrong. */
  onClosed(link: Link, reason: string, quiet: boolean): void;
}

/** Close codes of links that end for a good reason. */
export const CROSSED = 4001;
export const ENDED = 4002;
export const REFUSED = 4003;

/** The peer may not send or be sent messages (yet): its hello is judged, or it has no mesh, or another one. */
export const NO_PLACE = -1;

export class Link {
  /** The name that was dialed; undefined if the other side dialed. */
  readonly dialed: string | undefined;
  /** Who the other side says that it is; undefined before its first hello. */
  hello: Hello | undefined;
  /** Its number for `Peer`: a voter's index, any higher number for others, or NO_PLACE. */
  place = NO_PLACE;
  /** Waits for the answer to a question, and is not to be believed before. */
  held = false;
  /** Refused as a voter. */
  refused = false;
  closed = false;

  private readonly socket: WebSocket;
  private readonly host: LinkHost;
  private readonly openedAt: number;
  private readonly from: string;
  private saidHello = false;
  /** When the pings that wait for their pongs were sent, oldest first; `pingSeq` numbers the newest. */
  private pings: number[] = [];
  private pingSeq = 0;

  /** @param socket open. @param from the other side's address, for the log. */
  constructor(socket: WebSocket, dialed: string | undefined, from: string, host: LinkHost) {
    this.socket = socket;
    this.dialed = dialed;
    this.from = from;
    this.host = host;
    this.openedAt = host.now();
    socket.on('message', (data, isBinary) => this.receive(data as Buffer, isBinary));
    socket.on('error', (error) => this.drop(error.message));
    socket.on('close', (code, why) => {
      if (!this.closed) this.close(`closed by the other side (${code} ${why.toString()})`, code === CROSSED);
    });
  }

  get label(): string {
    return this.hello === undefined ? this.from : `${this.hello.name} (${this.from})`;
  }

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.closed || this.host.stalled()) return;
    const { counters } = this.host;
    counters.framesIn++;
    counters.bytesIn += data.length;
    try {
      if (!isBinary) throw new WireError('frame', 'is text');
      const wire = unpack(data);
      const head = headFromWire(wire);
      if (head.kind === MESSAGES) this.receiveMessages(head, wire);
      else this.receiveControl(head, wire as readonly unknown[]);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      if (error instanceof UnknownKindError) {
        counters.dropped++; // a newer peer says more than this one understands
        return;
      }
      this.end(REFUSED, error.message);
    }
  }

  private receiveMessages(head: Head, wire: unknown): void {
    const { host } = this;
    if (this.hello === undefined) throw new WireError('frame', 'came before the hello');
    if (head.mesh !== host.mesh && host.mesh !== '') throw new WireError('frame.mesh', 'is another mesh');
    if (this.place === NO_PLACE || head.epoch !== host.epoch) {
      host.counters.dropped++;
      return;
    }
    const frame = frameFromWire(wire, this.skip);
    host.counters.messagesIn += frame.messages.length;
    host.onFrame(this, frame);
  }

  private readonly skip = () => {
    this.host.counters.dropped++;
  };

  private receiveControl(head: Head, wire: readonly unknown[]): void {
    const control = controlFromWire(head.kind, wire);
    if (control === undefined) return;
    const { host } = this;
    if (control.kind === 'hello') {
      const first = this.hello === undefined;
      if (!first && !sameProcess(this.hello!, control.hello))
        throw new WireError('hello', 'is of another process');
      this.hello = control.hello;
      host.onHello(this, control.hello, first);
      return;
    }
    if (this.hello === undefined) throw new WireError('frame', 'came before the hello');
    switch (control.kind) {
      case 'pong':
        if (control.seq <= this.pingSeq)
          this.pings.splice(0, this.pings.length - (this.pingSeq - control.seq));
        return;
      case 'ping':
        this.sendControl({ kind: 'pong', seq: control.seq });
        break;
      case 'question':
        this.sendControl({ kind: 'answer', question: control.question, position: host.position() });
        return;
    }
    host.onControl(this, control);
  }

  sayHello(hello: Hello): void {
    this.saidHello = true;
    this.sendControl({ kind: 'hello', hello });
  }

  get hasSaidHello(): boolean {
    return this.saidHello;
  }

  sendControl(control: Control): void {
    if (!this.closed) this.send(pack(controlToWire(this.host.mesh, this.host.epoch, control)));
  }

  sendFrame(frame: Frame): void {
    if (this.closed) return;
    this.host.counters.messagesOut += frame.messages.length;
    packFrame(frame, this.send);
  }

  private readonly send = (bytes: Buffer): void => {
    if (this.closed) return;
    const { counters } = this.host;
    if (bytes.length > PAYLOAD_BYTES_MAX) {
      counters.dropped++;
      return;
    }
    counters.framesOut++;
    counters.bytesOut += bytes.length;
    this.socket.send(bytes);
    if (this.socket.bufferedAmount > BUFFERED_BYTES_MAX) this.drop('the other side takes nothing any more');
  };

  /** Time has passed: looks at what is overdue, and pings if told so. Pongs that arrived must have been read before. */
  tick(now: number, ping: boolean): void {
    if (this.closed) return;
    if (this.hello === undefined) {
      if (now - this.openedAt > HELLO_MS) this.drop('said no hello');
      return;
    }
    if (this.pings.length > 0 && now - this.pings[0]! >= PING_DEADLINE_MS) {
      this.drop(`a ping had no answer for ${PING_DEADLINE_MS} ms`);
      return;
    }
    if (!ping) return;
    this.pings.push(now);
    this.sendControl({ kind: 'ping', seq: ++this.pingSeq, position: this.host.position() });
  }

  /** Ends the link and tells the other side why. */
  end(code: number, reason: string): void {
    if (this.closed) return;
    this.socket.close(code, Buffer.from(reason).subarray(0, 120).toString().replaceAll('\ufffd', ''));
    this.close(reason, code === CROSSED);
  }

  /** Ends the link at once; what it had buffered is lost. */
  drop(reason: string): void {
    this.socket.terminate();
    if (!this.closed) this.close(reason, false);
  }

  private close(reason: string, quiet: boolean): void {
    this.closed = true;
    this.host.onClosed(this, reason, quiet);
  }
}

function sameProcess(a: Hello, b: Hello): boolean {
  return a.name === b.name && a.identity === b.identity && a.boot === b.boot;
}
