/**
 * Our own mesh by HTTP, over connections that are kept alive: one caller each, one request at a time.
 */
import { Connection } from '../connection.ts';
import { portsOf, startServers } from './mesh.ts';
import { type Client, LEASE_MS, MAX_WAIT } from './rival.ts';

class HttpClient implements Client {
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  async acquire(scope: string): Promise<() => Promise<void>> {
    const { connection } = this;
    const body = `{"scope":"${scope}","action":"lock","wait":"${MAX_WAIT}","timeout":"${LEASE_MS}ms"}`;
    const answer = await connection.ask(body);
    const id = /"lock_id":"([^"]+)"/.exec(answer)?.[1];
    return async () => {
      await connection.ask(`{"scope":"${scope}","action":"unlock","lock_id":"${id}"}`);
    };
  }

  close(): void {
    this.connection.close();
  }
}

export async function connect(address: string, callers: number): Promise<readonly Client[]> {
  const ports = portsOf(address);
  return Array.from({ length: callers }, (_, i) => new HttpClient(new Connection(ports[i % ports.length]!)));
}

export const missing = () => undefined;
export const start = startServers;
