/**
 * Keeps dialing one peer, by its name, as long as there is no link to it.
 * Always true: at most one dial is under way, or one timer is set; after `stop` neither is. Pauses are random (full
 * jitter), so that peers which lost each other at the same moment do not meet again and again.
 */
import { WebSocket } from 'ws';
import { CLOSE_MS, DIAL_MS, PAYLOAD_BYTES_MAX, REDIAL_LEAST_MS, REDIAL_MOST_MS } from './limits.ts';

export interface DialerHost {
  readonly random: () => number;
  /** HOST:PORT, as many as are known: they are dialed in turn, for one of them may be stale. */
  addressesOf(name: string): readonly string[];
  opened(name: string, address: string, socket: WebSocket): void;
  failed(name: string, address: string, reason: string): void;
}

/** @param attempts failed ones so far. */
export function pauseMs(attempts: number, random: () => number): number {
  return random() * Math.min(REDIAL_MOST_MS, REDIAL_LEAST_MS * 2 ** Math.min(attempts, 16));
}

/**
 * A mask protects naive proxies between browsers and servers from chosen bytes. Here it would only cost a copy of
 * every frame; four zeros switch it off.
 */
const noMask = (mask: Uint8Array) => {
  mask.fill(0);
};

const OPTIONS = {
  perMessageDeflate: false,
  maxPayload: PAYLOAD_BYTES_MAX,
  handshakeTimeout: DIAL_MS,
  closeTimeout: CLOSE_MS,
  generateMask: noMask,
};

export class Dialer {
  readonly name: string;
  /** How many links to this peer were lost so far: said in the hello. */
  lost = 0;
  private readonly host: DialerHost;
  private attempts = 0;
  /** Which address is dialed next. */
  private turn = 0;
  private wanted = false;
  private timer: NodeJS.Timeout | undefined;
  private socket: WebSocket | undefined;

  constructor(name: string, host: DialerHost) {
    this.name = name;
    this.host = host;
  }

  /** There is no link, or no longer: dial until there is one. @param lastedMs how long the last link lasted. */
  start(lastedMs: number): void {
    if (lastedMs > REDIAL_MOST_MS) this.attempts = 0;
    this.wanted = true;
    if (this.socket === undefined && this.timer === undefined) this.wait();
  }

  /** There is a link. A dial under way goes on; links that cross are settled. */
  rest(): void {
    this.wanted = false;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  stop(): void {
    this.rest();
    this.socket?.terminate();
    this.socket = undefined;
  }

  private wait(): void {
    const pause = this.attempts === 0 ? 0 : pauseMs(this.attempts - 1, this.host.random);
    this.timer = setTimeout(() => this.dial(), pause);
  }

  private dial(): void {
    this.timer = undefined;
    const addresses = this.host.addressesOf(this.name);
    const address = addresses[this.turn++ % addresses.length];
    this.attempts++;
    if (address === undefined) {
      this.wait();
      return;
    }
    let socket: WebSocket;
    try {
      socket = new WebSocket(`ws://${address}/mesh`, OPTIONS);
    } catch (error) {
      this.fail(address, (error as Error).message);
      return;
    }
    this.socket = socket;
    let reason = 'closed';
    const onError = (error: Error) => {
      reason = error.message;
    };
    const onClose = () => {
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.fail(address, reason);
    };
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.once('open', () => {
      socket.off('close', onClose);
      if (this.socket !== socket) return;
      this.socket = undefined;
      this.host.opened(this.name, address, socket);
    });
  }

  private fail(address: string, reason: string): void {
    this.host.failed(this.name, address, reason);
    if (this.wanted) this.wait();
  }
}
