/**
 * A real `quorate up` on free ports and a temporary directory, for tests.
 * Always true: `stop` ends it and all of its peers, and removes its data.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The build that is tried; QUORATE_TEST_MAIN names another one. */
export const MAIN = process.env.QUORATE_TEST_MAIN ?? join(ROOT, 'dist/src/cli/main.js');

/** A test of an old build proves nothing. */
function checkBuild(): void {
  const newest = Math.max(
    ...readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).map(
      (name) => statSync(join(ROOT, 'src', name)).mtimeMs,
    ),
  );
  if (existsSync(MAIN) && statSync(MAIN).mtimeMs >= newest - 1_000) return;
  if (process.env.QUORATE_TEST_MAIN === undefined)
    throw new Error('the build is missing or old: npm run build');
}

export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  ms = 30_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(25);
  }
}

/** The first of `count` ports in a row that are free at present. */
export async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = 21_000 + Math.floor(Math.random() * 10_000);
    const servers = await Promise.all(
      Array.from({ length: count }, (_, i) => {
        const server = createServer();
        return new Promise<typeof server | undefined>((resolve) => {
          server.once('error', () => resolve(undefined));
          server.listen(first + i, '127.0.0.1', () => resolve(server));
        });
      }),
    );
    for (const server of servers) server?.close();
    if (servers.every((server) => server !== undefined)) return first;
  }
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs `quorate` to its end. */
export async function quorate(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  checkBuild();
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const seen = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    seen.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    seen.err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, ...seen };
}

export class Up {
  readonly dir = join(mkdtempSync(join(tmpdir(), 'quorate-up-')), 'data');
  port = 0;
  out = '';
  err = '';
  code: number | null | undefined;
  private child: ChildProcess | undefined;

  /** Starts it; resolves once it said `ready`. */
  static async start(peers = 3, flags: readonly string[] = []): Promise<Up> {
    const up = new Up();
    up.port = await freePorts(peers);
    await up.launch(['--peers', String(peers), ...flags]);
    return up;
  }

  async launch(flags: readonly string[] = []): Promise<void> {
    checkBuild();
    this.out = '';
    this.err = '';
    this.code = undefined;
    const args = [MAIN, 'up', '--port', String(this.port), '--data-dir', this.dir, ...flags];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    child.stdout.on('data', (chunk) => {
      this.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      this.err += chunk;
    });
    child.on('close', (code) => {
      this.code = code;
    });
    await until('up is ready', () => {
      if (this.code !== undefined) throw new Error(`up ended with ${this.code}: ${this.err}`);
      return /^(ready|\{"event":"ready")/m.test(this.out);
    });
  }

  get pid(): number {
    return this.child!.pid!;
  }

  /** The process of a peer, as it was printed last. */
  pidOf(name: string): number {
    return Number([...this.out.matchAll(new RegExp(`^  ${name} .*process (\\d+)$`, 'gm'))].at(-1)?.[1]);
  }

  url(peer = 1): string {
    return `http://127.0.0.1:${this.port + peer - 1}`;
  }

  /** Asks it to end, as Ctrl-C does. @returns its exit code. */
  async end(signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
    process.kill(this.pid, signal);
    await until('up ended', () => this.code !== undefined);
    return this.code!;
  }

  async stop(): Promise<void> {
    if (this.child !== undefined && this.code === undefined) await this.end('SIGTERM');
    rmSync(join(this.dir, '..'), { recursive: true, force: true });
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Sends these bytes. @returns all that comes back until the other side closes, or until `enough` says so. */
export async function send(
  port: number,
  bytes: string | Uint8Array,
  enough?: (text: string) => boolean,
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.write(bytes);
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk;
      if (enough?.(text) === true) resolve();
    });
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
  });
  socket.destroy();
  return text;
}
