/** A small HTTP server, for tests: what it answers is the test's. Always true: `stop` ends it and its connections. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  // biome-ignore lint/suspicious/noExplicitAny: bodies are judged by the tests
  readonly body: any;
  readonly response: ServerResponse;
  /** Whether its client went away. */
  gone: boolean;
  json(status: number, body: unknown): void;
}

export class HttpServer {
  readonly asked: Asked[] = [];
  connections = 0;
  answer: (asked: Asked) => void = () => undefined;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(): Promise<HttpServer> {
    const server = createServer();
    const here = new HttpServer(server);
    server.on('connection', () => {
      here.connections++;
    });
    server.on('request', (request, response) => here.take(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return here;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      const asked: Asked = {
        method: request.method!,
        path: request.url!,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
        response,
        gone: false,
        json: (status, body) => {
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(JSON.stringify(body));
        },
      };
      response.on('close', () => {
        asked.gone = !response.writableFinished;
      });
      this.asked.push(asked);
      this.answer(asked);
    });
  }
}
