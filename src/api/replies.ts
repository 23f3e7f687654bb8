/**
 * From what the core says to what HTTP answers with 200.
 * Always true: a reply becomes an answer only if it proves what the answer says; everything else becomes a
 * Problem, which is thrown. Nothing here decides anything.
 */
import { type Grant, NO_EXPIRY, type SessionId } from '../lock/state.ts';
import type { SessionEntry } from '../peer/messages.ts';
import type { ClientReply } from '../peer/request.ts';
import type {
  Cancelled,
  Locked,
  SessionBeat,
  SessionClosed,
  SessionOpen,
  Status,
  Unlocked,
} from './answers.ts';
import {
  type Decided,
  noHeartbeat,
  refusal,
  type Subject,
  sessionRefusal,
  unlockRefusal,
} from './refusals.ts';
import { contentionView, leaseView, leftView, quorumText, slotView, statusView } from './views.ts';

/** What a reply proves that says a lock is held. */
export interface Held {
  readonly reply: Decided;
  readonly grant: Grant;
  /** Whether this very request set the lease; if not it starts no count (T1). */
  readonly sets: boolean;
  /** The holder's count begins at its send plus this / 1.01 (T4); 0 where there is no count. */
  readonly waitedMs: number;
}

/** undefined: the reply does not say that a lock is held. */
export function heldBy(reply: ClientReply): Held | undefined {
  if (reply.kind !== 'decided') return undefined;
  const { outcome } = reply;
  switch (outcome.kind) {
    case 'granted':
    case 'already_held':
    case 'extended':
    case 'converted': {
      // What set no lease starts no count: a conversion keeps the lease that was there (L9, T1).
      const sets = outcome.kind === 'extended' || (outcome.kind === 'granted' && !outcome.repeat);
      const waitedMs = sets ? Math.floor(reply.countFromMs) : 0;
      return { reply, grant: outcome.grant, sets, waitedMs };
    }
    default:
      return undefined;
  }
}

/** What is left of the lease that a reply is about; -1: it never ends. */
export function leftOf({ view }: Decided): number {
  return view.leftMs[0] ?? 0;
}

/** @param timeout what the request said of the lease, repeated in the answer; undefined: it said nothing. */
export function lockedAnswer(
  reply: ClientReply,
  subject: Subject,
  timeout: string | number | undefined,
): Locked {
  const held = heldBy(reply);
  if (held === undefined) throw refusal(reply, subject);
  const { grant, sets, waitedMs } = held;
  const { votes, voters, view } = held.reply;
  return {
    status: 'locked',
    scope: subject.scope,
    quorum: quorumText(votes, voters),
    holder: grant.holder,
    lock_id: grant.lockId,
    lock_type: grant.mode,
    fencing_token: grant.token,
    ...slotView(grant),
    timeout: timeout ?? leaseText(grant),
    timeout_ms: leaseView(grant.leaseMs),
    expires_in_ms: leftView(leftOf(held.reply)),
    acquired_at: new Date(grant.at).toISOString(),
    waited_ms: waitedMs,
    priority: grant.priority,
    reason: grant.reason,
    session: grant.session,
    ...(sets ? undefined : { already_held: true as const }),
    contention: contentionView(view.contention),
  };
}

function leaseText({ leaseMs }: Grant): string {
  return leaseMs === NO_EXPIRY ? 'none' : `${leaseMs}ms`;
}

/** A sign of life was taken, and the lock is there. */
export function beatenAnswer(reply: ClientReply, subject: Subject): Locked {
  const { outcome, beat, lockId, view } = decided(reply, subject);
  const known = outcome.kind === 'granted' || outcome.kind === 'queued';
  const held = outcome.kind === 'not_found' && view.holders.some((grant) => grant.lockId === lockId);
  if ((known && !beat) || held) throw noHeartbeat(reply as Decided, subject);
  return lockedAnswer(reply, subject, undefined);
}

export function unlockedAnswer(reply: ClientReply, subject: Subject): Unlocked {
  if (reply.kind !== 'decided' || reply.outcome.kind !== 'released') throw unlockRefusal(reply, subject);
  const { outcome, view, votes, voters, lockId } = reply;
  return {
    status: 'unlocked',
    scope: subject.scope,
    quorum: quorumText(votes, voters),
    lock_id: lockId ?? '',
    fencing_token: outcome.token,
    contention: contentionView(view.contention),
  };
}

/** A lock that was granted before it could be given up is held, and told as such. */
export function cancelledAnswer(reply: ClientReply, subject: Subject): Cancelled | Locked {
  const { outcome, view, votes, voters, lockId } = decided(reply, subject);
  if (outcome.kind !== 'cancelled') return lockedAnswer(reply, subject, undefined);
  return {
    status: 'cancelled',
    scope: subject.scope,
    quorum: quorumText(votes, voters),
    lock_id: lockId ?? '',
    contention: contentionView(view.contention),
  };
}

/** @param wallNow milliseconds since 1970. */
export function statusAnswer(reply: ClientReply, subject: Subject, wallNow: number): Status {
  const { outcome, view, votes, voters } = decided(reply, subject);
  if (outcome.kind !== 'state') throw refusal(reply, subject);
  const contention = contentionView(view.contention);
  return statusView(subject.scope, view, quorumText(votes, voters), contention, wallNow);
}

function decided(reply: ClientReply, subject: Subject): Decided {
  if (reply.kind !== 'decided') throw refusal(reply, subject);
  return reply;
}

// --- sessions ---

export function openedAnswer(reply: ClientReply, session: SessionId, voters: readonly string[]): SessionOpen {
  if (reply.kind !== 'decided' || reply.outcome.kind !== 'granted') {
    throw sessionRefusal(reply, session, true, voters);
  }
  return { session, ttl_ms: reply.outcome.grant.leaseMs };
}

/** A session that was beaten: how long it lives without another beat, and what lives with it. */
export function beatenSession(
  reply: ClientReply,
  session: SessionId,
  voters: readonly string[],
): { readonly ttlMs: number; readonly entries: readonly SessionEntry[] } {
  if (reply.kind !== 'decided' || reply.outcome.kind !== 'extended') {
    throw sessionRefusal(reply, session, false, voters);
  }
  return { ttlMs: reply.outcome.grant.leaseMs, entries: reply.view.entries };
}

export function beatAnswer(reply: ClientReply, session: SessionId, voters: readonly string[]): SessionBeat {
  const { ttlMs, entries } = beatenSession(reply, session, voters);
  const locks: SessionBeat['locks'] = [];
  const waiting: SessionBeat['waiting'] = [];
  for (const { scope, lockId, token } of entries) {
    if (token === 0) waiting.push({ scope, lock_id: lockId });
    else locks.push({ scope, lock_id: lockId, fencing_token: token });
  }
  return { session, ttl_ms: ttlMs, locks, waiting };
}

export function closedAnswer(
  reply: ClientReply,
  session: SessionId,
  voters: readonly string[],
): SessionClosed {
  if (reply.kind !== 'decided' || reply.outcome.kind !== 'released') {
    throw sessionRefusal(reply, session, false, voters);
  }
  return { session, status: 'closed' };
}
