/**
 * Redis: Redlock over three servers, by its published algorithm, and the same with one server. Each with every write
 * flushed (`appendfsync always`), which its authors ask for where a restart must not forget a lock, and with nothing
 * on disk.
 * Always true: a lock counts only if a majority set the key before its validity ended; what was not granted is
 * released everywhere before the next try.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../process/cluster.ts';
import type { Guard } from '../guard.ts';
import { RedisConnection } from './resp.ts';
import { type Client, installed, LEASE_MS, once, type Rival, type Servers } from './rival.ts';

/** Compare and delete, as published. */
const RELEASE =
  'if redis.call("get",KEYS[1]) == ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end';
const RELEASE_SHA = createHash('sha1').update(RELEASE).digest('hex');
/** Of the authors' own implementation: a random delay of up to this before the next try. */
const RETRY_MS = 200;
/** Of the same: what the clocks of the servers may differ by, as a share of the lease, and 2 ms on top. */
const DRIFT = 0.01;

/** Resolves as soon as `enough` of the answers say yes, or no longer can. */
function majority(answers: readonly Promise<boolean>[], enough: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let yes = 0;
    let no = 0;
    for (const answer of answers) {
      answer.then((good) => {
        if (good) yes++;
        else no++;
        if (yes >= enough) resolve(true);
        else if (no > answers.length - enough) resolve(false);
      }, reject);
    }
  });
}

class RedlockClient implements Client {
  private readonly servers: readonly RedisConnection[];
  private readonly enough: number;

  constructor(servers: readonly RedisConnection[]) {
    this.servers = servers;
    this.enough = Math.floor(servers.length / 2) + 1;
  }

  async acquire(scope: string): Promise<() => Promise<void>> {
    for (;;) {
      const value = randomBytes(20).toString('hex');
      const started = performance.now();
      const answers = this.servers.map(
        async (server) => (await server.ask('SET', scope, value, 'NX', 'PX', String(LEASE_MS))) === 'OK',
      );
      const granted = await majority(answers, this.enough);
      const left = LEASE_MS - (performance.now() - started) - (LEASE_MS * DRIFT + 2);
      if (granted && left > 0) return () => this.release(scope, value);
      await this.release(scope, value);
      await sleep(Math.random() * RETRY_MS);
    }
  }

  private async release(scope: string, value: string): Promise<void> {
    const answers = this.servers.map(async (server) => {
      await server.ask('EVALSHA', RELEASE_SHA, '1', scope, value);
      return true;
    });
    await majority(answers, this.enough);
  }

  close(): void {
    for (const server of this.servers) server.close();
  }
}

export function redis(servers: number, persistence: 'flushed' | 'memory'): Rival {
  const saving = persistence === 'flushed' ? ['--appendonly', 'yes', '--appendfsync', 'always'] : [];

  async function start(guard: Guard): Promise<Servers> {
    const ports = await freePorts(servers);
    const children = ports.map((port) => {
      const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', guard.makeDir()];
      return guard.spawn('redis-server', [...where, '--save', '', ...saving], { stdio: 'ignore' });
    });
    for (const port of ports) {
      await once('redis-server answers', async () => {
        const connection = await RedisConnection.open(port);
        await connection.ask('SCRIPT', 'LOAD', RELEASE);
        connection.close();
        return true;
      });
    }
    return { address: ports.join(','), pids: () => children.map(({ pid }) => pid!) };
  }

  async function connect(address: string, callers: number, objects: number): Promise<readonly Client[]> {
    const ports = address.split(',').map(Number);
    const made = await Promise.all(
      Array.from({ length: objects }, async () => {
        return new RedlockClient(await Promise.all(ports.map((port) => RedisConnection.open(port))));
      }),
    );
    return Array.from({ length: callers }, (_, i) => made[i % objects]!);
  }

  const missing = () => (installed('redis-server') ? undefined : 'redis-server');
  return { missing, start, connect };
}
