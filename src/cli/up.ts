/**
 * `quorate up`: a mesh of real peer processes on this machine.
 * Always true: it prints `ready` once a majority of its peers did; a peer that dies is started again; when it ends,
 * however it ends, its peers end too, and what they hold stays in the data.
 */
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { majority } from '../vote/quorum.ts';
import { urlOf, writeAddress } from './address.ts';
import { Child } from './child.ts';
import { checkHolding, claim, writeHolding } from './claim.ts';
import { refuseOpenDoor, type UpOptions } from './options.ts';
import { type Say, sayer } from './say.ts';
import { UsageError } from './settings.ts';
import { onEnd } from './signals.ts';
import { VERSION } from './version.ts';

/** Once a majority is ready, the others get this long to be so too before `ready` is said. */
const STRAGGLER_MS = 1_000;
/** How long a peer may take to end, beyond its longest request. */
const END_SPARE_MS = 5_000;

interface Place {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export async function runUp(options: UpOptions): Promise<void> {
  const { peers, host, 'data-dir': dir } = options;
  const say = sayer(options.json);
  refuseOpenDoor('--host', host, options.insecure);
  const places = placesOf(options);
  const release = claim(dir);
  try {
    checkHolding(dir, peers);
    for (const place of places) await checkFree(place, options);
  } catch (error) {
    release();
    throw error;
  }
  process.once('exit', release);
  writeHolding(dir, peers);

  const mesh = new Mesh(options, places, say);
  const stopped = new Promise<void>((resolve) => {
    const stop = () => {
      say('stopping', 'stopping all peers');
      void mesh.stop().then(resolve);
    };
    onEnd(['SIGINT', 'SIGTERM', 'SIGHUP'], stop, () => mesh.kill());
  });
  mesh.start();
  const failed = await Promise.race([stopped, mesh.failed]);
  if (failed instanceof UsageError) {
    await mesh.stop();
    throw failed;
  }
  say('stopped', `stopped; held locks are kept in ${dir}, and are held again at the next start`, {
    data: dir,
  });
  process.exit(0);
}

function placesOf({ peers, port, host }: UpOptions): readonly Place[] {
  const last = port + peers - 1;
  if (last > 65_535) {
    throw new UsageError(`--port ${port}: ${peers} peers would need ports up to ${last}: choose a lower one`);
  }
  return Array.from({ length: peers }, (_, i) => ({ name: `p${i + 1}`, host, port: port + i }));
}

async function checkFree({ name, host, port }: Place, { peers }: UpOptions): Promise<void> {
  const server = createServer();
  const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen({ host, port, exclusive: true }, () => resolve(undefined));
  });
  if (error === undefined) {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return;
  }
  const where = writeAddress({ host, port });
  switch (error.code) {
    case 'EADDRINUSE':
      throw new UsageError(
        `--port: ${where}, which ${name} needs, is taken: stop what listens there, or choose other ports, ` +
          `such as --port ${port + peers}`,
      );
    case 'EACCES':
      throw new UsageError(`--port: ${where} may not be used by this user: choose a port from 1024 on`);
    default:
      throw new UsageError(`--host: cannot listen on ${where}: ${error.message}`);
  }
}

class Mesh {
  /** Resolves if the peers cannot run at all. */
  readonly failed: Promise<UsageError>;
  private readonly options: UpOptions;
  private readonly places: readonly Place[];
  private readonly say: Say;
  private readonly children: readonly Child[];
  private readonly ready = new Set<string>();
  private readonly onReady: () => void;
  private fail: (error: UsageError) => void = () => undefined;

  constructor(options: UpOptions, places: readonly Place[], say: Say) {
    this.options = options;
    this.places = places;
    this.say = say;
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
    let aMajority = () => {};
    let all = () => {};
    const majorityReady = new Promise<void>((resolve) => {
      aMajority = resolve;
    });
    const allReady = new Promise<void>((resolve) => {
      all = resolve;
    });
    this.onReady = () => {
      if (this.ready.size >= majority(places.length)) aMajority();
      if (this.ready.size === places.length) all();
    };
    void majorityReady.then(() => Promise.race([allReady, sleep(STRAGGLER_MS)])).then(() => this.sayReady());
    this.children = places.map((place) => this.childOf(place));
  }

  start(): void {
    const { peers, 'data-dir': dir } = this.options;
    this.say('up', `quorate ${VERSION}: ${peers} ${peers === 1 ? 'peer' : 'peers'}, data in ${dir}`, {
      peers,
      data: dir,
    });
    for (const child of this.children) child.start();
    const command = `curl -X POST ${urlOf(this.places[0]!)}/api/v1.0/lock -d '{"scope":"db-migration","action":"lock"}'`;
    this.say('try', `try: ${command}`, { command });
  }

  async stop(): Promise<void> {
    await Promise.all(this.children.map((child) => child.stop()));
  }

  kill(): void {
    for (const child of this.children) child.kill();
  }

  private sayReady(): void {
    const { peers } = this.options;
    const quorum = majority(peers);
    this.say('ready', `ready: ${quorum} of ${peers} votes decide; Ctrl-C stops all`, { peers, quorum });
  }

  private childOf(place: Place): Child {
    const { name } = place;
    const { say, options } = this;
    const url = urlOf(place);
    const log = join(options['data-dir'], `${name}.log`);
    return new Child(name, this.argsOf(place), log, options['request-timeout'] + END_SPARE_MS, {
      started: (pid, again) => {
        const text = again ? `  ${name} runs again, process ${pid}` : `  ${name}  ${url}  process ${pid}`;
        say('peer', text, { name, url, pid });
      },
      said: (line) => this.onLine(name, line),
      ended: (why, code, last, pauseMs) => {
        const first = !this.ready.has(name);
        this.ready.delete(name);
        // Before it ever was ready, 2 means that its settings will not do, however often it starts.
        if (code === 2 && first) {
          this.fail(new UsageError(last.replace(/^quorate: /, '') || `${name} ${why}`));
          return;
        }
        const words = last === '' ? '' : `: ${last}`;
        const pause = `${pauseMs / 1_000} s`;
        say('ended', `  ${name} ${why}${words}; starting it again in ${pause}`, {
          name,
          why,
          code,
          last,
          restart_ms: pauseMs,
        });
      },
    });
  }

  private onLine(name: string, line: string): void {
    if (line.startsWith('ready')) {
      this.ready.add(name);
      this.onReady();
    } else this.say('said', `  ${name} ${line}`, { name, line });
  }

  private argsOf({ name, host, port }: Place): string[] {
    const { options } = this;
    const roster = this.places.map((place) => `${place.name}=${writeAddress(place)}`).join(',');
    const main = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
    return [
      ...process.execArgv,
      main,
      'peer',
      ...['--name', name, '--listen', writeAddress({ host, port }), '--roster', roster],
      ...['--data-dir', join(options['data-dir'], name)],
      ...['--request-timeout', `${options['request-timeout']}ms`, '--log-level', options['log-level']],
      ...(options['allow-host'].length === 0 ? [] : ['--allow-host', options['allow-host'].join(',')]),
      ...(options.insecure ? ['--insecure'] : []),
    ];
  }
}
