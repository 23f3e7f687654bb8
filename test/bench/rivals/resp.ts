/**
 * As much of a Redis client as the benchmark needs: commands and flat answers over one connection. What is asked in
 * one turn of the event loop leaves together.
 */
import { connect, type Socket } from 'node:net';

type Reply = string | number | null;

interface Asked {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export class RedisConnection {
  private readonly socket: Socket;
  /** Answers come in the order of the questions. */
  private readonly asked: Asked[] = [];
  private outgoing = '';
  private incoming = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => this.read(chunk));
  }

  /** Rejects if nobody listens; a connection that breaks later ends the process. */
  static open(port: number): Promise<RedisConnection> {
    const socket = connect(port, '127.0.0.1');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RedisConnection(socket));
      });
    });
  }

  /** @param parts of latin1 only. Rejects with the text of an error that Redis answers. */
  ask(...parts: readonly string[]): Promise<Reply> {
    if (this.outgoing === '') process.nextTick(() => this.flush());
    this.outgoing += `*${parts.length}\r\n`;
    for (const part of parts) this.outgoing += `$${part.length}\r\n${part}\r\n`;
    return new Promise((resolve, reject) => this.asked.push({ resolve, reject }));
  }

  private flush(): void {
    this.socket.write(this.outgoing, 'latin1');
    this.outgoing = '';
  }

  private read(chunk: string): void {
    this.incoming += chunk;
    let at = 0;
    for (;;) {
      const end = this.incoming.indexOf('\r\n', at);
      if (end < 0) break;
      const kind = this.incoming[at];
      const line = this.incoming.slice(at + 1, end);
      let next = end + 2;
      let reply: Reply = line;
      if (kind === ':') reply = Number(line);
      else if (kind === '$') {
        const length = Number(line);
        if (length < 0) reply = null;
        else {
          next += length + 2;
          if (this.incoming.length < next) break;
          reply = this.incoming.slice(end + 2, next - 2);
        }
      }
      at = next;
      const { resolve, reject } = this.asked.shift()!;
      if (kind === '-') reject(new Error(line));
      else resolve(reply);
    }
    this.incoming = this.incoming.slice(at);
  }

  close(): void {
    this.socket.destroy();
  }
}
