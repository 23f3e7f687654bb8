/**
 * `quorate peer`: one peer in the foreground.
 * Always true: it says `ready` only after a majority has answered a real read; after a failed flush or a broken
 * invariant it says nothing more to anybody but a last line on stderr, and ends with 1; TERM and INT answer what is
 * under way, then end with 0; started by `quorate up`, it ends when that ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, pino } from 'pino';
import { refusedText } from '../api/door.ts';
import { buildServer, type Server } from '../api/server.ts';
import { Runner } from '../mesh/runner.ts';
import { registerCodec } from '../store/registers.ts';
import { openStore, type Store, StoreError } from '../store/store.ts';
import type { RegisterWrite, StoredRegister } from '../vote/acceptor.ts';
import { type Address, readAddress, urlOf, writeAddress } from './address.ts';
import { type PeerOptions, refuseOpenDoor } from './options.ts';
import { reason, sayer } from './say.ts';
import { UsageError } from './settings.ts';
import { onEnd } from './signals.ts';
import { VERSION } from './version.ts';

const LOOK_MS = 50;
const PROBE_MS = 1_000;
/** How long a drain may take beyond the longest request. */
const DRAIN_SPARE_MS = 1_000;
const PROBE_SCOPE = 'quorate/ready';

export async function runPeer(options: PeerOptions): Promise<void> {
  const { name, roster } = options;
  const say = sayer(options.json);
  if (!options.observer && !roster.has(name)) {
    throw new UsageError(
      `--roster: has no ${name}: a peer that votes is in it; add ${name}=HOST:PORT, or --observer for one that only forwards`,
    );
  }
  const listen = listenAddress(options);
  refuseOpenDoor('--listen', listen.host, options.insecure);
  const log = logger(options);
  const fatal = (error: unknown): never => {
    log.fatal({ err: error }, 'this peer cannot go on');
    process.stderr.write(`quorate: ${name} cannot go on: ${reason(error)}\n`);
    process.exit(1);
  };
  process.on('uncaughtException', fatal);
  process.on('unhandledRejection', fatal);

  const store = await openVotes(options['data-dir']);
  const address = options.advertise === undefined ? roster.get(name) : writeAddress(options.advertise);
  const runner = new Runner({
    name,
    address: address ?? writeAddress(listen),
    roster,
    observer: options.observer,
    disk: store,
    log,
    fatal,
    onStanding: (standing) => {
      if (standing.kind === 'refused')
        say('refused', `refused: ${refusedText(standing)}`, { name, mend: standing.mend });
    },
  });
  const server = await buildServer({
    peer: runner,
    version: VERSION,
    host: listen.host,
    names: [...[...roster.values()].map(hostOf), ...options['allow-host']],
    requestMs: options['request-timeout'],
    figures: () => runner.sizes,
    counters: () => runner.counters,
    log,
    bug: (error) => log.error({ err: error }, 'a request met an error that nobody planned for'),
    links: runner.handleUpgrade,
  });
  await open(server, listen);
  log.info({ url: urlOf(listen), data: options['data-dir'], version: VERSION }, 'listening');
  runner.start();

  let stopping = false;
  const stop = async (why: string) => {
    stopping = true;
    log.info({ why }, 'stopping: answering what is under way');
    server.app.server.close();
    await Promise.race([server.drain(), sleep(options['request-timeout'] + DRAIN_SPARE_MS)]);
    await runner.stop();
    server.app.server.closeAllConnections();
    await server.app.close();
    await store.close();
    log.info({}, 'stopped');
    process.exit(0);
  };
  const end = onEnd(
    ['SIGTERM', 'SIGINT'],
    (why) => void stop(why).catch(fatal),
    () => process.exit(1),
  );
  if (process.connected) process.once('disconnect', () => end('disconnect'));

  await quorumAnswers(runner, () => stopping);
  if (stopping) return;
  const does = runner.standing.kind === 'voting' ? 'votes' : 'forwards';
  say('ready', `ready: ${name} ${does} at ${urlOf(listen)}`, { name, url: urlOf(listen), pid: process.pid });
}

function logger({ name, 'log-level': level }: PeerOptions): Logger {
  const out = pino.destination({ fd: 2, sync: true });
  out.on('error', () => undefined); // who read the log is gone: the peer goes on
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime, formatters }, out);
}

function listenAddress({ listen, roster, name }: PeerOptions): Address {
  const own = listen ?? readAddress(roster.get(name) ?? '');
  if (typeof own !== 'string') return own;
  throw new UsageError(`--listen is missing: ${name} has no address in --roster; write HOST:PORT`);
}

function hostOf(address: string): string {
  const read = readAddress(address);
  return typeof read === 'string' ? address : read.host;
}

async function openVotes(dir: string): Promise<Store<StoredRegister, RegisterWrite>> {
  try {
    return await openStore(dir, registerCodec);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_IN_USE') {
      throw new UsageError(`--data-dir: ${error.message}`);
    }
    throw error;
  }
}

async function open({ app }: Server, listen: Address): Promise<void> {
  try {
    await app.listen({ host: listen.host, port: listen.port });
  } catch (error) {
    const where = writeAddress(listen);
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EADDRINUSE':
        throw new UsageError(`--listen: ${where} is taken: stop what listens there, or choose another port`);
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new UsageError(`--listen: ${where} is no address of this machine`);
      case 'EACCES':
        throw new UsageError(`--listen: ${where} may not be used by this user: choose a port from 1024 on`);
    }
    throw error;
  }
}

/** A peer that looks alive may still not answer: only a read that a majority took part in counts. */
async function quorumAnswers(runner: Runner, stopped: () => boolean): Promise<void> {
  while (!stopped()) {
    if (runner.hasQuorum) {
      const reply = await runner.request({ op: 'status', scope: PROBE_SCOPE }, { timeoutMs: PROBE_MS });
      if (reply.kind === 'decided') return;
    }
    await sleep(LOOK_MS);
  }
}
