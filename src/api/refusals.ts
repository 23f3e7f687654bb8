/**
 * From what the core refuses to the problem that HTTP says.
 * Always true: a refusal tells only what the reply proves; what a reply leaves open is `indefinite`.
 *
 *   reply or outcome             code
 *   busy                         busy             held by others, and it does not wait any more
 *   waiting; queued, upgrading   waiting          in the queue, the place is kept
 *   full; overloaded             overloaded
 *   deadlock                     deadlock
 *   not_holder; mismatch         not_holder       and unlock of what still waits
 *   misfit                       invalid_request  the scope is used in another way at present
 *   ended; outdated              stale_grant
 *   not_found; no_session        not_found        and heartbeat of what has none
 *   no_quorum; unknown           no_quorum; outcome_unknown
 */
import { type Ending, type LockId, type SessionId, WAITERS_MAX } from '../lock/state.ts';
import type { ClientReply } from '../peer/request.ts';
import type { HolderView } from './answers.ts';
import { Problem, type ProblemExtra } from './problems.ts';
import { holdersView, holderView, MODE_WORDS, namesOf, quorumText, quoted } from './views.ts';

export type Decided = ClientReply & { readonly kind: 'decided' };

/** What the request was about, for the words of a refusal. */
export interface Subject {
  readonly scope: string;
  /** Names of the voters: replies count them by index. */
  readonly voters: readonly string[];
  /** The lock id that the request named, or that was made up for it. */
  readonly lockId?: LockId | null;
  /** The holder name by which it meant a lock. */
  readonly holder?: string | null;
  /** Whether the request shall come again soon: its poll ended, and the queue did not turn it away. */
  readonly polls?: boolean;
}

const RETRY_AFTER_MAX_S = 5;
const RETRY_SESSION = 'Send it again. A session that was opened without an answer ends by itself.';

const ENDINGS: Readonly<Record<Ending, string>> = {
  released: 'it was released',
  expired: 'its lease ran out and a majority of the voters ended it',
  cancelled: 'it was given up before it was granted',
  crashed: 'the session that it lived with ended',
  forced: 'it was released by force',
};

/** The problem that a reply comes to when it is not what was asked for. */
export function refusal(reply: ClientReply, subject: Subject): Problem {
  switch (reply.kind) {
    case 'no_quorum':
      return noQuorum(subject.voters, reply.missing, aboutOf(subject));
    case 'unknown':
      return unknownOutcome(subject.voters, reply.missing, aboutOf(subject));
    case 'overloaded':
      return overloaded(reply.limit, aboutOf(subject));
    case 'no_session':
      return noSession(reply.session, subject.scope);
    case 'not_holder':
      return notHolder(`${quoted(subject.scope)} is held by ${namesOf(reply.view.holders)}`, reply, subject);
    case 'waiting':
      return waiting(reply, reply.position, subject);
    case 'decided':
      return refusedBy(reply, { ...subject, lockId: reply.lockId ?? subject.lockId ?? null });
  }
}

function refusedBy(reply: Decided, subject: Subject): Problem {
  const { outcome, view } = reply;
  const { scope, lockId } = subject;
  const name = quoted(scope);
  const about = { ...aboutOf(subject), quorum: quorumText(reply.votes, reply.voters) };
  switch (outcome.kind) {
    case 'busy': {
      const left = Math.min(...view.leftMs.map((ms) => (ms < 0 ? Number.POSITIVE_INFINITY : ms)));
      const retryAfterS = Math.min(Math.max(Math.ceil(left / 1_000), 1), RETRY_AFTER_MAX_S);
      const extra = { ...about, queue_position: outcome.position, holders: holdersView(view), retryAfterS };
      return new Problem('busy', `${name} is held by ${namesOf(view.holders)}.`, extra);
    }
    case 'queued':
      return waiting(reply, outcome.position, subject);
    case 'upgrading':
      return waiting(reply, 1, subject);
    case 'full':
      return overloaded(`${WAITERS_MAX} requests wait for ${name}, the most that one scope admits`, about);
    case 'deadlock': {
      const existing = holderView(outcome.grant, view.leftMs[0] ?? 0);
      const { holder, mode } = outcome.grant;
      const why = `${holder} holds ${name} ${MODE_WORDS[mode]}, and would wait for itself or for another reader that waits to write`;
      return new Problem('deadlock', `${why}.`, { ...about, existing });
    }
    case 'mismatch':
      return notHolder(
        `lock_id ${lockId} belongs to an acquisition of ${name} by another holder, or with another session`,
        reply,
        subject,
      );
    case 'misfit':
      return misfit(outcome.permits, reply, about);
    case 'ended': {
      const { ending, note, token } = outcome;
      const by = note === null ? '' : ` (${note})`;
      const extra = {
        ...about,
        ending,
        ...(note === null ? {} : { note }),
        existing: null,
        fencing_token: token,
      };
      return new Problem('stale_grant', `Lock ${lockId} of ${name} ended: ${ENDINGS[ending]}${by}.`, extra);
    }
    case 'outdated': {
      const existing = holderView(outcome.grant, view.leftMs[0] ?? 0);
      const detail = `Lock ${lockId} of ${name} changed meanwhile: it now has the token ${existing.fencing_token}.`;
      const next =
        'Ask `status` how the lock is held now; if it is still to be converted, send the request again.';
      return new Problem('stale_grant', detail, {
        ...about,
        existing,
        fencing_token: existing.fencing_token,
        next,
      });
    }
    case 'not_found':
      return new Problem('not_found', `${name}: ${absence(reply, lockId ?? null)}.`, about);
    default:
      return new Problem('internal', `The core answered ${outcome.kind}, which fits no request.`, about);
  }
}

/** L10: whoever came first set what the scope is, until nobody holds or waits. */
function misfit(permits: number, { view }: Decided, about: ProblemExtra): Problem {
  const holders = holdersView(view);
  const [field, is, use] =
    permits === 0
      ? ['lock_type', 'a lock', 'use "write" or "read"']
      : ['permits', `a semaphore of ${permits} permits`, `use lock_type "permit" with permits ${permits}`];
  const detail = `does not fit: the scope is ${is} at present: ${use}, or wait until nobody holds or waits for it`;
  const next = 'Use the scope as the others do, or another scope.';
  return new Problem('invalid_request', `${field} ${detail}.`, {
    ...about,
    errors: [{ field, detail }],
    holders,
    next,
  });
}

function absence({ view }: Decided, lockId: LockId | null): string {
  if (lockId !== null) return `no lock ${lockId} is there or ended lately`;
  return view.holders.length === 0 ? 'nobody holds it' : 'nothing of that holder is there';
}

type Voted = Pick<Decided, 'view' | 'votes' | 'voters'>;

/** It is in the queue: not held, not refused either. */
function waiting(reply: Voted, position: number, subject: Subject): Problem {
  const { view, votes, voters } = reply;
  const detail = `${quoted(subject.scope)} is held by ${namesOf(view.holders)}; this request is number ${position} in the queue.`;
  return new Problem('waiting', detail, {
    ...aboutOf(subject),
    quorum: quorumText(votes, voters),
    queue_position: position,
    holders: holdersView(view),
    retryAfterS: subject.polls === true ? 0 : 1,
  });
}

/** Why nothing was unlocked. */
export function unlockRefusal(reply: ClientReply, subject: Subject): Problem {
  return stillWaits(reply, subject) ?? refusal(reply, subject);
}

/** Unlock of what was not granted yet; undefined if it is not so. */
function stillWaits(reply: ClientReply, subject: Subject): Problem | undefined {
  if (reply.kind !== 'decided' && reply.kind !== 'not_holder') return undefined;
  let position = 0;
  let lockId = subject.lockId ?? null;
  if (reply.kind === 'decided') {
    if (reply.outcome.kind !== 'queued') return undefined;
    ({ position } = reply.outcome);
    lockId = reply.lockId ?? lockId;
  } else {
    const { waiters } = reply.view;
    position = 1 + waiters.findIndex(({ holder }) => holder === subject.holder);
    if (position === 0) return undefined;
    lockId = waiters[position - 1]!.lockId;
  }
  const detail = `Lock ${lockId} of ${quoted(subject.scope)} is not held: it waits, as number ${position}.`;
  const next = 'To give it up, use action cancel with this lock_id.';
  const extra = { quorum: quorumText(reply.votes, reply.voters), queue_position: position, next };
  return new Problem('not_holder', detail, { ...aboutOf({ ...subject, lockId }), ...extra });
}

/** Heartbeat of a lock, or of a place in the queue, that has no session which would take it. */
export function noHeartbeat(reply: Decided, subject: Subject): Problem {
  const lockId = reply.lockId ?? subject.lockId ?? null;
  const waits = reply.outcome.kind === 'queued';
  const what = `${waits ? 'The place' : 'The lock'} ${lockId} of ${quoted(subject.scope)}`;
  const next = waits
    ? 'Repeat the lock request with this lock_id to keep its place; send the heartbeats of its session, if it has one, to that.'
    : 'Keep this lock with action extend; it lives by its lease alone.';
  const detail = `${what} has no heartbeat of its own. Nothing changed.`;
  const extra = { quorum: quorumText(reply.votes, reply.voters), next };
  return new Problem('not_found', detail, { ...aboutOf({ ...subject, lockId }), ...extra });
}

export function noSession(session: SessionId, scope?: string): Problem {
  const detail = `Session ${session} is dead or was never opened; a dead session never comes back.`;
  const next = 'Stop the work that its locks guarded, if it had any; open a new session and acquire anew.';
  return new Problem('not_found', detail, { ...(scope === undefined ? {} : { scope }), session, next });
}

/** What any request of a session may come to. */
export function sessionRefusal(
  reply: ClientReply,
  session: SessionId,
  opening: boolean,
  voters: readonly string[],
): Problem {
  const about = opening ? {} : { session };
  switch (reply.kind) {
    case 'no_quorum':
      return noQuorum(voters, reply.missing, about);
    case 'unknown':
      return unknownOutcome(voters, reply.missing, { ...about, next: RETRY_SESSION });
    case 'overloaded':
      return overloaded(reply.limit, about);
    case 'no_session':
      return noSession(session);
    case 'decided': {
      const { kind } = reply.outcome;
      const gone = kind === 'ended' || kind === 'not_found';
      if (gone && !opening) return noSession(session);
    }
  }
  const what = reply.kind === 'decided' ? reply.outcome.kind : reply.kind;
  return new Problem('internal', `The core answered ${what}, which fits no session.`, about);
}

export function overloaded(limit: string, about: ProblemExtra): Problem {
  const detail = `A limit was reached: ${limit}. Nothing happened.`;
  return new Problem('overloaded', detail, { ...about, limit, retryAfterS: 1 });
}

function notHolder(why: string, reply: Voted, subject: Subject): Problem {
  const holders = holdersView(reply.view);
  const { lockId } = subject;
  const named = holders.find((one) => one.lock_id === lockId);
  const existing: HolderView | null = named ?? (lockId == null ? (holders[0] ?? null) : null);
  const quorum = quorumText(reply.votes, reply.voters);
  return new Problem('not_holder', `${why}.`, { ...aboutOf(subject), quorum, holders, existing });
}

function noQuorum(voters: readonly string[], missing: readonly number[], about: ProblemExtra): Problem {
  const absent = missing.map((i) => voters[i] ?? `voter ${i}`);
  const who = absent.length === 0 ? 'too few of them answered in time' : `missing: ${absent.join(', ')}`;
  const detail = `No majority of the ${voters.length} voters answers (${who}). Nothing happened.`;
  return new Problem('no_quorum', detail, { ...about, missing: absent, retryAfterS: 1 });
}

function unknownOutcome(voters: readonly string[], missing: readonly number[], about: ProblemExtra): Problem {
  const absent = missing.map((i) => voters[i] ?? `voter ${i}`);
  const who = absent.length === 0 ? 'a majority of the voters' : absent.join(', ');
  const detail = `The answer of ${who} did not come in time; what was asked may have happened, or may yet.`;
  return new Problem('outcome_unknown', detail, { ...about, missing: absent, retryAfterS: 1 });
}

function aboutOf({ scope, lockId }: Subject): Pick<ProblemExtra, 'scope' | 'lock_id'> {
  return lockId == null ? { scope } : { scope, lock_id: lockId };
}
