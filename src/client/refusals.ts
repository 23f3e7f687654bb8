/**
 * From the body of a problem, as peers send it, to the error that is thrown.
 * Always true: a body from a newer peer, with fields or codes that this version doesn't know, still makes an error.
 */
import type { HolderView } from '../api/answers.ts';
import type { Certainty } from '../api/problems.ts';
import {
  BusyError,
  DeadlockError,
  type ErrorFacts,
  ForbiddenError,
  InvalidRequestError,
  LockLostError,
  NoQuorumError,
  NotHolderError,
  OutcomeUnknownError,
  OverloadedError,
  QuorateError,
} from './errors.ts';

export type Body = Readonly<Record<string, unknown>>;

type Make = new (message: string, facts: ErrorFacts) => QuorateError;

const CLASSES: Readonly<Record<string, Make>> = {
  busy: BusyError,
  waiting: BusyError,
  no_quorum: NoQuorumError,
  stale_grant: LockLostError,
  not_holder: NotHolderError,
  not_found: NotHolderError,
  outcome_unknown: OutcomeUnknownError,
  internal: OutcomeUnknownError,
  invalid_request: InvalidRequestError,
  unknown_route: InvalidRequestError,
  method_not_allowed: InvalidRequestError,
  overloaded: OverloadedError,
  deadlock: DeadlockError,
  forbidden: ForbiddenError,
  unauthenticated: ForbiddenError,
};

/** @param about what the call was about, where the body does not say. */
export function errorOf(body: Body, about: Pick<ErrorFacts, 'scope' | 'lockId'> = {}): QuorateError {
  const code = textOf(body.code) ?? 'internal';
  const message = textOf(body.detail) ?? textOf(body.title) ?? `A peer refused (${code}).`;
  const next = textOf(body.next);
  const facts: ErrorFacts = {
    code,
    ...(isCertainty(body.certainty) ? { certainty: body.certainty } : {}),
    ...(next === undefined ? {} : { next }),
    scope: textOf(body.scope) ?? about.scope,
    lockId: textOf(body.lock_id) ?? about.lockId,
    holders: Array.isArray(body.holders) ? (body.holders as readonly HolderView[]) : undefined,
    queuePosition: typeof body.queue_position === 'number' ? body.queue_position : undefined,
  };
  const Class = Object.hasOwn(CLASSES, code) ? CLASSES[code] : undefined;
  return Class === undefined ? new QuorateError(code, message, facts) : new Class(message, facts);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function isCertainty(value: unknown): value is Certainty {
  return value === 'definite' || value === 'indefinite';
}
