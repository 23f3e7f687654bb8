/** Each code of the API has its error. */
import { expect, test } from 'vitest';
import { PROBLEMS } from '../../../src/api/problems.ts';
import {
  BusyError,
  DeadlockError,
  ForbiddenError,
  InvalidRequestError,
  LockLostError,
  NoQuorumError,
  NotHolderError,
  OutcomeUnknownError,
  OverloadedError,
  QuorateError,
} from '../../../src/client/index.ts';
import { errorOf } from '../../../src/client/refusals.ts';

const CLASSES = {
  invalid_request: InvalidRequestError,
  forbidden: ForbiddenError,
  unauthenticated: ForbiddenError,
  not_found: NotHolderError,
  unknown_route: InvalidRequestError,
  method_not_allowed: InvalidRequestError,
  not_holder: NotHolderError,
  stale_grant: LockLostError,
  deadlock: DeadlockError,
  busy: BusyError,
  waiting: BusyError,
  overloaded: OverloadedError,
  no_quorum: NoQuorumError,
  outcome_unknown: OutcomeUnknownError,
  internal: OutcomeUnknownError,
};

test('all codes are known here', () => {
  expect(Object.keys(CLASSES)).toEqual(expect.arrayContaining(Object.keys(PROBLEMS)));
});

test.each(Object.entries(CLASSES))('%s has its class', (code, Class) => {
  const kind = PROBLEMS[code as keyof typeof PROBLEMS] as (typeof PROBLEMS)['busy'] | undefined;
  const error = errorOf({ code, detail: 'what happened' }, { scope: 's', lockId: 'l' });
  expect(error).toBeInstanceOf(Class);
  expect(error).toBeInstanceOf(QuorateError);
  expect(error).toMatchObject({ name: Class.name, code, message: 'what happened', scope: 's', lockId: 'l' });
  if (kind !== undefined) expect(error).toMatchObject({ certainty: kind.certainty, next: kind.next });
});

test('what the body says goes before what is known of the code', () => {
  const holders = [{ holder: 'h', expires_in_ms: 5 }];
  const body = {
    code: 'busy',
    scope: 't',
    lock_id: 'm',
    certainty: 'indefinite',
    next: 'Wait.',
    holders,
    queue_position: 3,
  };
  expect(errorOf(body, { scope: 's' })).toMatchObject({
    scope: 't',
    lockId: 'm',
    certainty: 'indefinite',
    next: 'Wait.',
    holders,
    queuePosition: 3,
  });
});

test('a body of tomorrow, or none, still makes an error', () => {
  expect(
    errorOf({ code: 'sleepy', title: 'It sleeps', certainty: 'definite', next: 'Wake it.' }),
  ).toMatchObject({
    name: 'QuorateError',
    code: 'sleepy',
    message: 'It sleeps',
    certainty: 'definite',
  });
  expect(errorOf({ code: 'constructor' })).toMatchObject({ name: 'QuorateError', certainty: 'indefinite' });
  expect(errorOf({})).toMatchObject({ code: 'internal', certainty: 'indefinite' });
});
