/**
 * GET /api/v1.0/locks: scopes that are held, in the order of their names, a page at a time.
 * Always true: sessions, which are registers too, are no locks and never shown; it is this peer's own memory, and says how old; no vote is asked, nothing is decided by it. Pages
 * do not repeat or skip a scope that stays held: each starts behind the last name of the one before. The event
 * loop is let go every few thousand scopes, however many there are.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SESSION_SCOPE_PREFIX } from '../lock/plain.ts';
import { inOrder, lengthOf } from '../lock/queue.ts';
import { NO_EXPIRY } from '../lock/state.ts';
import type { RunningPeer } from '../mesh/types.ts';
import type { Register } from '../vote/acceptor.ts';
import type { ListAnswer, Status } from './answers.ts';
import { invalid } from './problems.ts';
import type { ListQuery } from './schemas.ts';
import { quorumText, statusView } from './views.ts';

const SCOPES_PER_TURN = 2_000;
/** A list tells of many scopes: of each it shows the first that wait. */
const WAITERS_SHOWN_MAX = 100;

/** @param wallNow milliseconds since 1970, to which ages are told. */
export async function listLocks(peer: RunningPeer, query: ListQuery, wallNow: number): Promise<ListAnswer> {
  const began = peer.now();
  const after = query.cursor === undefined ? undefined : readCursor(query.cursor);
  const { limit } = query;
  // One more than the page holds: whether there is a next page.
  let page: Status[] = [];
  let seen = 0;
  if (query.state !== 'free') {
    for (const [scope, register] of peer.held()) {
      if (++seen % SCOPES_PER_TURN === 0) await nextTurn();
      if (scope.startsWith(SESSION_SCOPE_PREFIX)) continue;
      if (after !== undefined && scope <= after) continue;
      if (!fits(query, scope, register, wallNow)) continue;
      page.push(viewOf(peer, scope, register, wallNow));
      if (page.length > 4 * limit) page = firstOf(page, limit + 1);
    }
  }
  page = firstOf(page, limit + 1);
  const more = page.length > limit;
  const locks = more ? page.slice(0, limit) : page;
  return {
    locks,
    next_cursor: more ? makeCursor(locks[limit - 1]!.scope) : null,
    as_of_ms: Math.ceil(peer.now() - began),
  };
}

function fits(query: ListQuery, scope: string, { state }: Register, wallNow: number): boolean {
  const { prefix, holder, older_than: olderThan } = query;
  if (state.holders.length === 0) return false; // freed since the walk began, or places are kept in it
  if (prefix !== undefined && !scope.startsWith(prefix)) return false;
  if (holder !== undefined && !state.holders.some((grant) => grant.holder === holder)) return false;
  if (olderThan !== undefined && !state.holders.some((grant) => wallNow - grant.at >= olderThan))
    return false;
  return true;
}

function viewOf(peer: RunningPeer, scope: string, { state, noted }: Register, wallNow: number): Status {
  const now = peer.now();
  const leftMs = state.holders.map(({ leaseMs }, i) =>
    leaseMs === NO_EXPIRY ? -1 : Math.max(0, Math.floor(noted[i]! + leaseMs - now)),
  );
  const contention = { waiters: lengthOf(state.queue), hold_duration: null, conflict_rate: null };
  const { token, holders, queue } = state;
  const shown = { token, holders, leftMs, waiters: inOrder(queue, WAITERS_SHOWN_MAX) };
  // One node, this one, was asked.
  return statusView(scope, shown, quorumText(1, peer.voters.length), contention, wallNow);
}

/** The first by name; of a scope that was met twice, as it was freed and taken during the walk, the later view. */
function firstOf(page: readonly Status[], count: number): Status[] {
  const views = new Map(page.map((view) => [view.scope, view]));
  return [...views.values()].sort((a, b) => (a.scope < b.scope ? -1 : 1)).slice(0, count);
}

function makeCursor(scope: string): string {
  return Buffer.from(scope).toString('base64url');
}

function readCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url');
  const scope = bytes.toString('utf8');
  if (scope === '' || makeCursor(scope) !== cursor) {
    throw invalid([{ field: 'cursor', detail: 'is none that was given out: use `next_cursor` as it came' }]);
  }
  return scope;
}
