/**
 * A real PostgreSQL and a real Redis for tests, each on a free port and in a directory of its own.
 * Always true: `stop` ends the server and removes its data. Without the programs `missing` says what to install.
 */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { RedisConnection } from '../bench/rivals/resp.ts';
import { freePorts, until } from './up.ts';

/** Where Debian keeps what belongs to one version of PostgreSQL. */
const VERSIONS = '/usr/lib/postgresql';

function runs(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The folder of the newest server, with a slash; empty if it is on the path. */
function findPostgres(): string | undefined {
  if (runs('postgres') && runs('initdb')) return '';
  try {
    const newest = Math.max(...readdirSync(VERSIONS).map(Number).filter(Number.isFinite));
    return runs(`${VERSIONS}/${newest}/bin/initdb`) ? `${VERSIONS}/${newest}/bin/` : undefined;
  } catch {
    return undefined;
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
function findUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** What has to be installed for the tests of a server; undefined: nothing. */
export const missing = {
  postgres: findPostgres() === undefined ? 'PostgreSQL (Debian: postgresql)' : undefined,
  redis: runs('redis-server') ? undefined : 'Redis (Debian: redis-server)',
};

class Server {
  readonly port: number;
  private readonly child: ChildProcess;
  private readonly dir: string;
  private said = '';

  constructor(port: number, dir: string, command: string, args: readonly string[], options: SpawnOptions) {
    this.port = port;
    this.dir = dir;
    this.child = spawn(command, args, { ...options, cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk) => {
        this.said += chunk;
      });
    }
  }

  async answers(check: () => Promise<unknown>): Promise<this> {
    await until(`${this.child.spawnfile} answers`, async () => {
      if (this.child.exitCode !== null) throw new Error(`${this.child.spawnfile} ended: ${this.said}`);
      return check().then(
        () => true,
        () => false,
      );
    });
    return this;
  }

  /** SIGINT is the fast shutdown of both: SIGTERM makes PostgreSQL wait for its clients. */
  async stop(): Promise<void> {
    this.child.kill('SIGINT');
    await until(`${this.child.spawnfile} ended`, () => this.child.exitCode !== null);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export class Postgres extends Server {
  static async start(): Promise<Postgres> {
    const programs = findPostgres()!;
    const user = findUser();
    const dir = mkdtempSync(join(tmpdir(), 'quorate-postgres-'));
    if (user !== undefined) chownSync(dir, user.uid, user.gid);
    const data = join(dir, 'data');
    const init = ['-D', data, '-U', 'tests', '--auth=trust', '--locale=C', '-E', 'UTF8', '--no-sync'];
    execFileSync(`${programs}initdb`, init, { ...user, cwd: dir, stdio: 'ignore' });
    const port = await freePorts(1);
    const settings = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', fsync: 'off' };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = new Postgres(port, dir, `${programs}postgres`, ['-D', data, ...flags], { ...user });
    return server.answers(() => server.connect().then((client) => client.end()));
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.address);
    await client.connect();
    return client;
  }

  /** Its connections may outlive the server. */
  pool(): pg.Pool {
    return new pg.Pool(this.address).on('error', () => undefined);
  }

  private get address() {
    return { host: '127.0.0.1', port: this.port, user: 'tests', database: 'postgres' };
  }
}

export class Redis extends Server {
  static async start(): Promise<Redis> {
    const dir = mkdtempSync(join(tmpdir(), 'quorate-redis-'));
    const port = await freePorts(1);
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir];
    const server = new Redis(port, dir, 'redis-server', [...where, '--save', ''], {});
    return server.answers(async () => {
      const connection = await RedisConnection.open(port);
      await connection.ask('PING').finally(() => connection.close());
    });
  }

  connect(): Promise<RedisConnection> {
    return RedisConnection.open(this.port);
  }
}
