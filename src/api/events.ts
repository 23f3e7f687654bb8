/**
 * What happens to a scope, in the words of the API: the live stream that every door of this peer tells.
 * Always true: a stream begins with `watching`; from there on each chosen change is told once, in order, until an `end`
 * or another `watching`, which says that what came between the two may be missing. A promotion is told when it is
 * chosen, in the order of its token; where its client has yet to take it (`claimed` is false), `claimed` follows, or
 * `kept` when the client was away.
 */
import { lengthOf } from '../lock/queue.ts';
import { type Grant, type LockState, NO_TOKEN } from '../lock/state.ts';
import type { Standing } from '../mesh/types.ts';
import { type Fact, isGrant, type News } from '../peer/told.ts';
import type { Ballot } from '../vote/ballot.ts';
import type { EventBody, EventKind } from './answers-events.ts';
import { type Door, forming, refusedText } from './door.ts';
import { Problem } from './problems.ts';
import { leaseView, slotView } from './views.ts';

/** Ends a stream; nothing follows it. */
export function endOf(scope: string, detail: string): EventBody {
  return { event: 'end', scope, detail, at: new Date().toISOString() };
}

/**
 * Tells what happens to the scope from now on. Whoever calls has authorized it, and has seen to `notWatchable`.
 * @param listener called after this has returned, with one body per event. It must not throw.
 * @returns what ends it.
 */
export function watchScope(
  { peer }: Pick<Door, 'peer'>,
  scope: string,
  listener: (body: EventBody) => void,
): () => void {
  return peer.listen(scope, (news) => {
    if (news === null) {
      listener(endOf(scope, 'This peer stops, or does not vote any more: watch at another peer.'));
      return;
    }
    const at = Date.now();
    if (news.begins !== null) listener(watching(news, news.begins, at));
    let n = 0;
    for (const fact of news.facts) {
      n++;
      const body = bodyOf(news, fact, n, at);
      if (body !== undefined) listener(body);
    }
  });
}

/** Why this peer can tell nothing of any scope, or undefined if it can: only who votes sees what is chosen. */
export function notWatchable({ peer }: Pick<Door, 'peer'>, scope: string): Problem | undefined {
  const { standing, voters } = peer;
  const detail = whyNot(standing);
  if (standing.kind === 'forming') return forming(standing.missing, scope);
  if (detail === undefined) return undefined;
  const next = `Watch the scope at a voter: ${voters.join(', ')}.`;
  return new Problem('no_quorum', `${detail} Only voters can tell what happens to a scope.`, { scope, next });
}

function whyNot(standing: Standing): string | undefined {
  if (standing.kind === 'observing') return 'This peer is an observer: it does not vote.';
  return standing.kind === 'refused' ? refusedText(standing) : undefined;
}

function watching({ scope, ballot, version }: News, state: LockState, at: number): EventBody {
  return {
    id: idOf(ballot, version, 0),
    event: 'watching',
    scope,
    status: state.holders.length > 0 ? 'locked' : 'free',
    fencing_token: state.token,
    holders: state.holders.length,
    waiters: lengthOf(state.queue),
    at: new Date(at).toISOString(),
  };
}

/** @param n which of its change it is, from 1. @returns undefined for what nobody was told of, so that it cannot end. */
function bodyOf({ scope, ballot, version }: News, fact: Fact, n: number, at: number): EventBody | undefined {
  const { lockId, token, of } = fact;
  if (of === null && token === NO_TOKEN) return undefined;
  const { event, ...more } = saidOf(fact);
  return {
    id: idOf(ballot, version, n),
    event,
    scope,
    holder: of?.holder ?? null,
    lock_id: lockId,
    lock_type: of?.mode ?? null,
    fencing_token: token === NO_TOKEN ? null : token,
    ...(of !== null && isGrant(of) ? grantView(of) : undefined),
    priority: of?.priority ?? null,
    reason: of?.reason ?? null,
    session: of?.session ?? null,
    ...more,
    at: new Date(momentOf(fact) ?? at).toISOString(),
  };
}

function grantView(grant: Grant): Pick<EventBody, 'timeout_ms' | 'slot'> {
  return { ...slotView(grant), timeout_ms: leaseView(grant.leaseMs) };
}

type Said = Pick<EventBody, 'claimed' | 'waits' | 'cause' | 'by' | 'reason'> & { readonly event: EventKind };

function saidOf({ kind, of, ending, note }: Fact): Said {
  switch (kind) {
    case 'promoted':
      return { event: 'promoted', claimed: of !== null && isGrant(of) && of.unclaimed === null };
    case 'upgrading':
    case 'stays':
      return { event: 'upgrading', waits: kind === 'upgrading' };
    case 'ended':
      break;
    default:
      return { event: kind };
  }
  switch (ending) {
    case 'released':
    case 'expired':
    case 'cancelled':
      return { event: ending };
    case 'forced': {
      const colon = note?.indexOf(': ') ?? -1;
      const known = note !== null && colon >= 0;
      const by = known ? note.slice(0, colon) : null;
      return { event: 'lost', cause: 'forced', by, reason: known ? note.slice(colon + 2) : note };
    }
    default:
      return { event: 'lost', cause: ending ?? 'unknown', by: null, reason: null };
  }
}

/** When it happened, where the change itself says so; else it is told now. For people only (L8). */
function momentOf({ kind, of }: Fact): number | undefined {
  if (of === null) return undefined;
  const tells = kind === 'granted' || kind === 'promoted' || kind === 'claimed' || kind === 'queued';
  return tells && of.at > 0 ? of.at : undefined;
}

/**
 * Names the change and orders it within its scope, as text: of numbers with fewer digits the length comes first. The
 * same change has the same id at every peer, except where a peer tells several at once that it did not see one by one:
 * then it is that of the last of them.
 */
function idOf({ round, peer, boot }: Ballot, version: number, n: number): string {
  return [ordered(round), peer, ordered(boot), ordered(version), ordered(n)].join('-');
}

function ordered(natural: number): string {
  const digits = natural.toString(36);
  return digits.length.toString(36) + digits;
}
