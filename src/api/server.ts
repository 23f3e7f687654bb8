/**
 * The HTTP door of one peer: what stands in front of its routes and behind them.
 * Always true: every request passes the guard first; every error leaves as a problem; an answer is what typed
 * code built, written with JSON.stringify once; a client that sends slowly or not at all is cut off.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Log, SILENT } from '../mesh/log.ts';
import type { RunningPeer } from '../mesh/types.ts';
import type { ClientReply } from '../peer/request.ts';
import { BODY_BYTES_MAX, emptyBody, readBodies } from './body.ts';
import { ClientDoor } from './client-door.ts';
import { describeRoutes } from './document.ts';
import type { Door } from './door.ts';
import { type Exchange, Exchanges } from './exchange.ts';
import { endWith, fromZod, onClientError, sendProblem, toProblem } from './failures.ts';
import { Guard, type Identity } from './guard.ts';
import { holderMaker } from './ids.ts';
import { type Counters, type Figures, Metrics } from './metrics.ts';
import { Problem } from './problems.ts';
import { addRoutes } from './routes.ts';
import { Waits } from './waits.ts';

export interface ServerOptions {
  readonly peer: RunningPeer;
  readonly version: string;
  /** The host that the peer listens on, and further names under which clients may call it. */
  readonly host: string;
  readonly names?: readonly string[];
  /** How long the votes of a request may take; what it waits in a queue comes on top. Default 5 s. */
  readonly requestMs?: number;
  /** How long a client may take to send its headers, and all of its request. Default 10 s and 20 s. */
  readonly headersMs?: number;
  readonly receiveMs?: number;
  /** What the peer tells of itself, for /metrics. */
  readonly figures?: () => Figures;
  readonly counters?: () => Counters;
  /** Where locks that were released by force are written down. */
  readonly log?: Pick<Log, 'warn'>;
  /** Told of errors that nobody planned for. */
  readonly bug?: (error: unknown) => void;
  /** Takes the upgrades of links between peers, at /mesh; without it they are refused. */
  readonly links?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface Server {
  readonly app: FastifyInstance;
  readonly guard: Guard;
  /**
   * Answers what is under way, sends who waits in a queue to another peer, and ends each connection with its next
   * answer, those of clients' WebSockets with the last one that they have asked for.
   * @returns resolves once nothing is under way; the caller stops the listening before.
   */
  drain(): Promise<void>;
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: Exchange;
    identity: Identity;
  }
  interface FastifyContextConfig {
    /** What the route does, for the figures; the lock route tells by its body. */
    action?: string;
  }
}

const SCOPE_PATH_MAX = 3 * 512;
/** What does not really wait in a queue is answered within this time, mostly. */
const DRAIN_GRACE_MS = 200;
/** A client whose machine is gone says nothing: after this long without a word it is asked whether it is there. */
const KEEP_ALIVE_MS = 10_000;

/** Where clients' WebSockets and the links between peers are upgraded. */
const CLIENTS_PATH = '/client';
const LINKS_PATH = '/mesh';

export async function buildServer(options: ServerOptions): Promise<Server> {
  const { peer, bug = () => undefined } = options;
  const guard = new Guard(options.host, options.names);
  const exchanges = new Exchanges();
  const metrics = new Metrics(peer, options.version, options);
  const waits = new Waits<ClientReply>();
  const door: Door = {
    peer,
    guard,
    requestMs: options.requestMs ?? 5_000,
    makeHolder: holderMaker(peer.name),
    waits,
    log: options.log ?? SILENT,
  };

  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: options.receiveMs ?? 20_000,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: SCOPE_PATH_MAX },
    http: {
      headersTimeout: options.headersMs ?? 10_000,
      connectionsCheckingInterval: 1_000,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    },
    clientErrorHandler: onClientError,
    frameworkErrors: (error, _request, reply) => sendProblem(reply, toProblem(error, bug)),
  }).withTypeProvider<ZodTypeProvider>();

  app.decorateRequest('exchange');
  app.decorateRequest('identity');
  readBodies(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setValidatorCompiler<z.ZodType>(({ schema }) => {
    const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
    return (data) => {
      if (data === null || data === undefined) return { error: emptyBody() };
      const result = schema.safeParse(data);
      return result.success ? { value: result.data } : { error: fromZod(result.error, known) };
    };
  });

  app.addHook('onRequest', (request, reply, next) => {
    request.exchange = exchanges.begin(request.raw, reply.raw);
    reply.header('cache-control', 'no-store');
    try {
      request.identity = guard.admit(request.headers);
    } catch (error) {
      next(error as Error);
      return;
    }
    next();
  });

  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error, bug);
    const body = request.body as { action?: unknown } | null | undefined;
    const action =
      request.routeOptions.config?.action ?? (problem.code === 'invalid_request' ? 'invalid' : body?.action);
    const code = request.exchange?.gone === true ? 'client_gone' : problem.code;
    metrics.count(typeof action === 'string' ? action : 'other', code);
    return sendProblem(reply, problem);
  });

  const routes: { pattern: RegExp; method: string }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/:[a-z]+/g, '[^/]+').replaceAll('.', '\\.')}$`);
    for (const one of [method].flat()) routes.push({ pattern, method: one });
  });
  app.setNotFoundHandler((request) => {
    const path = pathOf(request.raw);
    const methods = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (methods.length === 0) throw unknownRoute(path);
    const allow = methods.join(', ');
    throw new Problem('method_not_allowed', `${request.method} does not work here; ${allow} does.`, {
      allow,
    });
  });

  const clients = new ClientDoor(door, (action, code) => metrics.count(action, code), bug);
  metrics.addClients(clients);
  app.addHook('preClose', (done) => {
    clients.stop();
    done();
  });
  const admitsLink = ({ headers }: IncomingMessage, socket: Duplex): boolean => {
    try {
      guard.admitLink(headers);
      return true;
    } catch (error) {
      endWith(socket, toProblem(error, bug));
      return false;
    }
  };
  app.server.on('upgrade', (request, socket, head) => {
    const path = pathOf(request);
    if (path === CLIENTS_PATH) clients.handleUpgrade(request, socket, head);
    else if (path !== LINKS_PATH || options.links === undefined) endWith(socket, unknownRoute(path));
    else if (admitsLink(request, socket)) options.links(request, socket, head);
  });

  await describeRoutes(app as unknown as FastifyInstance, options.version);
  addRoutes(app, door, metrics);

  return {
    app: app as unknown as FastifyInstance,
    guard,
    drain: async () => {
      const done = Promise.all([exchanges.drain(), clients.drain()]);
      if (waits.size > 0 || clients.waits) await Promise.race([done, sleep(DRAIN_GRACE_MS)]);
      waits.endAll();
      clients.endWaits();
      await done;
    },
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0]!;
}

function unknownRoute(path: string): Problem {
  return new Problem('unknown_route', `${path.slice(0, 200)} is no address of this peer.`);
}
