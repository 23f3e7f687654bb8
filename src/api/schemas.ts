/**
 * What goes in over HTTP: zod schemas, the single source of validation, types and /openapi.json.
 * Always true: a request that passes is safe to hand to the core as it is; a refusal names the field, says what is
 * wrong with it and what would be right; what this version does not offer yet is refused by name, never ignored.
 */
import { z } from 'zod';
import { PERMITS_MAX } from '../lock/state.ts';
import { prettyDuration } from './durations.ts';
import { duration, expects, lease, name, sessionId, uuid } from './fields.ts';

export const SCOPE_BYTES_MAX = 512;
export const HOLDER_BYTES_MAX = 256;
export const LABEL_BYTES_MAX = 256;
export const REASON_BYTES_MAX = 1_024;
export const LIST_LIMIT_MAX = 1_000;
const LIST_LIMIT = 100;
export const AUTO_MIN_MS = 5_000;
export const AUTO_MAX_MS = 300_000;

const DAY_MS = 86_400_000;
export const WAIT_MAX_MS = 7 * DAY_MS;
export const POLL_MAX_MS = DAY_MS;
/** More often would be votes for nothing; a session lives three times as long as its heartbeats are apart. */
export const HEARTBEAT_MIN_MS = 100;
export const HEARTBEAT_MAX_MS = DAY_MS;
export const BEATS_PER_TTL = 3;
export const TTL_MIN_MS = BEATS_PER_TTL * HEARTBEAT_MIN_MS;
export const TTL_MAX_MS = DAY_MS;

const ACTIONS = ['lock', 'unlock', 'status', 'extend', 'heartbeat', 'cancel'] as const;
const aLockId = 'a UUID such as "01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11"';
const aCount = `a whole number from 1 to ${PERMITS_MAX}`;
const aSessionId = 'a UUID, the `session` that POST /api/v1.0/sessions answered';

export const scopeName = name(SCOPE_BYTES_MAX, 'the name to lock');

/** POST /api/v1.0/lock. */
export const lockRequest = z
  .strictObject({
    scope: scopeName,
    action: z.enum(ACTIONS, expects(`one of ${ACTIONS.join(', ')}`)).describe('what to do with the scope'),
    lock_type: z
      .enum(['write', 'read', 'permit'], expects('"write", "read" or "permit"'))
      .optional()
      .describe(
        'how the scope is held: "write" (alone), "read" (beside other readers), "permit" (a semaphore, with ' +
          '`permits`); with extend: convert, to "write" or "read"',
      ),
    permits: z
      .int(expects(aCount))
      .min(1, { error: `must be ${aCount}` })
      .max(PERMITS_MAX, { error: `must be ${aCount}` })
      .optional()
      .describe('how many may hold the scope at once; the same for all, until nobody holds or waits'),
    holder: name(HOLDER_BYTES_MAX, 'who holds, or who forces').optional(),
    lock_id: uuid(aLockId).optional().describe('the id of one acquisition, also its idempotency key'),
    wait: duration(
      'how long to wait in the queue (lock, or extend to "write"); the request stays open that long',
      0,
      WAIT_MAX_MS,
    ).optional(),
    poll: duration(
      'ends a request that waits after that long with `waiting`; the place is kept for 30 s, repeat the lock_id',
      0,
      POLL_MAX_MS,
    ).optional(),
    timeout: lease.optional(),
    min_timeout: duration('the least that `auto` may choose').optional(),
    max_timeout: duration('the most that `auto` may choose').optional(),
    learning_window: duration('how far back `auto` looks').optional(),
    operation: name(LABEL_BYTES_MAX, 'a label for the work, for `auto`').optional(),
    complexity: z
      .number(expects('a number above 0'))
      .positive({ error: 'must be a number above 0' })
      .optional()
      .describe('a size of the work, for `auto`'),
    fencing_token: z
      .int(expects('a whole number above 0'))
      .min(1, { error: 'must be a whole number above 0' })
      .optional()
      .describe(
        'with extend and lock_type: the token that you hold. A conversion that comes late, after the lock took another token, then changes nothing',
      ),
    repeat: z
      .int(expects('a whole number, 0 or more'))
      .min(0, { error: 'must be a whole number, 0 or more' })
      .optional()
      .describe('how many times this lock_id was sent before'),
    heartbeat: duration(
      'a sign of life (action heartbeat) comes at least this often; after three times that the holder counts as crashed',
      HEARTBEAT_MIN_MS,
      HEARTBEAT_MAX_MS,
    ).optional(),
    session: sessionId(aSessionId).optional().describe('the session that this lock lives and dies with'),
    priority: z
      .enum(['high', 'normal', 'low'], expects('"high", "normal" or "low"'))
      .optional()
      .describe('the class in the queue'),
    reason: name(REASON_BYTES_MAX, 'why, shown with the lock').optional(),
    force: z
      .boolean(expects('true or false'))
      .optional()
      .describe('with unlock: releases whoever holds, or the lock_id, whoever holds that; needs `reason`'),
  })
  .superRefine((body, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [field], message });
    const { action, min_timeout: min = 0, max_timeout: max = AUTO_MAX_MS } = body;
    if (max === 0) refuse('max_timeout', 'must be longer than 0');
    else if (min > max) {
      const most = prettyDuration(max);
      refuse('min_timeout', `is longer than max_timeout (${most}): make it shorter, or max_timeout longer`);
    }
    if (body.poll !== undefined && action !== 'lock') refuse('poll', 'only goes with lock: leave it out');
    else if (body.poll !== undefined && (body.wait ?? 0) === 0) {
      refuse('poll', 'only goes with wait: say with `wait` how long to wait in all');
    }
    if (action === 'lock' && body.heartbeat !== undefined && body.session !== undefined) {
      refuse(
        'heartbeat',
        'does not go with session: send the heartbeats of the session, or leave session out',
      );
    }
    if (body.lock_type === 'permit') {
      if (action === 'extend') refuse('lock_type', 'must be "write" or "read": a permit cannot be converted');
      else if (body.permits === undefined && action === 'lock') {
        refuse('permits', `is missing: "permit" needs ${aCount}`);
      }
    } else if (body.permits !== undefined) refuse('permits', 'only goes with lock_type "permit"');
    if (body.fencing_token !== undefined && (action !== 'extend' || body.lock_type === undefined)) {
      refuse('fencing_token', 'only goes with extend and lock_type: leave it out');
    }
    if (body.force !== true) return;
    if (action !== 'unlock') refuse('force', 'only goes with unlock: leave it out');
    else if (body.reason === undefined) refuse('reason', 'is missing: force needs it, for the audit trail');
  })
  .meta({ id: 'LockRequest', examples: [{ scope: 'db-migration', action: 'lock' }] });

/** POST /api/v1.0/sessions. */
export const sessionRequest = z
  .strictObject({
    ttl: duration('the session is dead that long after its last heartbeat', TTL_MIN_MS, TTL_MAX_MS),
    holder: name(HOLDER_BYTES_MAX, 'whose session it is').optional(),
  })
  .meta({ id: 'SessionRequest', examples: [{ ttl: '10s' }] });

/** The path of one session. */
export const sessionPath = z.strictObject({ id: sessionId(aSessionId) });

const aLimit = `a whole number from 1 to ${LIST_LIMIT_MAX}`;

/** GET /api/v1.0/locks. */
export const listQuery = z.strictObject({
  prefix: z.string(expects('one text')).optional().describe('only scopes that start with this'),
  holder: z.string(expects('one text')).optional().describe('only scopes that this holder holds'),
  state: z
    .enum(['locked', 'free'], expects('locked or free'))
    .optional()
    .describe('only scopes in this state'),
  older_than: duration('only scopes held for at least this long').optional(),
  limit: z.coerce
    .number(expects(aLimit))
    .int({ error: `must be ${aLimit}` })
    .min(1, { error: `must be ${aLimit}` })
    .max(LIST_LIMIT_MAX, { error: `must be ${aLimit}` })
    .default(LIST_LIMIT)
    .describe('how many at most'),
  cursor: z.string(expects('one text')).optional().describe('`next_cursor` of the page before'),
});

/** GET /api/v1.0/events. */
export const eventsQuery = z.strictObject({ scope: scopeName });

/** The path of one scope. */
export const scopePath = z.strictObject({ scope: scopeName });

export type LockRequest = z.output<typeof lockRequest>;
export type SessionRequest = z.output<typeof sessionRequest>;
export type ListQuery = z.output<typeof listQuery>;
