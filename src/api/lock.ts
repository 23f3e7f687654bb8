/**
 * POST /api/v1.0/lock: lock, unlock, status, extend, heartbeat and cancel.
 * Always true: a grant whose answer cannot reach its client any more is given back, if nobody else can know its
 * lock id (T4); the answer repeats the decision of the vote and adds nothing to it; what was taken from its holder
 * by force is written down, with who and why.
 */
import type { FencingToken, LockId, SessionId } from '../lock/state.ts';
import { NO_EXPIRY } from '../lock/state.ts';
import type { AcquireRequest, ExtendRequest, SessionWish, Which } from '../peer/request.ts';
import { implicitSession } from '../peer/sessions.ts';
import type { Cancelled, Locked, Status, Unlocked } from './answers.ts';
import { type Caller, holderOf } from './caller.ts';
import { ask, type Door, giveBack } from './door.ts';
import { makeLockId } from './ids.ts';
import type { Subject } from './refusals.ts';
import { beatenAnswer, cancelledAnswer, lockedAnswer, statusAnswer, unlockedAnswer } from './replies.ts';
import { autoLease, cancelsNothing, forcedRelease, noteForced } from './requests.ts';
import { BEATS_PER_TTL, type LockRequest } from './schemas.ts';

export async function lockAction(
  door: Door,
  body: LockRequest,
  caller: Caller,
): Promise<Locked | Unlocked | Status | Cancelled> {
  const { scope, action } = body;
  door.guard.authorize(caller.identity, body.force === true ? 'force' : action, scope);
  switch (action) {
    case 'lock':
      return lock(door, body, caller);
    case 'unlock':
      return unlock(door, body, caller);
    case 'status':
      return statusOf(door, scope);
    case 'extend':
      return extend(door, body, caller);
    case 'heartbeat': {
      const reply = await ask(door, { op: 'heartbeat', ...which(body, caller) });
      return beatenAnswer(reply, subject(door, body));
    }
    case 'cancel': {
      const meant = which(body, caller);
      if (meant.lockId === null && meant.holder === null) throw cancelsNothing();
      return cancelledAnswer(
        await ask(door, { op: 'cancel', ...meant, at: Date.now() }),
        subject(door, body),
      );
    }
  }
}

export async function statusOf(door: Door, scope: string): Promise<Status> {
  const reply = await ask(door, { op: 'status', scope });
  return statusAnswer(reply, { scope, voters: door.peer.voters }, Date.now());
}

async function lock(door: Door, body: LockRequest, caller: Caller): Promise<Locked> {
  const { scope, lock_id: given, lock_type: mode = 'write', priority = 'normal', reason = null } = body;
  const chosen = holderOf(body.holder, caller);
  const lockId = given === undefined ? makeLockId() : (given as LockId);
  const request: AcquireRequest = {
    op: 'acquire',
    scope,
    lockId,
    made: given === undefined,
    holder: chosen ?? door.makeHolder(),
    named: chosen !== undefined,
    mode,
    permits: body.permits ?? 0,
    priority,
    reason,
    session: sessionOf(body, lockId),
    leaseMs: leaseOf(body),
    waitMs: body.wait ?? 0,
    pollMs: body.poll ?? null,
    repeat: body.repeat ?? 0,
    at: Date.now(),
  };
  const reply = await ask(door, request, caller.exchange);
  if (request.made && caller.exchange.gone) giveBack(door, request, reply); // nobody waits for the outcome
  return lockedAnswer(reply, { ...subject(door, body), lockId }, body.timeout?.said ?? 'auto');
}

async function unlock(door: Door, body: LockRequest, caller: Caller): Promise<Unlocked> {
  const { scope, force, reason } = body;
  const at = Date.now();
  if (force !== true) {
    const meant = which(body, caller);
    const reply = await ask(door, { op: 'release', ...meant, force: null, at });
    return unlockedAnswer(reply, { ...subject(door, body), holder: meant.holder });
  }
  // With force a holder name says who does it, not whose lock it is.
  const by = holderOf(body.holder, caller) ?? caller.identity.kind;
  const release = forcedRelease(scope, (body.lock_id ?? null) as LockId | null, by, reason!, at);
  const answer = unlockedAnswer(await ask(door, release), subject(door, body));
  noteForced(door, release, answer.lock_id, answer.fencing_token);
  return answer;
}

async function extend(door: Door, body: LockRequest, caller: Caller): Promise<Locked> {
  const { lock_type: mode = null, timeout } = body;
  const request: ExtendRequest = {
    op: 'extend',
    ...which(body, caller),
    leaseMs: mode !== null && timeout === undefined ? null : leaseOf(body),
    replaces: null,
    mode,
    token: (body.fencing_token ?? null) as FencingToken | null,
    waitMs: mode === null ? 0 : (body.wait ?? 0),
    at: Date.now(),
  };
  // A conversion that comes late must not act on what its client asked for since (L9): it ends with its client.
  const reply = await ask(door, request, mode === null ? undefined : caller.exchange);
  const said = request.leaseMs === null ? undefined : (timeout?.said ?? 'auto');
  return lockedAnswer(reply, subject(door, body), said);
}

function subject(door: Door, { scope, lock_id: lockId, poll }: LockRequest): Subject {
  const named = lockId === undefined ? {} : { lockId: lockId as LockId };
  return { scope, voters: door.peer.voters, ...named, polls: poll !== undefined };
}

function which(body: LockRequest, caller: Caller): Which {
  const lockId = (body.lock_id ?? null) as LockId | null;
  return { scope: body.scope, lockId, holder: holderOf(body.holder, caller) ?? null };
}

/** The id of a session opened for this lock alone derives from it, so that a repeat meets it again (L4). */
function sessionOf({ scope, session, heartbeat }: LockRequest, lockId: LockId): SessionWish | null {
  if (session !== undefined) return { id: session as SessionId, ttlMs: 0, implicit: false };
  if (heartbeat === undefined) return null;
  return { id: implicitSession(lockId, scope), ttlMs: BEATS_PER_TTL * heartbeat, implicit: true };
}

/** The lease in milliseconds, or NO_EXPIRY. */
function leaseOf({ timeout, max_timeout: max }: LockRequest): number {
  if (timeout?.said === 'none') return NO_EXPIRY;
  return timeout?.ms ?? autoLease(max);
}
