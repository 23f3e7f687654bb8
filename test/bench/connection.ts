/**
 * A client of the benchmarks: as little as can speak HTTP, so that the load costs less than what it measures.
 */
import { connect, type Socket } from 'node:net';

/** One request at a time on one connection; the answer's body is all that matters. */
export class Connection {
  private readonly socket: Socket;
  private buffered = '';
  private answered: ((body: string) => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setNoDelay(true);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => {
      this.buffered += chunk;
      this.parse();
    });
    this.socket.on('error', (error) => {
      throw error;
    });
  }

  private parse(): void {
    const end = this.buffered.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.buffered.slice(0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.buffered.length < end + 4 + length) return;
    const body = this.buffered.slice(end + 4, end + 4 + length);
    this.buffered = this.buffered.slice(end + 4 + length);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${head.split('\r\n')[0]} ${body}`);
    this.answered?.(body);
  }

  /** @param body of latin1 only */
  ask(body: string, path = '/api/v1.0/lock'): Promise<string> {
    const type = body === '' ? '' : 'content-type: application/json\r\n';
    const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${type}content-length: ${body.length}\r\n\r\n`;
    return new Promise((resolve) => {
      this.answered = resolve;
      this.socket.write(head + body, 'latin1');
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
