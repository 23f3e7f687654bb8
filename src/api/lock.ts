/**
 * POST /api/v1.0/lock: lock, unlock, status and extend.
 * Always true: a grant whose answer cannot reach its client any more is given back, if nobody else can know its
 * lock id (T4); the answer repeats the decision of the vote and adds nothing to it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { LockId } from '../lock/state.ts';
import { NO_EXPIRY } from '../lock/state.ts';
import type { AcquireRequest, Which } from '../peer/request.ts';
import type { Locked, Status, Unlocked } from './answers.ts';
import { ask, type Door, makeLockId } from './door.ts';
import type { Exchange } from './exchange.ts';
import type { Identity } from './guard.ts';
import { invalid } from './problems.ts';
import { lockedAnswer, statusAnswer, unlockedAnswer } from './replies.ts';
import { AUTO_MAX_MS, faultOfName, HOLDER_BYTES_MAX, type LockRequest } from './schemas.ts';

/** What the connection tells besides the body. */
export interface Caller {
  readonly identity: Identity;
  readonly headers: IncomingHttpHeaders;
  readonly exchange: Exchange;
}

export async function lockAction(
  door: Door,
  body: LockRequest,
  caller: Caller,
): Promise<Locked | Unlocked | Status> {
  const { scope, action } = body;
  door.guard.authorize(caller.identity, action, scope);
  switch (action) {
    case 'lock':
      return lock(door, body, caller);
    case 'unlock':
      return unlockedAnswer(await ask(door, { op: 'release', ...which(body, caller) }), subject(door, scope));
    case 'status':
      return statusOf(door, scope);
    case 'extend': {
      const leaseMs = leaseOf(body);
      const reply = await ask(door, { op: 'extend', ...which(body, caller), leaseMs, replaces: null });
      return lockedAnswer(reply, subject(door, scope), saidOf(body));
    }
  }
}

export async function statusOf(door: Door, scope: string): Promise<Status> {
  return statusAnswer(await ask(door, { op: 'status', scope }), subject(door, scope));
}

async function lock(door: Door, body: LockRequest, caller: Caller): Promise<Locked> {
  const { scope, lock_id: given } = body;
  const chosen = holderOf(body, caller);
  const request: AcquireRequest = {
    op: 'acquire',
    scope,
    lockId: given === undefined ? makeLockId() : (given as LockId),
    made: given === undefined,
    holder: chosen ?? door.makeHolder(),
    named: chosen !== undefined,
    leaseMs: leaseOf(body),
    repeat: (body.repeat ?? 0) > 0,
    at: Date.now(),
  };
  const reply = await ask(door, request, caller.exchange);
  const granted = reply.kind === 'decided' && reply.outcome.kind === 'granted' && !reply.outcome.repeat;
  if (granted && request.made && caller.exchange.lost) {
    // Nobody waits for the outcome: if this fails, the lease ends it.
    void ask(door, { op: 'release', scope, lockId: request.lockId, holder: null }).catch(() => undefined);
  }
  return lockedAnswer(reply, subject(door, scope), saidOf(body));
}

function subject(door: Door, scope: string) {
  return { scope, voters: door.peer.voters };
}

function which(body: LockRequest, caller: Caller): Which {
  const lockId = (body.lock_id ?? null) as LockId | null;
  return { scope: body.scope, lockId, holder: holderOf(body, caller) ?? null };
}

/** The field, else the header; undefined if neither is there. */
function holderOf(body: LockRequest, { headers }: Caller): string | undefined {
  if (body.holder !== undefined) return body.holder;
  const header = headers['x-lock-holder'];
  if (typeof header !== 'string') return undefined;
  // Node reads headers as Latin-1; what was sent as UTF-8 is the same name as in the field.
  const text = Buffer.from(header, 'latin1').toString('utf8');
  const fault = text.includes('\uFFFD') ? 'is no valid UTF-8' : faultOfName(text, HOLDER_BYTES_MAX);
  if (fault === undefined) return text;
  const detail = `${fault}: give 1 to ${HOLDER_BYTES_MAX} bytes of UTF-8, no control characters`;
  throw invalid([{ field: 'X-Lock-Holder', detail }]);
}

/** The lease in milliseconds, or NO_EXPIRY. `auto` chooses the maximum as long as nothing is learned. */
function leaseOf({ timeout, max_timeout: max }: LockRequest): number {
  if (timeout?.said === 'none') return NO_EXPIRY;
  return timeout?.ms ?? max ?? AUTO_MAX_MS;
}

function saidOf({ timeout }: LockRequest): string | number {
  return timeout?.said ?? 'auto';
}
