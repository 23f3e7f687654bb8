/**
 * What a lock guards: a server that writes come to, each with the fencing token of its writer.
 * Always true: it takes no write whose token is lower than one that it has seen.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Write {
  readonly token: number;
  readonly writer: string;
}

export class Resource {
  readonly taken: Write[] = [];
  readonly refused: Write[] = [];
  private readonly server: Server;

  private constructor() {
    this.server = createServer((req, res) => {
      let text = '';
      req.on('data', (chunk) => {
        text += chunk;
      });
      req.on('end', () => {
        res.writeHead(this.write(JSON.parse(text)) ? 200 : 409).end('{}');
      });
    });
  }

  static async start(): Promise<Resource> {
    const resource = new Resource();
    await new Promise<void>((done) => resource.server.listen(0, '127.0.0.1', done));
    return resource;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Whether it was taken. */
  write(write: Write): boolean {
    const newest = this.taken.at(-1)?.token ?? 0;
    (write.token < newest ? this.refused : this.taken).push(write);
    return write.token >= newest;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
