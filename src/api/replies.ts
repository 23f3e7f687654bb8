/**
 * From what the core says to what HTTP says.
 * Always true: a reply becomes an answer only if it proves what the answer says; everything else becomes a
 * Problem, which is thrown. Nothing here decides anything.
 */
import { type Grant, NO_EXPIRY } from '../lock/state.ts';
import type { Contention } from '../peer/messages.ts';
import type { ClientReply } from '../peer/request.ts';
import { LEASE_MARGIN } from '../vote/limits.ts';
import type { ContentionView, HolderView, Locked, Status, Unlocked } from './answers.ts';
import { prettyDuration } from './durations.ts';
import { Problem, type ProblemExtra } from './problems.ts';

type Decided = ClientReply & { readonly kind: 'decided' };

/** What the request was about, for the words of a refusal. */
export interface Subject {
  readonly scope: string;
  /** Names of the voters: replies count them by index. */
  readonly voters: readonly string[];
}

const RETRY_AFTER_MAX_S = 5;

const ENDINGS = {
  released: 'it was released',
  expired: 'its lease ran out and a majority of the voters ended it',
  cancelled: 'it was given up before it was granted',
} as const;

/** @param timeout what the request said, repeated in the answer. */
export function lockedAnswer(reply: ClientReply, subject: Subject, timeout: string | number): Locked {
  const { outcome, view, votes, voters } = decided(reply, subject);
  if (!('grant' in outcome)) throw refusal(reply, subject);
  const { grant } = outcome;
  const again = outcome.kind === 'already_held' || (outcome.kind === 'granted' && outcome.repeat);
  return {
    status: 'locked',
    scope: subject.scope,
    quorum: quorumText(votes, voters),
    holder: grant.holder,
    lock_id: grant.lockId,
    lock_type: grant.mode,
    fencing_token: grant.token,
    timeout,
    timeout_ms: leaseView(grant.leaseMs),
    expires_in_ms: leftView(view.leftMs[0] ?? 0),
    acquired_at: new Date(grant.at).toISOString(),
    ...(again ? { already_held: true as const } : undefined),
    contention: contentionView(view.contention),
  };
}

export function unlockedAnswer(reply: ClientReply, subject: Subject): Unlocked {
  const { outcome, view, votes, voters, lockId } = decided(reply, subject);
  if (outcome.kind !== 'released') throw refusal(reply, subject);
  return {
    status: 'unlocked',
    scope: subject.scope,
    quorum: quorumText(votes, voters),
    lock_id: lockId ?? '',
    lock_type: 'write',
    fencing_token: outcome.token,
    contention: contentionView(view.contention),
  };
}

export function statusAnswer(reply: ClientReply, subject: Subject): Status {
  const { outcome, view, votes, voters } = decided(reply, subject);
  if (outcome.kind !== 'state') throw refusal(reply, subject);
  return statusView(subject.scope, view, quorumText(votes, voters), contentionView(view.contention));
}

/** What is shown of a scope; the holders' leases stand in `leftMs`, -1 for one that never ends. */
export function statusView(
  scope: string,
  state: { readonly token: number; readonly holders: readonly Grant[]; readonly leftMs: readonly number[] },
  quorum: string,
  contention: ContentionView,
): Status {
  return {
    status: state.holders.length > 0 ? 'locked' : 'free',
    scope,
    quorum,
    lock_type: state.holders[0]?.mode ?? null,
    fencing_token: state.token,
    holders: state.holders.map((grant, i) => holderView(grant, state.leftMs[i] ?? 0)),
    waiters: [],
    contention,
  };
}

function holderView(grant: Grant, leftMs: number): HolderView {
  return {
    holder: grant.holder,
    lock_id: grant.lockId,
    fencing_token: grant.token,
    acquired_at: new Date(grant.at).toISOString(),
    expires_in_ms: leftView(leftMs),
    timeout_ms: leaseView(grant.leaseMs),
    priority: 'normal',
    reason: null,
    session: null,
    takeover_ms: grant.leaseMs === NO_EXPIRY ? null : Math.ceil(grant.leaseMs * LEASE_MARGIN - 1e-6),
  };
}

function leaseView(leaseMs: number): number | null {
  return leaseMs === NO_EXPIRY ? null : leaseMs;
}

function leftView(leftMs: number): number | null {
  return leftMs < 0 ? null : leftMs;
}

export function quorumText(votes: number, voters: number): string {
  return `${votes}/${voters} nodes agreed`;
}

function contentionView({ acquires, conflicts, holds, heldMs }: Contention): ContentionView {
  return {
    waiters: 0,
    hold_duration: holds === 0 ? null : prettyDuration(heldMs / holds),
    conflict_rate: acquires === 0 ? null : `${Math.round((100 * conflicts) / acquires)}%`,
  };
}

// --- refusals ---

function decided(reply: ClientReply, subject: Subject): Decided {
  if (reply.kind !== 'decided') throw refusal(reply, subject);
  return reply;
}

/** The problem that a reply comes to when it is not what was asked for. */
function refusal(reply: ClientReply, subject: Subject): Problem {
  const { scope } = subject;
  switch (reply.kind) {
    case 'no_quorum':
      return noQuorum(subject, reply.missing);
    case 'unknown':
      return unknownOutcome(subject, reply.missing);
    case 'not_holder':
      return notHolder(`${quoted(scope)} is held by ${names(reply.view.holders)}`, reply, scope);
    case 'decided':
      return refusedBy(reply, scope);
  }
}

function refusedBy(reply: Decided, scope: string): Problem {
  const { outcome, lockId } = reply;
  const about = {
    scope,
    ...(lockId === null ? {} : { lock_id: lockId }),
    quorum: quorumText(reply.votes, reply.voters),
  };
  switch (outcome.kind) {
    case 'busy': {
      const left = Math.min(...reply.view.leftMs.map((ms) => (ms < 0 ? Number.POSITIVE_INFINITY : ms)));
      const retryAfterS = Math.min(Math.max(Math.ceil(left / 1_000), 1), RETRY_AFTER_MAX_S);
      const extra = { ...about, holders: holdersOf(reply.view), retryAfterS };
      return new Problem('busy', `${quoted(scope)} is held by ${names(reply.view.holders)}.`, extra);
    }
    case 'mismatch':
      return notHolder(
        `lock_id ${lockId} belongs to another holder's acquisition of ${quoted(scope)}`,
        reply,
        scope,
      );
    case 'ended': {
      const extra = { ...about, ending: outcome.ending, existing: null, fencing_token: outcome.token };
      return new Problem(
        'stale_grant',
        `Lock ${lockId} of ${quoted(scope)} ended: ${ENDINGS[outcome.ending]}.`,
        extra,
      );
    }
    case 'not_found': {
      const what = lockId === null ? 'nobody holds it' : `no lock ${lockId} holds it or ended lately`;
      return new Problem('not_found', `${quoted(scope)}: ${what}.`, about);
    }
    default:
      return new Problem('internal', `The core answered ${outcome.kind}, which fits no request.`, about);
  }
}

function notHolder(why: string, reply: Pick<Decided, 'view' | 'votes' | 'voters'>, scope: string): Problem {
  const holders = holdersOf(reply.view);
  const extra: ProblemExtra = {
    scope,
    quorum: quorumText(reply.votes, reply.voters),
    holders,
    existing: holders[0] ?? null,
  };
  return new Problem('not_holder', `${why}.`, extra);
}

export function noQuorum({ scope, voters }: Subject, missing: readonly number[]): Problem {
  const absent = missing.map((i) => voters[i] ?? `voter ${i}`);
  const who = absent.length === 0 ? 'too few of them answered in time' : `missing: ${absent.join(', ')}`;
  const detail = `No majority of the ${voters.length} voters answers (${who}). Nothing happened.`;
  return new Problem('no_quorum', detail, { scope, missing: absent, retryAfterS: 1 });
}

export function unknownOutcome({ scope, voters }: Subject, missing: readonly number[]): Problem {
  const absent = missing.map((i) => voters[i] ?? `voter ${i}`);
  const who = absent.length === 0 ? 'a majority of the voters' : absent.join(', ');
  const detail = `The answer of ${who} did not come in time; what was asked may have happened, or may yet.`;
  return new Problem('outcome_unknown', detail, { scope, missing: absent, retryAfterS: 1 });
}

function holdersOf({ holders, leftMs }: Decided['view']): HolderView[] {
  return holders.map((grant, i) => holderView(grant, leftMs[i] ?? 0));
}

function names(holders: readonly Grant[]): string {
  return holders.length === 0 ? 'others' : holders.map((grant) => grant.holder).join(', ');
}

function quoted(scope: string): string {
  return JSON.stringify(scope);
}
