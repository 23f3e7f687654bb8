/**
 * A mesh of real `quorate peer` processes on free ports and temporary directories, for tests that kill them.
 * Always true: `stop` ends every process that `start` began, and removes its data.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The build that is tried; QUORATE_TEST_MAIN names another one. */
const BIN =
  process.env.QUORATE_TEST_MAIN ?? fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are judged by the tests that ask for them
  readonly body: any;
}

export interface Node {
  readonly name: string;
  readonly port: number;
  readonly dir: string;
  child: ChildProcess | undefined;
  /** What the process printed since its last start. */
  out: string;
  err: string;
}

/** Asks again and again until it is true. @throws with `what` after `ms`. */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  ms = 20_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  for (;;) {
    if (await check()) return;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(
    servers.map((server) => new Promise<void>((done) => server.listen(0, '127.0.0.1', done))),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

export class Cluster {
  readonly nodes: Node[] = [];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 256 });
  private root = '';
  /** Whether the test is over: clients that wait give up. */
  stopped = false;

  /** Makes the peers p1 to pn, and starts them unless told not to. Resolves once a quorum answers. */
  static async start(n: number, options: { readonly start?: boolean } = {}): Promise<Cluster> {
    const cluster = new Cluster();
    cluster.root = await mkdtemp(join(tmpdir(), 'quorate-'));
    const ports = await freePorts(n);
    for (const [i, port] of ports.entries()) {
      const name = `p${i + 1}`;
      cluster.nodes.push({ name, port, dir: join(cluster.root, name), child: undefined, out: '', err: '' });
    }
    if (options.start === false) return cluster;
    for (const node of cluster.nodes) cluster.launch(node);
    await cluster.ready();
    return cluster;
  }

  get roster(): string {
    return this.nodes.map(({ name, port }) => `${name}=127.0.0.1:${port}`).join(',');
  }

  node(name: string): Node {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node === undefined) throw new Error(`no peer ${name}`);
    return node;
  }

  /** @param roster another roster than the cluster's own, as `--roster` takes it. */
  launch(node: Node, roster: string = this.roster, flags: readonly string[] = []): void {
    if (node.child !== undefined) throw new Error(`${node.name} runs`);
    node.out = '';
    node.err = '';
    const listen = `127.0.0.1:${node.port}`;
    const args = [
      BIN,
      'peer',
      '--name',
      node.name,
      '--listen',
      listen,
      '--roster',
      roster,
      '--data-dir',
      node.dir,
      ...flags,
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    node.child = child;
    child.stdout.on('data', (chunk) => {
      node.out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      node.err += chunk;
    });
    child.on('exit', () => {
      if (node.child === child) node.child = undefined;
    });
  }

  /** Resolves once all running peers say that a quorum answers. */
  async ready(ms = 30_000): Promise<void> {
    for (const node of this.nodes) {
      if (node.child === undefined) continue;
      await until(
        `${node.name} is ready`,
        async () => {
          if (node.child === undefined) throw new Error(`${node.name} ended: ${node.err.slice(-2_000)}`);
          return (await this.get(node, '/readyz').catch(() => undefined))?.status === 200;
        },
        ms,
      );
    }
  }

  signal(node: Node, signal: NodeJS.Signals): void {
    node.child?.kill(signal);
  }

  /** Ends the process at once, as a power cut would. */
  async kill(node: Node): Promise<void> {
    await this.end(node, 'SIGKILL');
  }

  async end(node: Node, signal: NodeJS.Signals): Promise<number | null> {
    const { child } = node;
    if (child === undefined) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const code = await ended;
    node.child = undefined;
    return code;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    for (const node of this.nodes) this.signal(node, 'SIGCONT');
    await Promise.all(this.nodes.map((node) => this.end(node, 'SIGKILL')));
    this.agent.destroy();
    await rm(this.root, { recursive: true, force: true });
  }

  /**
   * Sends one command. Rejects if no answer comes, as when the peer dies meanwhile.
   * @param gone closes the connection when it is aborted, as the death of the client would.
   */
  lock(node: Node, body: unknown, timeoutMs = 10_000, gone?: AbortSignal): Promise<Answer> {
    return this.call(node, 'POST', '/api/v1.0/lock', JSON.stringify(body), timeoutMs, gone);
  }

  post(node: Node, path: string, body?: object, timeoutMs = 5_000): Promise<Answer> {
    return this.call(node, 'POST', path, body === undefined ? '' : JSON.stringify(body), timeoutMs);
  }

  get(node: Node, path: string, timeoutMs = 5_000): Promise<Answer> {
    return this.call(node, 'GET', path, '', timeoutMs);
  }

  private call(
    node: Node,
    method: string,
    path: string,
    body: string,
    timeoutMs: number,
    gone?: AbortSignal,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers =
        body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const req = request(
        { agent: this.agent, host: '127.0.0.1', port: node.port, method, path, headers },
        (res) => {
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (chunk) => {
            text += chunk;
          });
          res.on('error', reject);
          res.on('end', () => {
            try {
              resolve({ status: res.statusCode ?? 0, body: text === '' ? null : JSON.parse(text) });
            } catch {
              resolve({ status: res.statusCode ?? 0, body: text });
            }
          });
        },
      );
      req.setTimeout(timeoutMs, () =>
        req.destroy(new Error(`no answer from ${node.name} in ${timeoutMs} ms`)),
      );
      req.on('error', reject);
      gone?.addEventListener('abort', () => req.destroy(new Error('the client is gone')), { once: true });
      req.end(body);
    });
  }
}
