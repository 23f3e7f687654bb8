/**
 * Whole peers in this process: real sockets, real disks, one HTTP server each.
 * Always true: stopping a mesh leaves no socket, timer or open disk behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LockId } from '../../src/lock/state.ts';
import type { Disk } from '../../src/mesh/flusher.ts';
import { Runner } from '../../src/mesh/runner.ts';
import type { Standing } from '../../src/mesh/types.ts';
import type { AcquireRequest, ClientReply, ReleaseRequest } from '../../src/peer/request.ts';
import { registerCodec } from '../../src/store/registers.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { RegisterWrite, StoredRegister } from '../../src/vote/acceptor.ts';

export class TestPeer {
  readonly name: string;
  readonly port: number;
  readonly lines: string[] = [];
  readonly failures: unknown[] = [];
  runner: Runner = undefined as never;
  private readonly server: Server;
  private store: Store<StoredRegister, RegisterWrite> | undefined;

  constructor(name: string, server: Server) {
    this.name = name;
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('upgrade', (req, socket, head) => {
      if (this.runner === undefined) socket.destroy();
      else this.runner.handleUpgrade(req, socket, head);
    });
  }

  get disk(): Disk {
    return this.store!;
  }

  get standing(): Standing {
    return this.runner.standing;
  }

  get said(): string {
    return this.lines.join('\n');
  }

  async start(options: {
    readonly dir: string;
    readonly roster: ReadonlyMap<string, string>;
    readonly address?: string;
    readonly observer?: boolean;
    readonly wrap?: (disk: Disk) => Disk;
    /** Where it is not this peer's own. */
    readonly name?: string;
  }): Promise<void> {
    const { dir, roster, observer = false, wrap = (disk: Disk) => disk, name = this.name } = options;
    this.store = await openStore(dir, registerCodec);
    const write = (data: object, text: string) => {
      this.lines.push(`${text} ${JSON.stringify(data)}`);
    };
    this.runner = new Runner({
      name,
      address: options.address ?? `127.0.0.1:${this.port}`,
      roster,
      observer,
      disk: wrap(this.store),
      log: { debug: write, info: write, warn: write },
      fatal: (error) => this.failures.push(error),
    });
    this.runner.start();
  }

  acquire(scope: string, lockId: string, timeoutMs = 5_000): Promise<ClientReply> {
    const request: AcquireRequest = {
      op: 'acquire',
      permits: 0,
      scope,
      lockId: lockId as LockId,
      made: false,
      holder: `holder-of-${lockId}`,
      named: true,
      mode: 'write',
      priority: 'normal',
      reason: null,
      session: null,
      leaseMs: 60_000,
      waitMs: 0,
      pollMs: null,
      repeat: 0,
      at: Date.now(),
    };
    return this.runner.request(request, { timeoutMs });
  }

  release(scope: string, lockId: string, timeoutMs = 5_000): Promise<ClientReply> {
    const which = { scope, lockId: lockId as LockId, holder: null };
    const request: ReleaseRequest = { op: 'release', ...which, force: null, at: Date.now() };
    return this.runner.request(request, { timeoutMs });
  }

  /** Stops the peer; its port stays its own. */
  async stop(): Promise<void> {
    await this.runner?.stop();
    await this.store?.close();
    this.store = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export class TestMesh {
  readonly peers: TestPeer[] = [];
  readonly dir = mkdtempSync(join(tmpdir(), 'quorate-mesh-'));

  /** Ports are taken at once, so that the roster is known before the first peer starts. */
  static async of(names: readonly string[]): Promise<TestMesh> {
    const mesh = new TestMesh();
    for (const name of names) {
      const server = createServer((_, response) => response.writeHead(404).end());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      mesh.peers.push(new TestPeer(name, server));
    }
    return mesh;
  }

  peer(name: string): TestPeer {
    return this.peers.find((peer) => peer.name === name)!;
  }

  roster(names: readonly string[]): Map<string, string> {
    return new Map(names.map((name) => [name, `127.0.0.1:${this.peer(name).port}`]));
  }

  dirOf(name: string): string {
    return join(this.dir, name);
  }

  async close(): Promise<void> {
    await Promise.all(this.peers.map((peer) => peer.close()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Polls until the condition holds. */
export async function until(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
