/**
 * Every refusal that a door may give, in one registry: RFC 9457 problem details with a code, a certainty and the
 * caller's next move.
 * Always true: `definite` means that the request changed nothing and never will; in doubt a code is
 * `indefinite`; no code has a status of 2xx, so nothing but 200 ever means that a lock is held.
 */
import type { HolderView } from './answers.ts';

export type Certainty = 'definite' | 'indefinite';

export interface ProblemKind {
  readonly status: number;
  /** Other statuses under which the code is sent, where HTTP has a closer word. */
  readonly also?: readonly number[];
  readonly certainty: Certainty;
  readonly title: string;
  readonly next: string;
}

export const PROBLEMS = {
  invalid_request: {
    status: 400,
    also: [408, 413, 415, 431],
    certainty: 'definite',
    title: 'The request is not valid',
    next: 'Mend what `errors` names, then send the request again.',
  },
  forbidden: {
    status: 403,
    certainty: 'definite',
    title: 'Not allowed',
    next: 'Ask whoever runs this mesh; `detail` says what was missing.',
  },
  not_found: {
    status: 404,
    certainty: 'definite',
    title: 'There is no such lock',
    next: 'Nothing is left to do for this lock. To hold the scope, acquire it.',
  },
  unknown_route: {
    status: 404,
    certainty: 'definite',
    title: 'There is no such address',
    next: 'See /openapi.json for all addresses.',
  },
  method_not_allowed: {
    status: 405,
    certainty: 'definite',
    title: 'This address does not take that method',
    next: 'Use a method that the Allow header names.',
  },
  not_holder: {
    status: 409,
    certainty: 'definite',
    title: "The lock is somebody else's",
    next: 'Name the lock_id or the holder that acquired it; ask `status` who that is.',
  },
  stale_grant: {
    status: 409,
    certainty: 'definite',
    title: 'This lock ended',
    next: 'Stop the work that it guarded; acquire the scope again under a new lock_id.',
  },
  deadlock: {
    status: 409,
    certainty: 'definite',
    title: 'Two would wait for each other',
    next: 'Convert the lock in `existing`: extend with its lock_id and lock_type. If that was refused, release it first.',
  },
  busy: {
    status: 423,
    certainty: 'definite',
    title: 'The scope is held by others',
    next: 'Try again after Retry-After, or give up; the lease ends in `expires_in_ms` at the latest.',
  },
  waiting: {
    status: 423,
    certainty: 'definite',
    title: 'It waits, and holds nothing yet',
    next: 'Repeat the request with the same lock_id within 30 s, here or at another peer, or cancel that lock_id.',
  },
  overloaded: {
    status: 429,
    certainty: 'definite',
    title: 'A limit was reached',
    next: 'Nothing happened. Try again after Retry-After; `limit` says what was too much.',
  },
  no_quorum: {
    status: 503,
    certainty: 'definite',
    title: 'No majority of the voters answers',
    next: 'Nothing happened. Try again, here or at another peer.',
  },
  outcome_unknown: {
    status: 503,
    certainty: 'indefinite',
    title: 'It may have happened, or may yet',
    next: 'Ask `status`, or repeat the request with the same lock_id; act as if you hold nothing until then.',
  },
  internal: {
    status: 500,
    certainty: 'indefinite',
    title: 'The peer met an error of its own',
    next: 'Repeat the request with the same lock_id at another peer, and report the error.',
  },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One bad input: where it stood, what is wrong with it, what would be right. */
export interface FieldError {
  /** The field, header, parameter or flag; empty for the body as a whole. */
  readonly field: string;
  readonly detail: string;
}

/** What a problem tells besides its kind. */
export interface ProblemExtra {
  readonly errors?: readonly FieldError[];
  readonly scope?: string;
  readonly lock_id?: string;
  readonly session?: string;
  /** Where the request waits, or would have waited; 1 is next. */
  readonly queue_position?: number;
  /** Who holds the scope. */
  readonly holders?: readonly HolderView[];
  /** What the request met instead of what it named. */
  readonly existing?: HolderView | null;
  readonly missing?: readonly string[];
  readonly quorum?: string;
  /** How the lock ended. */
  readonly ending?: string;
  /** Who forced it, and why. */
  readonly note?: string;
  readonly fencing_token?: number;
  readonly limit?: string;
  /** What to do, where this case calls for other words than the code does. */
  readonly next?: string;
  readonly allow?: string;
  /** Seconds; also sent as the header Retry-After. */
  readonly retryAfterS?: number;
}

/** Thrown or sent by a door; the server's one error handler writes it. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly extra: ProblemExtra;

  /**
   * @param detail what happened here, for people: one or two sentences.
   * @param status one of the code's other statuses, if HTTP has a closer word for this case.
   */
  constructor(code: ProblemCode, detail: string, extra: ProblemExtra = {}, status?: number) {
    super(detail);
    this.code = code;
    this.status = status ?? PROBLEMS[code].status;
    this.extra = extra;
  }
}

/** The body of a problem, in the order in which people read it. */
export function problemBody(problem: Problem): Record<string, unknown> {
  const { certainty, title, next } = PROBLEMS[problem.code];
  const { allow: _allow, retryAfterS: _retryAfterS, next: ownNext, ...extra } = problem.extra;
  return {
    type: `urn:quorate:problem:${problem.code}`,
    title,
    status: problem.status,
    detail: problem.message,
    code: problem.code,
    certainty,
    next: ownNext ?? next,
    ...extra,
  };
}

/** A refusal of bad input: the detail lists every error, so that it can be read without looking further. */
export function invalid(errors: readonly FieldError[]): Problem {
  const parts = errors.map(({ field, detail }) => (field === '' ? detail : `${field} ${detail}`));
  return new Problem('invalid_request', `${parts.join('; ')}.`, { errors });
}
