/**
 * What comes out over HTTP: zod schemas, from which the types of all answers and /openapi.json are made. Answers
 * are built by typed code and tested against these; they are not parsed again on their way out.
 */
import { z } from 'zod';

const token = z.int().min(0).describe('larger at every grant of the scope, for ever');
const slot = z.int().min(0).describe('which permit of a semaphore it is: guards compare tokens per slot');
const ms = z.number().min(0);
const lockType = z.enum(['write', 'read', 'permit']);
const priority = z.enum(['high', 'normal', 'low']);
const reason = z.string().nullable();
const session = z.string().nullable().describe('the session that it lives and dies with');
const position = z.int().min(1).describe('1 is next');
const quorum = z.string().meta({
  description: 'the votes for this decision, out of the voters',
  examples: ['2/3 nodes agreed'],
});
const contention = z
  .strictObject({
    waiters: z.int().min(0).describe('how many wait, places kept for clients that are away not counted'),
    hold_duration: z.string().nullable().describe('the mean; null while no hold has ended'),
    conflict_rate: z
      .string()
      .nullable()
      .describe('acquires that found the scope taken; null before the first'),
  })
  .meta({ id: 'Contention' });

export const locked = z
  .strictObject({
    status: z.literal('locked'),
    scope: z.string(),
    quorum,
    holder: z.string(),
    lock_id: z.string(),
    lock_type: lockType,
    fencing_token: token,
    slot: slot.optional(),
    timeout: z
      .union([z.string(), z.number()])
      .describe('as the request said; where it said nothing, the lease that the lock has'),
    timeout_ms: ms.nullable().describe('the lease that was decided; null: it never ends by itself'),
    expires_in_ms: ms.nullable().describe('what is left of the lease'),
    acquired_at: z.string(),
    waited_ms: ms.describe(
      'a holder counts its lease from its own send of this request, plus waited_ms / 1.01; with a session it holds ' +
        'only while the ttl runs too, counted from the send of the last heartbeat that was answered',
    ),
    priority,
    reason,
    session,
    already_held: z
      .literal(true)
      .optional()
      .describe('this request set no lease, so nothing is counted from it: extend first'),
    contention,
  })
  .meta({ id: 'Locked' });

export const unlocked = z
  .strictObject({
    status: z.literal('unlocked'),
    scope: z.string(),
    quorum,
    lock_id: z.string(),
    fencing_token: token.describe('the token that the lock had'),
    contention,
  })
  .meta({ id: 'Unlocked' });

export const cancelled = z
  .strictObject({
    status: z.literal('cancelled'),
    scope: z.string(),
    quorum,
    lock_id: z.string().describe('never granted any more'),
    contention,
  })
  .meta({ id: 'Cancelled' });

const holder = z
  .strictObject({
    holder: z.string(),
    lock_id: z.string(),
    lock_type: lockType,
    fencing_token: token,
    slot: slot.optional(),
    acquired_at: z.string(),
    expires_in_ms: ms.nullable(),
    timeout_ms: ms.nullable(),
    priority,
    reason,
    session,
    takeover_ms: ms
      .nullable()
      .describe(
        'after a crash of the holder others get the scope at most this long after its last extension, or after the ' +
          'last heartbeat of its session if that is less; null: nothing would end it',
      ),
  })
  .meta({ id: 'Holder' });

const waiter = z
  .strictObject({
    holder: z.string(),
    lock_id: z.string(),
    lock_type: lockType,
    priority,
    reason,
    queue_position: position,
    waiting_ms: ms.describe("by the clocks of the peers' machines: for people"),
  })
  .meta({ id: 'Waiter' });

export const status = z
  .strictObject({
    status: z.enum(['locked', 'free']),
    scope: z.string(),
    quorum,
    lock_type: lockType.nullable(),
    permits: z.int().min(1).optional().describe('of a semaphore that is held: how many may hold it at once'),
    fencing_token: token.describe('the last token'),
    holders: z.array(holder),
    waiters: z
      .array(waiter)
      .describe('in their order, the first of them; `contention` tells how many there are'),
    contention,
  })
  .meta({ id: 'Status' });

export const lockAnswer = z.union([locked, unlocked, status, cancelled]);

const sessionId = z.string().describe('the id under which it is beaten and closed, and that locks name');
const ttl = ms.describe(
  'the session is dead this long after its last heartbeat; its client counts from the send of that',
);
const lockName = { scope: z.string(), lock_id: z.string() };

export const sessionOpen = z.strictObject({ session: sessionId, ttl_ms: ttl }).meta({ id: 'SessionOpen' });
export const sessionBeat = z
  .strictObject({
    session: sessionId,
    ttl_ms: ttl,
    locks: z
      .array(z.strictObject({ ...lockName, fencing_token: token }))
      .describe('what it holds, as far as one voter knows: release what you do not know'),
    waiting: z.array(z.strictObject(lockName)).describe('where it waits: cancel what you do not know'),
  })
  .meta({ id: 'SessionBeat' });
export const sessionClosed = z
  .strictObject({ session: sessionId, status: z.literal('closed') })
  .meta({ id: 'SessionClosed' });

export const listAnswer = z
  .strictObject({
    locks: z.array(status),
    next_cursor: z.string().nullable(),
    as_of_ms: ms.describe("how old the oldest part of this answer is: it is one peer's memory, not a vote"),
  })
  .meta({ id: 'LockList' });

export const peersAnswer = z
  .strictObject({
    peers: z.array(
      z.strictObject({
        name: z.string(),
        address: z.string(),
        role: z.enum(['voter', 'observer']),
        state: z.enum(['alive', 'suspect', 'dead']),
        rtt_ms: ms.nullable(),
      }),
    ),
    epoch: z.int(),
    quorum: z.int(),
  })
  .meta({ id: 'Peers' });

export const healthAnswer = z.strictObject({ status: z.string(), peer: z.string(), detail: z.string() });

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    certainty: z.enum(['definite', 'indefinite']),
    next: z.string(),
    errors: z.array(z.strictObject({ field: z.string(), detail: z.string() })).optional(),
    scope: z.string().optional(),
    lock_id: z.string().optional(),
    session: z.string().optional(),
    queue_position: position.optional(),
    holders: z.array(holder).optional(),
    existing: holder.nullable().optional(),
  })
  .meta({ id: 'Problem' });

export type Locked = z.output<typeof locked>;
export type Unlocked = z.output<typeof unlocked>;
export type Cancelled = z.output<typeof cancelled>;
export type Status = z.output<typeof status>;
export type HolderView = z.output<typeof holder>;
export type WaiterShown = z.output<typeof waiter>;
export type ContentionView = z.output<typeof contention>;
export type SessionOpen = z.output<typeof sessionOpen>;
export type SessionBeat = z.output<typeof sessionBeat>;
export type SessionClosed = z.output<typeof sessionClosed>;
export type ListAnswer = z.output<typeof listAnswer>;
export type PeersAnswer = z.output<typeof peersAnswer>;
export type HealthAnswer = z.output<typeof healthAnswer>;
