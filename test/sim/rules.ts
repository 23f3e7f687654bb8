/**
 * The rules of a run: the real ones, or the real ones with one replaced by a wrong one. Each wrong rule leaves out
 * what the design says must not be left out; the simulator must catch every one of them.
 */
import { decide } from '../../src/lock/decide.ts';
import type { LeaseId, LockId } from '../../src/lock/state.ts';
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
}

export const REAL: Rules = {
  ...RULES,
  votesWithoutRoster: false,
  countsFromRepeat: false,
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
      const { events } = decide(state, { kind: 'release', lockId: command.lockId }, leaseId);
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
      return decide(
        state,
        grant === undefined ? command : { kind: 'release', lockId: grant.lockId },
        leaseId,
      );
    },
  },
  /** L4: retired lock ids are not remembered, so that a late duplicate grants again. */
  'retired-forgotten': {
    ...REAL,
    decide: (state, command, leaseId) =>
      command.kind === 'acquire'
        ? decide({ ...state, retired: [] }, command, leaseId)
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
      if (decision.outcome.kind !== 'busy') return decision;
      const alone = decide({ ...state, holders: [] }, command, leaseId);
      return alone.outcome.kind === 'granted' ? alone : decision;
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
};
