/**
 * Plain HTTP requests over connections that are kept.
 * Always true: of each request either its answer or its failure is told, once, and nothing after it was aborted;
 * requests that wait in a queue hold no connection that others need.
 */
import http from 'node:http';
import https from 'node:https';
import type { HttpRequest } from './http-messages.ts';
import type { Server } from './options.ts';

/** Connections to one server for requests that don't wait. */
const BRISK_MAX = 64;
const BODY_BYTES_MAX = 64 * 1_048_576;

export interface HttpHandler {
  /** @param text its body. */
  answered(status: number, text: string): void;
  /** @param sent whether the request may have reached the server. */
  broken(sent: boolean, why: string): void;
  /** Given parts of a body that has no end, if the answer is 200; then `answered` is not called. */
  readonly part?: (text: string) => void;
}

export interface Sending {
  /** Gives it up. @returns whether it may have reached the server. */
  abort(): boolean;
}

export class HttpClient {
  private readonly agents = new Map<string, http.Agent>();

  /** @param waits whether its answer may take long. */
  send(server: Server, request: HttpRequest, waits: boolean, handler: HttpHandler): Sending {
    const { method, path, body } = request;
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const { request: open } = server.secure ? https : http;
    const sending = new Exchange(handler);
    const req = open(`${server.secure ? 'https' : 'http'}://${server.host}${path}`, {
      method,
      agent: this.agent(server.secure, waits || handler.part !== undefined),
      headers: {
        accept: handler.part === undefined ? 'application/json' : 'text/event-stream',
        ...(bytes === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': bytes.length }),
      },
    });
    sending.follow(req);
    req.end(bytes);
    return sending;
  }

  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
  }

  private agent(secure: boolean, waits: boolean): http.Agent {
    const name = `${secure} ${waits}`;
    let agent = this.agents.get(name);
    if (agent === undefined) {
      const options = { keepAlive: true, maxSockets: waits ? Number.POSITIVE_INFINITY : BRISK_MAX };
      agent = secure ? new https.Agent(options) : new http.Agent(options);
      this.agents.set(name, agent);
    }
    return agent;
  }
}

class Exchange implements Sending {
  private readonly handler: HttpHandler;
  private req: http.ClientRequest | undefined;
  private sent = false;
  private over = false;

  constructor(handler: HttpHandler) {
    this.handler = handler;
  }

  follow(req: http.ClientRequest): void {
    this.req = req;
    req.on('socket', (socket) => {
      socket.setNoDelay(true);
      if (!socket.connecting) this.sent = true;
      else {
        socket.once('connect', () => {
          this.sent = true;
        });
      }
    });
    req.on('error', (error) => this.break(error.message));
    req.on('response', (response) => this.receive(response));
  }

  abort(): boolean {
    this.over = true;
    this.req?.destroy();
    return this.sent;
  }

  private receive(response: http.IncomingMessage): void {
    const { part } = this.handler;
    const status = response.statusCode ?? 0;
    const parts: string[] = [];
    let length = 0;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      if (this.over) return;
      if (part !== undefined && status === 200) {
        part(text);
        return;
      }
      parts.push(text);
      length += text.length;
      if (length > BODY_BYTES_MAX) {
        this.req?.destroy();
        this.break('its answer has no end');
      }
    });
    response.on('error', (error) => this.break(error.message));
    response.on('close', () => {
      if (!response.complete || (part !== undefined && status === 200)) this.break('the answer was cut off');
      if (this.over) return;
      this.over = true;
      this.handler.answered(status, parts.join(''));
    });
  }

  private break(why: string): void {
    if (this.over) return;
    this.over = true;
    this.handler.broken(this.sent, why);
  }
}

/** @returns undefined if it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
