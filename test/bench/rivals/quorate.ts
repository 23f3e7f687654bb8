/**
 * Our own mesh by its TypeScript client.
 */
import { Quorate } from '../../../src/client/index.ts';
import { portsOf, startServers } from './mesh.ts';
import { type Client, LEASE_MS, MAX_WAIT } from './rival.ts';

class ObjectClient implements Client {
  private readonly mesh: Quorate;

  constructor(mesh: Quorate) {
    this.mesh = mesh;
  }

  async acquire(scope: string): Promise<() => Promise<void>> {
    const lock = await this.mesh.acquire(scope, { wait: MAX_WAIT, timeout: `${LEASE_MS}ms` });
    return () => lock.release();
  }

  close(): Promise<void> {
    return this.mesh.close();
  }
}

export async function connect(address: string, callers: number, objects: number): Promise<readonly Client[]> {
  const servers = portsOf(address).map((port) => `127.0.0.1:${port}`);
  const made = Array.from({ length: objects }, () => new ObjectClient(new Quorate({ servers })));
  return Array.from({ length: callers }, (_, i) => made[i % objects]!);
}

export const missing = () => undefined;
export const start = startServers;
