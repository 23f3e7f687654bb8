/**
 * The rules of a run: the real ones, or the real ones with one replaced by a wrong one. Each wrong rule leaves out
 * what the design says must not be left out; the simulator must catch every one of them.
 */

import { type Decision, decide as decideWhole } from '../../src/lock/decide.ts';
import { evolve, evolveAll, type LockEvent } from '../../src/lock/event.ts';
import { SESSION_SCOPE_PREFIX } from '../../src/lock/plain.ts';
import { findWaiter, inOrder, lengthOf, NOBODY, nextOf, type Queue } from '../../src/lock/queue.ts';
import { Ring } from '../../src/lock/ring.ts';
import { findGrant, type LeaseId, type LockId, type LockState, type Waiter } from '../../src/lock/state.ts';
import type { GatewayRules } from '../../src/peer/gateway.ts';
import { RULES } from '../../src/peer/peer.ts';
import { loadRegister, promisedOf } from '../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../src/vote/ballot.ts';
import type { VoteRules } from '../../src/vote/rules.ts';

export interface Rules extends VoteRules, GatewayRules {
  /** M1, M2: a peer whose disk lost the roster votes all the same. */
  readonly votesWithoutRoster: boolean;
  /** T1: a client counts a lease from the send of a repeat, or from an answer that only told it of a lock. */
  readonly countsFromRepeat: boolean;
  /** T1: a holder goes by its lease alone, whatever its session's count says. */
  readonly ignoresSession: boolean;
  /** L9: a writer goes on believing while its conversion to a reader is under way. */
  readonly believesWhileConverting: boolean;
  /** V6: what of a change reaches the disk. */
  written(events: readonly LockEvent[]): readonly LockEvent[];
}

export const REAL: Rules = {
  ...RULES,
  votesWithoutRoster: false,
  countsFromRepeat: false,
  ignoresSession: false,
  believesWhileConverting: false,
  written: (events) => events,
};

/** Without the state that comes of it: a wrong rule may decide about another one. */
const decide: Rules['decide'] = (state, command, leaseId) => {
  const { outcome, events } = decideWhole(state, command, leaseId);
  return { outcome, events };
};

/** Stands for "whoever holds under this name": what L6 forbids between peers. */
const BY_NAME = 'by-name:';

export const BROKEN: Record<string, Rules> = {
  /** Words: the lease id is a counter of the register, not a stamp. */
  'lease-id-counter': { ...REAL, leaseId: (_ballot, version) => String(version % 3) as LeaseId },
  /** V1: a promise tells only what is flushed. */
  'promise-flushed-only': {
    ...REAL,
    promised: (scope, register, ballot, flushed) => {
      const stored = flushed();
      return promisedOf(scope, stored === register ? register : loadRegister(stored, NO_BALLOT, 0), ballot);
    },
  },
  /** V2: accepted is said before the flush. */
  'accepted-unflushed': { ...REAL, mayAnswer: () => true },
  /** V4: a stamp that only its sender holds is replaced by the next change. */
  'stamp-replaced': {
    ...REAL,
    nextVersion: (sent, heldByOthers) => (heldByOthers ? sent + 1 : Math.max(sent, 1)),
  },
  /** V4: what changes nothing is answered from the leader's memory. */
  'unchanged-unconfirmed': { ...REAL, confirmsUnchanged: () => false },
  /** V8: a restart forgets the promises. */
  'promise-forgotten': { ...REAL, promisedAfterRestart: (stored) => stored?.ballot ?? NO_BALLOT },
  /** G2: a scope leaves memory although its promise is not on disk. */
  'forgets-promise': { ...REAL, mayForget: (_register, flushed) => flushed },
  /** G2: a scope leaves memory before it is flushed. */
  'forgets-unflushed': { ...REAL, mayForget: () => true },
  /** L4: busy is said while a copy of the acquire is still on its way. */
  'busy-without-cancel': { ...REAL, cancelsFirst: () => false },
  /** L4: a cancel takes away what was granted, and says "cancelled". */
  'cancel-takes-grant': {
    ...REAL,
    decide: (state, command, leaseId) => {
      if (command.kind !== 'cancel') return decide(state, command, leaseId);
      const { events } = decide(
        state,
        { kind: 'release', lockId: command.lockId, gateway: null, force: null, at: 0 },
        leaseId,
      );
      return events.length > 0 ? { outcome: { kind: 'cancelled' }, events } : decide(state, command, leaseId);
    },
  },
  /** L6: a release by holder name is resolved where it is applied, not before it is sent. */
  'release-by-name': {
    ...REAL,
    lockIdOf: (request) =>
      request.lockId ?? (request.op === 'release' ? ((BY_NAME + request.holder) as LockId) : null),
    decide: (state, command, leaseId) => {
      if (command.kind !== 'release' || !command.lockId.startsWith(BY_NAME))
        return decide(state, command, leaseId);
      const grant = state.holders.find((held) => held.holder === command.lockId.slice(BY_NAME.length));
      return decide(state, grant === undefined ? command : { ...command, lockId: grant.lockId }, leaseId);
    },
  },
  /** L4: retired lock ids are not remembered, so that a late duplicate grants again. */
  'retired-forgotten': {
    ...REAL,
    decide: (state, command, leaseId) =>
      command.kind === 'acquire'
        ? decide({ ...state, retired: Ring.EMPTY }, command, leaseId)
        : decide(state, command, leaseId),
  },
  /** L4: an acquire from before the ring's memory is taken as new. */
  'stale-granted': {
    ...REAL,
    decide: (state, command, leaseId) =>
      decide(state, command.kind === 'acquire' ? { ...command, seen: state.retirements } : command, leaseId),
  },
  /** L1: a second writer is let in. */
  'two-writers': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const decision = decide(state, command, leaseId);
      if (decision.outcome.kind !== 'busy' && decision.outcome.kind !== 'queued') return decision;
      const alone = decide({ ...state, holders: [] }, command, leaseId);
      return alone.outcome.kind === 'granted' ? alone : decision;
    },
  },
  /** L10: all permits have one slot. */
  'slot-shared': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const { outcome, events } = decide(state, command, leaseId);
      const first = (event: LockEvent): LockEvent => {
        if (event.kind === 'promoted') return { ...event, slot: 0 };
        return event.kind === 'granted' ? { ...event, grant: { ...event.grant, slot: 0 } } : event;
      };
      return { outcome, events: events.map(first) };
    },
  },
  /** L10: whoever comes says how many permits there are. */
  'any-permits': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const decision = decide(state, command, leaseId);
      if (command.kind !== 'acquire' || decision.outcome.kind !== 'misfit') return decision;
      return decide({ ...state, holders: [], queue: NOBODY, parked: undefined }, command, leaseId);
    },
  },
  /** L7: a grant takes the token of the one before. */
  'token-reused': {
    ...REAL,
    decide: (state, command, leaseId) =>
      decide(
        command.kind === 'acquire' && state.token > 0
          ? { ...state, token: (state.token - 1) as never }
          : state,
        command,
        leaseId,
      ),
  },
  /** T3: a lease that ran out is left alone. */
  'never-expires': {
    ...REAL,
    decide: (state, command, leaseId) =>
      decide(state, command.kind === 'expire' ? { kind: 'read' } : command, leaseId),
  },
  /** M1, M2: a wiped disk votes. */
  'wiped-votes': { ...REAL, votesWithoutRoster: true },
  /** T1: a repeat, or an answer about a lock that is held already, starts the count. */
  'counts-from-repeat': { ...REAL, countsFromRepeat: true },
  /** T4: a claim leaves the promotion as it is. */
  'claim-changes-nothing': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const decision = decide(state, command, leaseId);
      return command.kind === 'claim' ? { ...decision, events: [] } : decision;
    },
  },
  /** T4: an extension leaves a promotion unclaimed. */
  'extends-unclaimed': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const decision = decide(state, command, leaseId);
      const unclaimed = command.kind === 'extend' && findGrant(state, command.lockId)?.unclaimed;
      return unclaimed ? { ...decision, events: [] } : decision;
    },
  },
  /** T4: a promotion that needed no claim is counted from the news of it. */
  'counts-from-news': { ...REAL, promotedFrom: (_confirmedAt, now) => now },
  /** L4: a repeat under another session is taken for the same. */
  'another-session': {
    ...REAL,
    decide: (state, command, leaseId) => {
      if (command.kind !== 'acquire') return decide(state, command, leaseId);
      const known = findGrant(state, command.lockId) ?? findWaiter(state.queue, command.lockId);
      return decide(state, known === undefined ? command : { ...command, session: known.session }, leaseId);
    },
  },
  /** L9: a conversion is carried out whatever token it names. */
  'converts-any-token': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const grant = command.kind === 'convert' ? findGrant(state, command.lockId) : undefined;
      if (command.kind !== 'convert' || grant === undefined) return decide(state, command, leaseId);
      return decide(state, { ...command, token: grant.token }, leaseId);
    },
  },
  /** L9: a writer believes until it is told that it reads. */
  'believes-while-converting': { ...REAL, believesWhileConverting: true },
  /** T5: a session that seems dead here is dead. */
  'trusts-own-copy': { ...REAL, trustsOwnCopy: () => true },
  /** T5: all changes of a session's register are answered unflushed. */
  'session-unflushed': {
    ...REAL,
    mayAnswer: (scope, _register, flushed) => flushed || scope.startsWith(SESSION_SCOPE_PREFIX),
  },
  /** T1: the count of the session is left out. */
  'ignores-session': { ...REAL, ignoresSession: true },
  /** T5: a sweep ends whatever lives with some session. */
  'sweeps-all': {
    ...REAL,
    decide: (state, command, leaseId) => {
      if (command.kind !== 'sweep') return decide(state, command, leaseId);
      const decisions = [command.session, ...state.holders.map((grant) => grant.session)];
      const sessions = decisions.filter((session) => session !== null);
      const events: LockEvent[] = [];
      let now = state;
      for (const session of sessions) {
        const more = decide(now, { ...command, session }, leaseId).events;
        events.push(...more);
        now = evolveAll(now, more);
      }
      return { outcome: { kind: 'swept' }, events };
    },
  },
  /** T5: the locks of a dead session are left alone. */
  'never-sweeps': {
    ...REAL,
    decide: (state, command, leaseId) =>
      decide(state, command.kind === 'sweep' ? { kind: 'read' } : command, leaseId),
  },
  /** L3: what frees the scope grants nobody. */
  'no-hand-off': {
    ...REAL,
    decide: (state, command, leaseId) => {
      const decision = decide(state, command, leaseId);
      return { ...decision, events: decision.events.filter(({ kind }) => kind !== 'promoted') };
    },
  },
  /** L2: whoever came last is granted first. */
  'last-first': {
    ...REAL,
    decide: (state, command, leaseId) =>
      regranted(state, decide(state, command, leaseId), (queue) => inOrder(queue, lengthOf(queue)).at(-1)),
  },
  /** L2: whoever was overtaken often does not rise. */
  'never-rises': {
    ...REAL,
    decide: (state, command, leaseId) =>
      regranted(state, decide(state, command, leaseId), (queue) => nextOf({ ...queue, passed: [] })),
  },
  /** A watcher is told what was sent, whether or not a majority has it. */
  'tells-unchosen': { ...REAL, toldAsChosen: (_chosen, sent) => sent },
  /** A watcher is told what an earlier ballot left, which may never have been chosen. */
  'tells-left-over': { ...REAL, skipsUnchosen: () => false },
  /** A watcher that missed the word is not told. */
  'never-makes-sure': { ...REAL, makesSure: () => false },
  /** V6: a change reaches the disk without its first event. */
  'writes-part': { ...REAL, written: (events) => events.slice(1) },
};

/** The decision, but with another choice of who is granted from the queue, if that is somebody of the same mode. */
function regranted(
  state: LockState,
  decision: Decision,
  choose: (queue: Queue) => Waiter | undefined,
): Decision {
  let now = state;
  const events: LockEvent[] = [];
  for (const event of decision.events) {
    const other = event.kind === 'promoted' ? choose(now.queue) : undefined;
    const first = event.kind === 'promoted' ? findWaiter(now.queue, event.lockId) : undefined;
    const changed =
      event.kind === 'promoted' && other !== undefined && other.mode === first?.mode
        ? { ...event, lockId: other.lockId, gateway: other.gateway }
        : event;
    events.push(changed);
    now = evolve(now, changed);
  }
  return { ...decision, events };
}
