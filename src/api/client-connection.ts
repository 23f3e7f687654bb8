/**
 * One client's connection at /client.
 * Always true: nothing is asked before the client's hello; each request is answered exactly once, unless it was given
 * up before: by the client, or because the connection ended. What is said in one turn of the event loop leaves as one
 * frame. Whatever comes in, at worst this connection ends.
 */
import type { WebSocket } from 'ws';
import { natural, UnknownKindError, WireError } from '../lock/plain.ts';
import type { ClientReply, ClientRequest, StatusRequest } from '../peer/request.ts';
import { CLOSE, HELLO_MS, PINGS_MAX, UNDER_WAY_MAX, UNREAD_BYTES_MAX } from '../protocol/limits.ts';
import type { ClientMessage, PeerMessage, RequestMessage } from '../protocol/messages.ts';
import { clientMessageFromWire, peerMessageToWire } from '../protocol/wire.ts';
import type { EventBody } from './answers-events.ts';
import { answerOf, isForced, noteIfForced, refused } from './client-answers.ts';
import { packFrame, unpackFrame } from './client-codec.ts';
import { actionOf, badField, COUNTED, requestOf, unreadable } from './client-requests.ts';
import { type Door, isWaitable, notYet, sentElsewhere } from './door.ts';
import { notWatchable, watchScope } from './events.ts';
import { toProblem } from './failures.ts';
import type { Identity } from './guard.ts';
import { Problem } from './problems.ts';
import { overloaded } from './refusals.ts';

/** What a connection needs of the door that it belongs to. */
export interface ConnectionHost {
  readonly door: Door;
  readonly figures: ClientFigures;
  /** Whether this peer is stopping; then each connection ends with its last answer. */
  readonly draining: boolean;
  /** Whether nobody may wait here any more. */
  readonly waitsEnded: boolean;
  welcome(): PeerMessage;
  /** It has something to send: `flush` is to be called at the end of this turn. */
  wrote(connection: Connection): void;
  /** Its socket is closed. */
  closed(connection: Connection): void;
  count(action: string, code: string): void;
  bug(error: unknown): void;
}

/** Figures, summed over all connections. */
export interface ClientFigures {
  framesIn: number;
  framesOut: number;
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
}

interface UnderWay {
  readonly message: RequestMessage;
  readonly request: ClientRequest;
  /** The peer's number for it; of a watch: what ends it. */
  number: number;
  stop: (() => void) | undefined;
  /** Whether it was given up: its answer is nobody's. */
  over: boolean;
}

export class Connection {
  private readonly socket: WebSocket;
  private readonly identity: Identity;
  private readonly host: ConnectionHost;
  private readonly underWay = new Map<number, UnderWay>();
  private readonly openedAt: number;
  private out: unknown[] = [];
  private greeted = false;
  private ended = false;
  /** Pings since it was last heard. */
  private unheard = 0;

  /** @param socket open. @param now milliseconds on the clock that `tick` is given. */
  constructor(socket: WebSocket, identity: Identity, host: ConnectionHost, now: number) {
    this.socket = socket;
    this.identity = identity;
    this.host = host;
    this.openedAt = now;
    const heard = () => {
      this.unheard = 0;
    };
    socket.on('message', (data, isBinary) => this.receive(data as Buffer, isBinary));
    socket.on('ping', heard);
    socket.on('pong', heard);
    // What was wrong is closed by ws itself, with a code where there is one for it.
    socket.on('error', () => this.giveUp());
    socket.on('close', () => {
      this.giveUp();
      host.closed(this);
    });
  }

  /** How many requests have no answer yet. */
  get size(): number {
    return this.underWay.size;
  }

  /** Whether one of them may stay open for long. */
  get waits(): boolean {
    for (const { request } of this.underWay.values()) if (isWaitable(request)) return true;
    return false;
  }

  // --- what the client says ---

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.ended) return;
    const { figures } = this.host;
    this.unheard = 0;
    figures.framesIn++;
    figures.bytesIn += data.length;
    if (!isBinary) {
      this.end(CLOSE.text, 'frames are binary: an array of messages in MessagePack');
      return;
    }
    try {
      const frame = unpackFrame(data);
      figures.messagesIn += frame.length;
      const at = Date.now();
      for (const wire of frame) {
        this.take(wire, at);
        if (this.ended) return;
      }
    } catch (error) {
      if (error instanceof WireError) {
        this.end(CLOSE.malformed, error.message);
        return;
      }
      this.host.bug(error);
      this.end(CLOSE.failed, 'this peer met an error of its own');
    }
  }

  private take(wire: unknown, at: number): void {
    let message: ClientMessage;
    try {
      message = clientMessageFromWire(wire);
    } catch (error) {
      this.misread(wire, error);
      return;
    }
    if ((message.kind === 'hello') === this.greeted) {
      this.end(
        CLOSE.order,
        'the first message of a connection is a hello, and no other: [0, version, agent]',
      );
      return;
    }
    switch (message.kind) {
      case 'hello':
        this.greeted = true;
        this.say(this.host.welcome());
        if (this.host.draining) this.drain();
        return;
      case 'gone': {
        const one = this.underWay.get(message.id);
        if (one !== undefined) this.abandon(message.id, one);
        return;
      }
      default:
        this.ask(message, at);
    }
  }

  /** What has a number is refused, so that its client does not wait for ever; what is of tomorrow is skipped. */
  private misread(wire: unknown, error: unknown): void {
    if (!(error instanceof WireError)) throw error;
    if (!this.greeted) {
      this.end(CLOSE.order, `the first message is no hello, [0, version, agent]: ${error.message}`);
      return;
    }
    const id = requestIdOf(wire);
    if (id !== undefined) this.refuse(id, 'invalid', unreadable(error));
    else if (!(error instanceof UnknownKindError)) throw error;
  }

  private ask(message: RequestMessage, at: number): void {
    const { host, underWay, identity } = this;
    const { door } = host;
    const { id, kind } = message;
    let request: ClientRequest;
    try {
      if (underWay.has(id)) throw badField('id', `${id} is under way`);
      if (underWay.size >= UNDER_WAY_MAX) {
        throw overloaded(`${UNDER_WAY_MAX} requests of this connection are under way`, {});
      }
      request = requestOf(door, identity, message, at);
      door.guard.authorize(identity, actionOf(message), 'scope' in message ? message.scope : null);
      const early = notYet(door, request);
      if (early !== undefined) throw early;
      if (host.waitsEnded && isWaitable(request)) throw sentElsewhere(request);
      if (kind === 'watch') this.checkWatch(message.scope);
    } catch (error) {
      this.refuse(id, COUNTED[kind], toProblem(error, host.bug));
      return;
    }
    const one: UnderWay = { message, request, number: 0, stop: undefined, over: false };
    underWay.set(id, one);
    if (kind === 'watch') {
      one.stop = watchScope(door, message.scope, (body) => this.tell(one, body));
      host.count(COUNTED.watch, 'ok');
    } else one.number = door.peer.ask(request, door.requestMs, (reply) => this.answer(one, reply));
  }

  private checkWatch(scope: string): void {
    const { door, draining } = this.host;
    const why = draining ? watchElsewhere(scope, 'This peer is stopping.') : notWatchable(door, scope);
    if (why !== undefined) throw why;
  }

  // --- what the client is told ---

  private answer(one: UnderWay, reply: ClientReply): void {
    const { host } = this;
    const { message, request, over } = one;
    const { id, kind } = message;
    noteIfForced(host.door, request, reply);
    if (over) return;
    this.underWay.delete(id);
    try {
      this.say(answerOf(host.door, id, request, reply));
      host.count(COUNTED[kind], 'ok');
    } catch (error) {
      this.refuse(id, COUNTED[kind], toProblem(error, host.bug));
    }
    if (host.draining) this.endIfIdle();
  }

  /** What happens to a scope that is watched. */
  private tell(one: UnderWay, body: EventBody): void {
    if (one.over) return;
    const { id } = one.message;
    if (body.event !== 'end') this.say({ kind: 'event', id, body });
    else this.endWatch(one, body.detail ?? 'Nothing more is told here.');
  }

  /** A refusal is the last that is told of a watch: its client goes on elsewhere. */
  private endWatch(one: UnderWay, why: string): void {
    const { id } = one.message;
    this.giveUpOne(id, one);
    this.refuse(id, COUNTED.watch, watchElsewhere((one.request as StatusRequest).scope, why));
  }

  private refuse(id: number, action: string, problem: Problem): void {
    const invalid = problem.code === 'invalid_request';
    this.host.count(invalid ? 'invalid' : action, problem.code);
    this.say(refused(id, problem));
  }

  /** Says it with all else that is said in this turn. */
  say(message: PeerMessage): void {
    if (this.ended || !this.greeted) return;
    if (this.out.push(peerMessageToWire(message)) === 1) this.host.wrote(this);
  }

  /** Sends what was said. */
  flush(): void {
    const { out } = this;
    if (out.length === 0 || this.ended) return;
    this.out = [];
    this.host.figures.messagesOut += out.length;
    packFrame(out, this.send);
  }

  private readonly send = (bytes: Buffer): void => {
    if (this.ended) return;
    if (this.socket.bufferedAmount > UNREAD_BYTES_MAX) {
      this.drop();
      return;
    }
    const { figures } = this.host;
    figures.framesOut++;
    figures.bytesOut += bytes.length;
    this.socket.send(bytes);
  };

  // --- how it ends ---

  /** Time has passed. @param ping whether to ask if it is still there. */
  tick(now: number, ping: boolean): void {
    if (this.ended) return;
    if (!this.greeted) {
      if (now - this.openedAt >= HELLO_MS) this.end(CLOSE.silent, `no hello for ${HELLO_MS} ms`);
      return;
    }
    if (!ping) return;
    if (this.unheard >= PINGS_MAX) {
      this.drop();
      return;
    }
    this.unheard++;
    this.socket.ping();
  }

  /** This peer is stopping: the client shall go elsewhere. */
  drain(): void {
    this.say({ kind: 'drain' });
    for (const one of [...this.underWay.values()]) {
      if (one.stop !== undefined) this.endWatch(one, 'This peer is stopping.');
    }
    this.endIfIdle();
  }

  /** Whoever waits here in a queue is sent to another peer; its place is kept. */
  endWaits(): void {
    for (const [id, one] of [...this.underWay]) {
      if (!isWaitable(one.request)) continue;
      this.giveUpOne(id, one);
      this.refuse(id, COUNTED[one.message.kind], sentElsewhere(one.request));
    }
    this.endIfIdle();
  }

  private endIfIdle(): void {
    if (this.underWay.size === 0) this.end(CLOSE.stops, 'this peer is stopping');
  }

  /** Says what there is to say, and why it ends. */
  private end(code: number, reason: string): void {
    if (this.ended) return;
    this.flush();
    this.socket.close(code, shortened(reason));
    this.giveUp();
  }

  /** Ends it at once; what was not sent is lost. */
  drop(): void {
    this.socket.terminate();
    this.giveUp();
  }

  private giveUp(): void {
    this.ended = true;
    for (const [id, one] of [...this.underWay]) this.abandon(id, one);
  }

  private abandon(id: number, one: UnderWay): void {
    this.giveUpOne(id, one);
    // That is how a watch ends; it was counted when it began.
    if (one.stop === undefined) this.host.count(COUNTED[one.message.kind], 'client_gone');
  }

  private giveUpOne(id: number, one: UnderWay): void {
    one.over = true;
    this.underWay.delete(id);
    if (one.stop !== undefined) one.stop();
    // What is taken by force is seen through, so that it can be written down.
    else if (!isForced(one.request)) this.host.door.peer.abandon(one.number);
  }
}

function watchElsewhere(scope: string, why: string): Problem {
  return new Problem('no_quorum', why, { scope, next: 'Watch the scope at another voter.' });
}

/** The number of what looks like a request, where it can be read. */
function requestIdOf(wire: unknown): number | undefined {
  if (!Array.isArray(wire) || wire.length < 2) return undefined;
  try {
    return natural(wire[0], 'kind') >= FIRST_REQUEST ? natural(wire[1], 'id') : undefined;
  } catch {
    return undefined;
  }
}

/** Kinds below this are `hello` and `gone`. */
const FIRST_REQUEST = 2;

/** A close frame has room for 123 bytes. */
function shortened(reason: string): string {
  return Buffer.from(reason).subarray(0, 120).toString().replaceAll('\ufffd', '');
}
