/**
 * Requests that are under way, from their head until their answer was handed to the system or their connection
 * is gone.
 * Always true: `open` counts exactly those. A connection may carry several at once (pipelining), and only its own
 * close event tells that all of them are lost: those that wait behind the first never hear of it otherwise.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Asker } from '../mesh/types.ts';

export class Exchange implements Asker {
  readonly response: ServerResponse;
  private told: (() => void) | undefined;
  private isLost = false;

  constructor(response: ServerResponse) {
    this.response = response;
  }

  /** Whether the client went away before its answer was handed over. */
  get gone(): boolean {
    return this.isLost;
  }

  /** When the client goes away before its answer was handed over, or is sent elsewhere. */
  whenGone(told: (() => void) | undefined): void {
    this.told = told;
  }

  lose(): void {
    this.isLost = true;
    this.letGo();
  }

  /** Its client is sent elsewhere: to the peer it is as if it went away. */
  letGo(): void {
    const { told } = this;
    this.told = undefined;
    told?.();
  }
}

export class Exchanges {
  private readonly all = new Set<Exchange>();
  private readonly sockets = new WeakMap<Socket, Set<Exchange>>();
  private draining = false;
  private readonly waiting: (() => void)[] = [];

  /** How many requests are under way. */
  get open(): number {
    return this.all.size;
  }

  begin({ socket }: IncomingMessage, response: ServerResponse): Exchange {
    const exchange = new Exchange(response);
    const those = this.sockets.get(socket) ?? this.watch(socket);
    those.add(exchange);
    this.all.add(exchange);
    if (this.draining) response.shouldKeepAlive = false;
    response.once('finish', () => {
      those.delete(exchange);
      this.end(exchange);
    });
    return exchange;
  }

  /** Lets each connection end with its next answer. @returns resolves once nothing is under way. */
  async drain(): Promise<void> {
    this.draining = true;
    for (const { response } of this.all) response.shouldKeepAlive = false;
    if (this.all.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  private watch(socket: Socket): Set<Exchange> {
    const those = new Set<Exchange>();
    this.sockets.set(socket, those);
    socket.once('close', () => {
      for (const exchange of those) {
        exchange.lose();
        this.end(exchange);
      }
    });
    return those;
  }

  private end(exchange: Exchange): void {
    this.all.delete(exchange);
    if (this.all.size === 0) for (const tell of this.waiting.splice(0)) tell();
  }
}
