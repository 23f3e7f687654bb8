/**
 * The routes of the HTTP door, each with its schemas; what they do stands in the files that they call.
 * Always true: a route authorizes before it acts, and counts what it answered.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import {
  healthAnswer,
  listAnswer,
  lockAnswer,
  peersAnswer,
  problem,
  sessionBeat,
  sessionClosed,
  sessionOpen,
  status,
} from './answers.ts';
import { eventBody } from './answers-events.ts';
import { refuseFields } from './body.ts';
import { documentOf } from './document.ts';
import type { Door } from './door.ts';
import { streamEvents } from './event-stream.ts';
import { notWatchable } from './events.ts';
import { health, readiness } from './health.ts';
import { lockAction, statusOf } from './lock.ts';
import { listLocks } from './locks.ts';
import type { Metrics } from './metrics.ts';
import { listPeers } from './peers.ts';
import { eventsQuery, listQuery, lockRequest, scopePath, sessionPath, sessionRequest } from './schemas.ts';
import { beatSession, closeSession, openSession } from './sessions.ts';

type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

const failures = {
  default: { description: 'A refusal', content: { 'application/problem+json': { schema: problem } } },
};

const events = {
  200: {
    description: 'Events until the connection ends; a comment every 15 s',
    content: { 'text/event-stream': { schema: eventBody } },
  },
  ...failures,
};

const LOCK_WORDS =
  'With `wait` the request stays open until it is granted, or until `wait` or `poll` is over. A holder counts its lease ' +
  'from its own send of the request that set it, plus `waited_ms` / 1.01, and stops when it is over; an answer with ' +
  '`already_held` set none, so it starts no count: extend first. With a session or a heartbeat the lock is held only ' +
  'while the ttl runs too, counted from the send of the last sign of life that was answered.';

export function addRoutes(app: App, door: Door, metrics: Metrics): void {
  const { guard, peer } = door;

  app.post(
    '/api/v1.0/lock',
    {
      schema: {
        summary: 'Lock, unlock, extend, or ask',
        description: LOCK_WORDS,
        body: lockRequest,
        response: { 200: lockAnswer, ...failures },
      },
    },
    async ({ body, identity, headers, exchange }) => {
      const answer = await lockAction(door, body, { identity, headers, exchange });
      metrics.count(body.action, 'ok');
      return answer;
    },
  );

  app.post(
    '/api/v1.0/sessions',
    {
      config: { action: 'open_session' },
      schema: {
        summary: 'Open a session',
        description:
          'Locks that name it live and die with it. It is dead for ever once `ttl` passes without a heartbeat.',
        body: sessionRequest,
        response: { 200: sessionOpen, ...failures },
      },
    },
    async ({ body, identity, headers, exchange }) => {
      const answer = await openSession(door, body, { identity, headers, exchange });
      metrics.count('open_session', 'ok');
      return answer;
    },
  );

  app.post(
    '/api/v1.0/sessions/:id/heartbeat',
    {
      config: { action: 'beat_session' },
      schema: {
        summary: 'A sign of life for a session, which answers with its locks',
        params: sessionPath,
        response: { 200: sessionBeat, ...failures },
      },
    },
    async ({ params: { id }, body, identity, headers, exchange }) => {
      refuseFields(body);
      const answer = await beatSession(door, id, { identity, headers, exchange });
      metrics.count('beat_session', 'ok');
      return answer;
    },
  );

  app.delete(
    '/api/v1.0/sessions/:id',
    {
      config: { action: 'close_session' },
      schema: {
        summary: 'Close a session, and release its locks',
        params: sessionPath,
        response: { 200: sessionClosed, ...failures },
      },
    },
    async ({ params: { id }, identity, headers, exchange }) => {
      const answer = await closeSession(door, id, { identity, headers, exchange });
      metrics.count('close_session', 'ok');
      return answer;
    },
  );

  app.get(
    '/api/v1.0/locks',
    {
      config: { action: 'list' },
      schema: {
        summary: "Held scopes, from this peer's memory",
        querystring: listQuery,
        response: { 200: listAnswer, ...failures },
      },
    },
    async ({ query, identity }) => {
      guard.authorize(identity, 'list', null);
      const answer = await listLocks(peer, query, Date.now());
      metrics.count('list', 'ok');
      return answer;
    },
  );

  app.get(
    '/api/v1.0/locks/:scope',
    {
      config: { action: 'status' },
      schema: {
        summary: 'One scope, by a vote',
        description:
          'The scopes "." and ".." are no segments of a path: ask for them with POST and action status.',
        params: scopePath,
        response: { 200: status, ...failures },
      },
    },
    async ({ params: { scope }, identity }) => {
      guard.authorize(identity, 'status', scope);
      const answer = await statusOf(door, scope);
      metrics.count('status', 'ok');
      return answer;
    },
  );

  app.get(
    '/api/v1.0/events',
    {
      config: { action: 'watch' },
      exposeHeadRoute: false,
      schema: {
        summary: 'What happens to one scope, as server-sent events',
        description:
          'Begins with `watching`; from there on each chosen change is told once, in order. Only a voter can tell it.',
        querystring: eventsQuery,
        response: events,
      },
    },
    async ({ query: { scope }, identity, exchange }, reply) => {
      guard.authorize(identity, 'status', scope);
      const why = notWatchable(door, scope);
      if (why !== undefined) throw why;
      reply.hijack();
      metrics.count('watch', 'ok');
      await streamEvents(door, scope, exchange);
    },
  );

  app.get(
    '/api/v1.0/peers',
    {
      config: { action: 'peers' },
      schema: { summary: 'The mesh', response: { 200: peersAnswer, ...failures } },
    },
    async ({ identity }) => {
      guard.authorize(identity, 'peers', null);
      return listPeers(peer);
    },
  );

  app.get(
    '/healthz',
    {
      config: { action: 'health' },
      schema: { summary: 'Whether this process works', response: { 200: healthAnswer, ...failures } },
    },
    async ({ identity }) => {
      guard.authorize(identity, 'health', null);
      return health(peer);
    },
  );

  app.get(
    '/readyz',
    {
      config: { action: 'health' },
      schema: { summary: 'Whether a quorum works', response: { 200: healthAnswer, ...failures } },
    },
    async ({ identity }) => {
      guard.authorize(identity, 'health', null);
      return readiness(peer);
    },
  );

  app.get(
    '/metrics',
    { config: { action: 'metrics' }, schema: { hide: true } },
    async ({ identity }, reply) => {
      guard.authorize(identity, 'metrics', null);
      reply.header('content-type', metrics.registry.contentType);
      return metrics.registry.metrics();
    },
  );

  let document: string | undefined;
  app.get(
    '/openapi.json',
    { config: { action: 'document' }, schema: { hide: true } },
    async ({ identity }, reply) => {
      guard.authorize(identity, 'document', null);
      document ??= documentOf(app as unknown as FastifyInstance);
      reply.header('content-type', 'application/json; charset=utf-8');
      return document;
    },
  );
}
