/**
 * A TCP proxy that misbehaves on demand: delays, cuts one way or both, resets.
 * Always true: a cut loses nothing that TCP would keep: bytes wait in the proxy, as they would in a network that
 * came back in time; after a `reset` they are gone.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
}

export class TcpProxy {
  /** Added to each way, in milliseconds. */
  delayMs = 0;
  private readonly server: Server;
  private readonly pairs = new Set<Pair>();
  private readonly held: (() => void)[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private cutToTarget = false;
  private cutToClient = false;

  private constructor(server: Server) {
    this.server = server;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    server.on('connection', (client) => proxy.join(client, connect(targetPort, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.pairs.size;
  }

  private join(client: Socket, target: Socket): void {
    const pair: Pair = { client, target };
    this.pairs.add(pair);
    client.setNoDelay(true);
    target.setNoDelay(true);
    this.pass(client, target, () => this.cutToTarget);
    this.pass(target, client, () => this.cutToClient);
    const end = () => {
      this.pairs.delete(pair);
    };
    client.on('close', end);
    target.on('close', end);
  }

  private pass(from: Socket, to: Socket, isCut: () => boolean): void {
    const deliver = (act: () => void) => {
      if (isCut()) this.held.push(() => deliver(act));
      else if (this.delayMs === 0) act();
      else {
        const timer = setTimeout(() => {
          this.timers.delete(timer);
          act();
        }, this.delayMs);
        this.timers.add(timer);
      }
    };
    from.on('error', () => {});
    from.on('data', (bytes) => deliver(() => to.destroyed || to.write(bytes)));
    from.on('close', () => deliver(() => to.destroy()));
  }

  /** Nothing passes in that direction any more; who looks sees an open socket. */
  cut(direction: 'to target' | 'to client'): void {
    if (direction === 'to target') this.cutToTarget = true;
    else this.cutToClient = true;
  }

  heal(): void {
    this.cutToTarget = false;
    this.cutToClient = false;
    for (const deliver of this.held.splice(0)) deliver();
  }

  /** Resets all connections: both sides see an error. */
  reset(): void {
    for (const { client, target } of this.pairs) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const { client, target } of this.pairs) {
      client.destroy();
      target.destroy();
    }
    await closed;
  }
}
