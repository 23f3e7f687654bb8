/**
 * What calls of the client are rejected with.
 * Always true: `definite` means that the call changed nothing and never will; in doubt it is `indefinite`. Whatever
 * the error, nothing is held by that call.
 */
import type { HolderView } from '../api/answers.ts';
import { type Certainty, PROBLEMS } from '../api/problems.ts';

/** What an error tells besides its message. */
export interface ErrorFacts {
  readonly code?: string;
  readonly certainty?: Certainty;
  readonly next?: string;
  readonly scope?: string | undefined;
  readonly lockId?: string | undefined;
  readonly holders?: readonly HolderView[] | undefined;
  readonly queuePosition?: number | undefined;
  readonly cause?: unknown;
}

/** Any refusal or failure. Tell them apart by class, or by `code`, the word that HTTP has for it. */
export class QuorateError extends Error {
  override readonly name: string = 'QuorateError';
  readonly code: string;
  /** `definite`: nothing happened and nothing will. `indefinite`: it may have happened, or may yet. */
  readonly certainty: Certainty;
  /** What to do now, for people. */
  readonly next: string;
  readonly scope: string | undefined;
  readonly lockId: string | undefined;

  constructor(code: string, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    const kind = Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as keyof typeof PROBLEMS] : PROBLEMS.internal;
    this.code = code;
    this.certainty = facts.certainty ?? kind.certainty;
    this.next = facts.next ?? kind.next;
    this.scope = facts.scope;
    this.lockId = facts.lockId;
  }
}

/** The scope is held by others, and `wait` is over (`busy`; `waiting` if the place in the queue is kept for 30 s). */
export class BusyError extends QuorateError {
  override readonly name = 'BusyError';
  /** Who holds it, and for how long at most (`expires_in_ms`); the first 100. */
  readonly holders: readonly HolderView[];
  /** Where the call waited, or would have waited; 1 is next. */
  readonly queuePosition: number | undefined;

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'busy', message, facts);
    this.holders = facts.holders ?? [];
    this.queuePosition = facts.queuePosition;
  }
}

/** No majority of the voters answers, or no peer could be reached (`no_quorum`). */
export class NoQuorumError extends QuorateError {
  override readonly name = 'NoQuorumError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'no_quorum', message, facts);
  }
}

/** The lock ended before it was released (`stale_grant`): stop the work that it guarded. */
export class LockLostError extends QuorateError {
  override readonly name = 'LockLostError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'stale_grant', message, facts);
  }
}

/** It may have happened, or may yet (`outcome_unknown`, `internal`). What an acquire may have got is given up. */
export class OutcomeUnknownError extends QuorateError {
  override readonly name = 'OutcomeUnknownError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'outcome_unknown', message, facts);
  }
}

/** What was named is somebody else's, or isn't there (`not_holder`, `not_found`). */
export class NotHolderError extends QuorateError {
  override readonly name = 'NotHolderError';
  readonly holders: readonly HolderView[];

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'not_holder', message, facts);
    this.holders = facts.holders ?? [];
  }
}

/** An argument or an option is not valid (`invalid_request`); the message names it and says what would be right. */
export class InvalidRequestError extends QuorateError {
  override readonly name = 'InvalidRequestError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'invalid_request', message, facts);
  }
}

/** A limit of the mesh was reached (`overloaded`), or of this client's buffer of events. */
export class OverloadedError extends QuorateError {
  override readonly name = 'OverloadedError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'overloaded', message, facts);
  }
}

/** Two would wait for each other (`deadlock`). */
export class DeadlockError extends QuorateError {
  override readonly name = 'DeadlockError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'deadlock', message, facts);
  }
}

/** Not allowed (`forbidden`, `unauthenticated`). */
export class ForbiddenError extends QuorateError {
  override readonly name = 'ForbiddenError';

  constructor(message: string, facts: ErrorFacts = {}) {
    super(facts.code ?? 'forbidden', message, facts);
  }
}

/** For `tryAcquire`: busy is no error there. */
export function orNull(error: unknown): null {
  if (error instanceof BusyError) return null;
  throw error;
}
