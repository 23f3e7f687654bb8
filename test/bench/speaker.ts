/**
 * As little as can speak to a peer's /client door, without what the client library does beyond: for loads of one kind
 * of message over many connections.
 */
import { Packr } from 'msgpackr';
import { WebSocket } from 'ws';
import {
  type PeerMessage,
  PROTOCOL_VERSION,
  type RequestMessage,
  type Welcome,
} from '../../src/protocol/messages.ts';
import { clientMessageToWire, peerMessageFromWire } from '../../src/protocol/wire.ts';

const packr = new Packr({ useRecords: false });

/** Without its number: that is given when it is sent. */
type Request<M = RequestMessage> = M extends RequestMessage ? Omit<M, 'id'> : never;

export class Speaker {
  readonly welcome: Welcome;
  private readonly socket: WebSocket;
  private readonly open = new Map<number, (answer: PeerMessage) => void>();
  private lastId = 0;

  private constructor(socket: WebSocket, welcome: Welcome) {
    this.socket = socket;
    this.welcome = welcome;
    socket.on('message', (data) => {
      for (const message of messagesOf(data as Buffer)) {
        if ('id' in message) this.take(message.id)(message);
      }
    });
  }

  /** @param address HOST:PORT. A connection that breaks later ends the process. */
  static async open(address: string): Promise<Speaker> {
    const socket = new WebSocket(`ws://${address}/client`, { perMessageDeflate: false });
    socket.on('error', (error) => {
      throw error;
    });
    socket.on('open', () => {
      const hello = { kind: 'hello', version: PROTOCOL_VERSION, agent: 'quorate bench' } as const;
      socket.send(packr.pack([clientMessageToWire(hello)]));
    });
    return new Promise((resolve) => {
      socket.once('message', (data) => {
        // The first of perhaps several: the mesh may have changed in the same moment.
        const [welcome] = messagesOf(data as Buffer);
        if (welcome?.kind !== 'welcome') throw new Error(`greeted with ${welcome?.kind}`);
        resolve(new Speaker(socket, welcome));
      });
    });
  }

  private take(id: number): (answer: PeerMessage) => void {
    const answered = this.open.get(id);
    if (answered === undefined) throw new Error(`an answer to ${id}, which is not open`);
    this.open.delete(id);
    return answered;
  }

  /** Resolves with whatever is answered, a refusal too. */
  ask(request: Request): Promise<PeerMessage> {
    const id = ++this.lastId;
    const answer = new Promise<PeerMessage>((resolve) => this.open.set(id, resolve));
    this.socket.send(packr.pack([clientMessageToWire({ ...request, id } as RequestMessage)]));
    return answer;
  }

  close(): void {
    this.socket.terminate();
  }
}

function messagesOf(data: Buffer): readonly PeerMessage[] {
  return (packr.unpack(data) as unknown[]).map(peerMessageFromWire);
}
