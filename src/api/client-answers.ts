/**
 * From what the core says to what a client is told.
 * Always true: what is told is what HTTP would tell, with the same proofs; what is refused is thrown as the same
 * Problem. Nothing is computed that only people read.
 */
import type { LockId } from '../lock/state.ts';
import type { ClientReply, ClientRequest, SessionRequest, Which } from '../peer/request.ts';
import type { Locked, PeerMessage, SessionTold, Told } from '../protocol/messages.ts';
import { type Door, notForwarded } from './door.ts';
import { type Problem, problemBody } from './problems.ts';
import { refusal, type Subject, unlockRefusal } from './refusals.ts';
import {
  beatenSession,
  closedAnswer,
  type Held,
  heldBy,
  leftOf,
  openedAnswer,
  statusAnswer,
} from './replies.ts';
import { type ForcedRelease, noteForced } from './requests.ts';

/** @param id the client's number for the request. Throws a Problem if it is refused. */
export function answerOf(door: Door, id: number, request: ClientRequest, reply: ClientReply): PeerMessage {
  const why = notForwarded(door, request, reply);
  if (why !== undefined) throw why;
  switch (request.op) {
    case 'acquire': {
      const held = heldBy(reply);
      if (held === undefined) throw refusal(reply, subjectOf(door, request));
      return locked(id, held, request.lockId, request.named ? request.holder : null);
    }
    case 'extend': {
      const held = heldBy(reply);
      if (held === undefined) throw refusal(reply, subjectOf(door, request));
      return locked(id, held, request.lockId, request.holder);
    }
    case 'release': {
      if (reply.kind !== 'decided' || reply.outcome.kind !== 'released') {
        throw unlockRefusal(reply, subjectOf(door, request));
      }
      const { votes, voters, lockId, outcome } = reply;
      const { token } = outcome;
      return { kind: 'unlocked', id, token, votes, voters, lockId: unlessNamed(lockId, request.lockId) };
    }
    case 'cancel': {
      const held = heldBy(reply);
      if (held !== undefined) return locked(id, held, request.lockId, request.holder);
      if (reply.kind === 'decided' && reply.outcome.kind === 'cancelled') {
        return { kind: 'cancelled', id, votes: reply.votes, voters: reply.voters };
      }
      throw refusal(reply, subjectOf(door, request));
    }
    case 'status': {
      const body = statusAnswer(reply, { scope: request.scope, voters: door.peer.voters }, Date.now());
      return { kind: 'status', id, body };
    }
    case 'heartbeat':
      throw new Error('no message of a client is a heartbeat of a lock');
    default:
      return sessionTold(door, id, request, reply);
  }
}

/** Whether it takes a lock from its holder. */
export function isForced(request: ClientRequest): request is ForcedRelease {
  return request.op === 'release' && request.force !== null;
}

/** Writes down what was taken by force, whether its client still hears of it or not. */
export function noteIfForced(door: Door, request: ClientRequest, reply: ClientReply): void {
  if (!isForced(request) || reply.kind !== 'decided' || reply.outcome.kind !== 'released') return;
  noteForced(door, request, reply.lockId ?? '', reply.outcome.token);
}

/** A refusal, as HTTP says it; what stands in its header Retry-After is `retry_after_s`. */
export function refused(id: number, problem: Problem): Told {
  const { retryAfterS } = problem.extra;
  const body = problemBody(problem);
  if (retryAfterS !== undefined) body.retry_after_s = retryAfterS;
  return { kind: 'refused', id, body };
}

function locked(
  id: number,
  { reply, grant, sets, waitedMs }: Held,
  lockId: LockId | null,
  holder: string | null,
): Locked {
  return {
    kind: 'locked',
    id,
    token: grant.token,
    leaseMs: grant.leaseMs,
    leftMs: leftOf(reply),
    at: grant.at,
    sets,
    waitedMs,
    votes: reply.votes,
    voters: reply.voters,
    waiters: reply.view.contention.waiters,
    slot: grant.slot,
    mode: grant.mode,
    lockId: unlessNamed(grant.lockId, lockId),
    holder: grant.holder === holder ? null : grant.holder,
  };
}

/** What the client knows is not told again. */
function unlessNamed(lockId: LockId | null, named: LockId | null): LockId | null {
  return lockId === named ? null : lockId;
}

function sessionTold(door: Door, id: number, request: SessionRequest, reply: ClientReply): SessionTold {
  const { session } = request;
  const { voters } = door.peer;
  switch (request.op) {
    case 'open_session':
      return { kind: 'session', id, session, ttlMs: openedAnswer(reply, session, voters).ttl_ms, locks: [] };
    case 'beat_session': {
      const { ttlMs, entries } = beatenSession(reply, session, voters);
      return { kind: 'session', id, session, ttlMs, locks: entries };
    }
    case 'close_session':
      closedAnswer(reply, session, voters);
      return { kind: 'session', id, session, ttlMs: 0, locks: [] };
  }
}

function subjectOf(door: Door, { scope, lockId, holder }: Which): Subject {
  return { scope, lockId, holder, voters: door.peer.voters };
}
