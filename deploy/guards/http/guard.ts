/**
 * A guard for routes of a fastify server. Requests name their token in the header `Lock-Fencing-Token`; a stale one is
 * answered 409, and its handler does not run.
 *
 *     const { preHandler, inOrder } = fencing({ scope: () => 'orders', marks });
 *     app.post('/orders', { preHandler }, inOrder(async (request) => { ... }));
 *
 * `preHandler` alone looks before the handler runs, not while it does: it is enough where the handler hands
 * `request.fence` on to a guard of its own, say in SQL. `inOrder` is for a resource that compares nothing.
 * Always true of `inOrder`, within one process: while a handler runs, none with another token of the same scope and
 * slot does, and none with an older token runs after it.
 */
import { EventEmitter, once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Fence, type Marks, StaleTokenError } from '../fence.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The lock that the request came with, once the guard has let it in. */
    fence?: Required<Fence>;
  }
}

export interface FencingOptions {
  /**
   * The lock that guards what this request writes to. The server says so, for a token of another scope means nothing
   * here. If the request names its scope as well (`Lock-Scope`, percent-encoded), it must be this one.
   */
  readonly scope: (request: FastifyRequest) => string;
  /** Where the highest tokens are kept. What a restart forgets, a stale write may use. */
  readonly marks: Marks;
  /** How long a request waits for handlers with an older token, milliseconds; then it is told 503. Default 10 s. */
  readonly patienceMs?: number;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/** Routes that write under the same scope share the two of one call. */
export function fencing({ scope, marks, patienceMs = 10_000 }: FencingOptions) {
  const running = new Map<string, { readonly token: number; count: number }>();
  const ended = new EventEmitter().setMaxListeners(0);

  async function preHandler(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const fence = readFence(request, scope(request));
    if (typeof fence === 'string') return refuse(reply, 400, 'invalid_request', fence);
    try {
      await marks.raise(fence);
    } catch (error) {
      return refuseStale(reply, error);
    }
    request.fence = fence;
    return undefined;
  }

  /** @param handler has ended what it does when its promise settles. */
  function inOrder(handler: Handler): Handler {
    return async (request, reply) => {
      const fence = request.fence;
      if (fence === undefined) throw new Error('inOrder needs the preHandler on the same route');
      const key = JSON.stringify([fence.scope, fence.slot]);
      const signal = AbortSignal.timeout(patienceMs);
      while (running.has(key) && running.get(key)?.token !== fence.fencingToken) {
        try {
          await once(ended, key, { signal });
        } catch {
          return refuse(reply, 503, 'still_running', 'a handler with another token has not ended: try again');
        }
      }
      const here = running.get(key) ?? { token: fence.fencingToken, count: 0 };
      running.set(key, here);
      here.count++;
      try {
        // Asked again, now that nobody else can begin: somebody newer may have come, and gone, during the wait.
        await marks.raise(fence);
        return await handler(request, reply);
      } catch (error) {
        return refuseStale(reply, error);
      } finally {
        here.count--;
        if (here.count === 0) {
          running.delete(key);
          ended.emit(key);
        }
      }
    };
  }

  return { preHandler, inOrder };
}

/** @returns a text that says what is wrong. */
function readFence({ headers }: FastifyRequest, scope: string): Required<Fence> | string {
  const named = headers['lock-scope'];
  if (named !== undefined && named !== encodeURIComponent(scope)) {
    return `Lock-Scope: this is guarded by ${encodeURIComponent(scope)}`;
  }
  const fencingToken = readNumber(headers['lock-fencing-token']);
  if (fencingToken === undefined) return 'Lock-Fencing-Token: give the token that the lock was granted with';
  const slot = readNumber(headers['lock-slot'] ?? '0');
  return slot === undefined ? 'Lock-Slot: give the slot of the permit' : { scope, fencingToken, slot };
}

function readNumber(text: string | string[] | undefined): number | undefined {
  const number = typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A handler that hands its fence on may meet a stale token there. */
function refuseStale(reply: FastifyReply, error: unknown): FastifyReply {
  if (!(error instanceof StaleTokenError)) throw error;
  return refuse(reply, 409, 'stale_token', `${error.message}: stop the work`);
}

function refuse(reply: FastifyReply, status: number, code: string, detail: string): FastifyReply {
  return reply.code(status).type('application/problem+json').send({ status, code, detail });
}
