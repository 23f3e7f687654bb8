/** The client library: `import { Quorate } from 'quorate'`. */
export type {
  ContentionView,
  HolderView,
  ListAnswer,
  PeersAnswer,
  Status,
  WaiterShown,
} from '../api/answers.ts';
export type { Certainty } from '../api/problems.ts';
export { type Clock, systemClock } from './clock.ts';
export {
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
} from './errors.ts';
export { Quorate } from './quorate.ts';
export type * from './types.ts';
