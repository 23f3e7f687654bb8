/**
 * Who believes to hold, in true time, and what clients were told.
 *
 * Checks: two-holders (no two holders of a scope believe at the same moment, but readers), ended-early (no lock ends
 * while its holder believes), token-order (a later belief has a larger token than those it excludes), unfit-answer (linearizability: an answer fits a state chosen between request and answer), and
 * not-definite (a lock id whose client was told "certainly not" is never granted after that, nor before if it was
 * asked for only once).
 */

import { SESSION_SCOPE_PREFIX } from '../../src/lock/plain.ts';
import { findWaiter } from '../../src/lock/queue.ts';
import type { LockId, Mode } from '../../src/lock/state.ts';
import { EMPTY, findGrant, findParked, type LockState, permitsOf } from '../../src/lock/state.ts';
import type { ClientReply, ClientRequest } from '../../src/peer/request.ts';
import type { Chains } from './chain.ts';
import { type Journal, Violation } from './journal.ts';

export interface Belief {
  readonly scope: string;
  readonly lockId: LockId;
  readonly token: number;
  readonly mode: Mode;
  /** Which permit of how many, if it is one. */
  readonly slot: number;
  readonly permits: number;
  readonly who: string;
  /** True time at which the holder stops believing. */
  until: number;
}

export class Beliefs {
  private readonly current = new Map<string, Belief[]>();
  private readonly highest = new Map<string, number>();
  private readonly refused = new Map<string, { readonly why: string; readonly since: number }>();
  /** Taken by force: what their holders still believe is for the token to guard against. */
  private readonly forced = new Set<LockId>();
  private early: string | undefined;
  private readonly chains: Chains;
  private readonly journal: Journal;
  private readonly clock: () => number;

  constructor(chains: Chains, journal: Journal, clock: () => number) {
    this.chains = chains;
    this.journal = journal;
    this.clock = clock;
  }

  /** A holder starts to believe (again). */
  hold(belief: Belief): void {
    const now = this.clock();
    if (this.forced.has(belief.lockId)) belief.until = Math.min(belief.until, now);
    if (belief.until <= now) return;
    const others = (this.current.get(belief.scope) ?? []).filter(
      (other) => other.until > now && other !== belief,
    );
    for (const other of others) {
      if (other.mode === 'read' && belief.mode === 'read') continue;
      if (areBeside(other, belief)) continue;
      throw new Violation(
        'two-holders',
        `${belief.scope}: ${belief.who} ${belief.mode}s with token ${belief.token} until ${belief.until.toFixed(1)}, ${other.who} ${other.mode}s with token ${other.token} until ${other.until.toFixed(1)}`,
      );
    }
    // Readers may learn of their grants in any order, and so may those who have different slots of a semaphore.
    const slot = `slot ${belief.slot} ${belief.scope}`;
    const keys = belief.mode === 'write' ? [belief.scope] : [`write ${belief.scope}`];
    if (belief.mode === 'permit') keys.push(slot);
    for (const key of keys) {
      const highest = this.highest.get(key) ?? 0;
      if (belief.token < highest)
        throw new Violation('token-order', `${belief.scope}: token ${belief.token} after ${highest}`);
    }
    this.raise(belief.scope, belief.token);
    if (belief.mode === 'write') this.raise(`write ${belief.scope}`, belief.token);
    if (belief.mode === 'permit') this.raise(slot, belief.token);
    if (others.length === 0) this.current.set(belief.scope, [belief]);
    else this.current.set(belief.scope, [...others, belief]);
    this.journal.note(
      'believes',
      belief.token,
      belief.until,
      () => `${belief.who} ${belief.scope} token ${belief.token} until ${belief.until.toFixed(1)}`,
    );
  }

  private raise(key: string, token: number): void {
    this.highest.set(key, Math.max(token, this.highest.get(key) ?? 0));
  }

  /** A lock has ended. If its holder still believes, that is told at the end: who takes it next tells more. */
  ended(scope: string, lockId: string, ending: string): void {
    const now = this.clock();
    if (ending === 'forced') this.forced.add(lockId as LockId);
    const belief = this.current.get(scope)?.find((other) => other.lockId === lockId && other.until > now);
    if (belief === undefined) return;
    if (ending === 'forced') {
      belief.until = now;
      return;
    }
    this.early ??= `${scope}: ${lockId} was ${ending} at ${now.toFixed(1)}, believed until ${belief.until.toFixed(1)}`;
  }

  /**
   * A client was told that nothing of this lock id will happen any more; with `ever`, that nothing has.
   * A refusal after several copies is of the first kind: one of them may have been granted, expired and forgotten
   * by the ring before.
   */
  certainlyNot(scope: string, lockId: LockId, why: string, ever: boolean): void {
    this.refused.set(`${scope} ${lockId}`, { why, since: ever ? -1 : this.clock() });
  }

  /** An answer was made by a gateway for a request that reached it at `since`. */
  fits(request: ClientRequest, reply: ClientReply, since: number): void {
    if (reply.kind !== 'decided' || !('scope' in request)) return;
    // A heartbeat that finds its session dead says so before the lock is swept.
    if (request.op === 'heartbeat' && reply.outcome.kind === 'ended') return;
    const { scope } = request;
    if (this.fitsIn(scope, request, reply, since)) return;
    // An implicit session that is over ends the acquire before its scope is asked.
    const { session } = request.op === 'acquire' ? request : { session: null };
    if (session?.implicit && reply.outcome.kind === 'ended' && this.isOver(session.id)) return;
    if (session?.implicit && this.fitsIn(SESSION_SCOPE_PREFIX + session.id, request, reply, since)) return;
    const about = reply.lockId ?? '';
    throw new Violation(
      'unfit-answer',
      `${scope}: ${request.op} ${about} was told ${reply.outcome.kind}, which fits no state chosen from ${since.toFixed(1)} on`,
    );
  }

  private isOver(session: string): boolean {
    const last = this.chains.chain(SESSION_SCOPE_PREFIX + session).at(-1);
    return last !== undefined && last.state.holders.length === 0;
  }

  private fitsIn(
    scope: string,
    request: ClientRequest,
    reply: ClientReply & { kind: 'decided' },
    since: number,
  ): boolean {
    const from = this.chains.indexAt(scope, since);
    const to = this.chains.indexAt(scope, this.clock());
    const chain = this.chains.chain(scope);
    for (let i = from; i <= to; i++) {
      const state = i < 0 ? NOTHING : chain[i]!.state;
      if (fitsState(request, reply, state)) return true;
      // Commands that shared a vote saw the states in between.
      if (i > from && fitsBetween(reply, i === 0 ? NOTHING : chain[i - 1]!.state, state)) return true;
    }
    return false;
  }

  /** At the end: what was refused for certain was never granted. */
  finish(scopes: readonly string[]): void {
    if (this.early !== undefined) throw new Violation('ended-early', this.early);
    for (const scope of scopes) {
      for (const { state, at } of this.chains.chain(scope)) {
        for (const grant of state.holders) {
          const refusal = this.refused.get(`${scope} ${grant.lockId}`);
          if (refusal === undefined || at <= refusal.since) continue;
          const { why } = refusal;
          throw new Violation('not-definite', `${scope}: ${grant.lockId} was refused (${why}) and granted`);
        }
      }
    }
  }
}

/** Two permits of one semaphore, of different slots that it has (L10). */
function areBeside(a: Belief, b: Belief): boolean {
  if (a.mode !== 'permit' || b.mode !== 'permit' || a.permits !== b.permits) return false;
  return a.slot !== b.slot && a.slot < a.permits && b.slot < b.permits;
}

const NOTHING: LockState = EMPTY;

/** Whether the answer shows a state that one vote passed through on its way from one chosen state to the next. */
function fitsBetween(reply: ClientReply & { kind: 'decided' }, before: LockState, after: LockState): boolean {
  const { outcome, view } = reply;
  if (outcome.kind === 'ended' || outcome.kind === 'released') return false;
  if (outcome.kind === 'not_found') return before.retirements < after.retirements;
  if (view.token < before.token || view.token > after.token) return false;
  if (view.retirements < before.retirements || view.retirements > after.retirements) return false;
  return view.holders.every((grant) => {
    if (findGrant(before, grant.lockId) !== undefined) return true;
    const new_ = grant.token > before.token && grant.token <= after.token;
    return new_ && isKnown(after, grant.lockId);
  });
}

function isKnown(state: LockState, lockId: LockId): boolean {
  return (
    findGrant(state, lockId) !== undefined ||
    state.retired.find(lockId) !== undefined ||
    findParked(state, lockId) !== undefined ||
    findWaiter(state.queue, lockId) !== undefined
  );
}

function fitsState(
  request: ClientRequest,
  reply: ClientReply & { kind: 'decided' },
  state: LockState,
): boolean {
  const { outcome, lockId, view } = reply;
  switch (outcome.kind) {
    case 'granted':
    case 'extended': {
      const grant = findGrant(state, lockId!);
      return (
        grant !== undefined && grant.token === outcome.grant.token && grant.leaseId === outcome.grant.leaseId
      );
    }
    case 'converted': {
      const grant = findGrant(state, lockId!);
      return grant !== undefined && grant.mode === outcome.grant.mode && grant.token === outcome.grant.token;
    }
    case 'already_held':
    case 'deadlock':
      return findGrant(state, outcome.grant.lockId)?.leaseId === outcome.grant.leaseId;
    case 'queued':
      return findWaiter(state.queue, lockId!) !== undefined || findParked(state, lockId!) !== undefined;
    case 'busy':
      return state.retirements === view.retirements && sameHolders(state, view.holders);
    case 'state':
      return (
        state.token === view.token &&
        state.retirements === view.retirements &&
        sameHolders(state, view.holders)
      );
    case 'released': {
      const ending = state.retired.find(lockId!)?.ending;
      return (
        ending === 'released' || (ending === 'forced' && request.op === 'release' && request.force !== null)
      );
    }
    case 'misfit':
      return permitsOf(state) === outcome.permits;
    case 'ended':
      return state.retired.find(lockId!)?.ending === outcome.ending;
    case 'not_found':
      if (request.op === 'release' && request.lockId === null) return state.holders.length === 0;
      return lockId === null || findGrant(state, lockId) === undefined || request.op === 'heartbeat';
    default:
      return true;
  }
}

function sameHolders(
  state: LockState,
  seen: readonly { readonly lockId: LockId; readonly leaseId: string }[],
): boolean {
  return (
    state.holders.length === seen.length &&
    seen.every(
      (grant, i) => state.holders[i]!.lockId === grant.lockId && state.holders[i]!.leaseId === grant.leaseId,
    )
  );
}
