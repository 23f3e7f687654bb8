/**
 * PostgreSQL's advisory locks: one server with its defaults, but room for all connections; locks of the session, by
 * the hash of the name, in prepared statements. Nothing of such a lock is on disk or on another server.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePorts } from '../../process/cluster.ts';
import type { Guard } from '../guard.ts';
import { type Client, installed, once, type Servers } from './rival.ts';

/** Where Debian keeps what belongs to one version of the server. */
const VERSIONS = '/usr/lib/postgresql';
const CONNECTIONS = 600;

/** The folder of the newest server, with a slash; empty if it is on the path; undefined if there is none. */
function findPrograms(): string | undefined {
  if (installed('postgres') && installed('initdb')) return '';
  try {
    const newest = Math.max(...readdirSync(VERSIONS).map(Number).filter(Number.isFinite));
    return installed(`${VERSIONS}/${newest}/bin/initdb`) ? `${VERSIONS}/${newest}/bin/` : undefined;
  } catch {
    return undefined;
  }
}

/** It refuses to run as root: then it runs as the user that its package made. */
function findUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim());
  return { uid: id('-u'), gid: id('-g') };
}

export function missing(): string | undefined {
  if (findPrograms() === undefined) return 'PostgreSQL (Debian: postgresql)';
  return (findUser()?.uid ?? 1) > 0 ? undefined : 'the user postgres, as PostgreSQL does not run as root';
}

export async function start(guard: Guard): Promise<Servers> {
  const programs = findPrograms()!;
  const user = findUser();
  const dir = guard.makeDir();
  if (user !== undefined) chownSync(dir, user.uid, user.gid);
  const data = join(dir, 'data');
  const options = { ...user, cwd: dir, stdio: 'ignore' as const };
  const init = ['-D', data, '-U', 'bench', '--auth=trust', '--locale=C', '-E', 'UTF8'];
  execFileSync(`${programs}initdb`, init, options);
  const [port] = (await freePorts(1)) as [number];
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: CONNECTIONS,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  // SIGTERM would wait until all clients are gone; after SIGQUIT its data needs a recovery that nobody will want.
  const child = guard.spawn(`${programs}postgres`, ['-D', data, ...flags], options, 'SIGQUIT');
  await once('postgres answers', async () => {
    const client = await open(port);
    await client.end();
    return true;
  });
  return { address: String(port), pids: () => [child.pid!] };
}

async function open(port: number): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'bench', database: 'postgres' });
  await client.connect();
  return client;
}

const LOCK = { name: 'lock', text: 'select pg_advisory_lock(hashtextextended($1, 0))' };
const UNLOCK = { name: 'unlock', text: 'select pg_advisory_unlock(hashtextextended($1, 0))' };

class PostgresClient implements Client {
  private readonly client: pg.Client;

  constructor(client: pg.Client) {
    this.client = client;
  }

  async acquire(scope: string): Promise<() => Promise<void>> {
    const values = [scope];
    await this.client.query({ ...LOCK, values });
    return async () => {
      await this.client.query({ ...UNLOCK, values });
    };
  }

  close(): Promise<void> {
    return this.client.end();
  }
}

/** A session holds its locks, so each caller has a session of its own. */
export function connect(address: string, callers: number): Promise<readonly Client[]> {
  const port = Number(address);
  return Promise.all(Array.from({ length: callers }, async () => new PostgresClient(await open(port))));
}
