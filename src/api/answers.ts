/**
 * What comes out over HTTP: zod schemas, from which the types of all answers and /openapi.json are made. Answers
 * are built by typed code and tested against these; they are not parsed again on their way out.
 */
import { z } from 'zod';

const token = z.int().min(0).describe('larger at every grant of the scope, for ever');
const ms = z.number().min(0);
const quorum = z.string().meta({
  description: 'the votes for this decision, out of the voters',
  examples: ['2/3 nodes agreed'],
});
const contention = z
  .strictObject({
    waiters: z.int(),
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
    lock_type: z.literal('write'),
    fencing_token: token,
    timeout: z.union([z.string(), z.number()]).describe('as the request said'),
    timeout_ms: ms.nullable().describe('the lease that was decided; null: it never ends by itself'),
    expires_in_ms: ms.nullable().describe('what is left of the lease'),
    acquired_at: z.string(),
    already_held: z.literal(true).optional().describe('held already, by this lock_id or this holder'),
    contention,
  })
  .meta({ id: 'Locked' });

export const unlocked = z
  .strictObject({
    status: z.literal('unlocked'),
    scope: z.string(),
    quorum,
    lock_id: z.string(),
    lock_type: z.literal('write'),
    fencing_token: token.describe('the token that the lock had'),
    contention,
  })
  .meta({ id: 'Unlocked' });

const holder = z
  .strictObject({
    holder: z.string(),
    lock_id: z.string(),
    fencing_token: token,
    acquired_at: z.string(),
    expires_in_ms: ms.nullable(),
    timeout_ms: ms.nullable(),
    priority: z.literal('normal'),
    reason: z.null(),
    session: z.null(),
    takeover_ms: ms
      .nullable()
      .describe('after a crash others get the scope this long after the last extension'),
  })
  .meta({ id: 'Holder' });

export const status = z
  .strictObject({
    status: z.enum(['locked', 'free']),
    scope: z.string(),
    quorum,
    lock_type: z.literal('write').nullable(),
    fencing_token: token.describe('the last token'),
    holders: z.array(holder),
    waiters: z.array(z.never()).describe('nobody waits in this version'),
    contention,
  })
  .meta({ id: 'Status' });

export const lockAnswer = z.union([locked, unlocked, status]);

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
    holders: z.array(holder).optional(),
    existing: holder.nullable().optional(),
  })
  .meta({ id: 'Problem' });

export type Locked = z.output<typeof locked>;
export type Unlocked = z.output<typeof unlocked>;
export type Status = z.output<typeof status>;
export type HolderView = z.output<typeof holder>;
export type ContentionView = z.output<typeof contention>;
export type ListAnswer = z.output<typeof listAnswer>;
export type PeersAnswer = z.output<typeof peersAnswer>;
export type HealthAnswer = z.output<typeof healthAnswer>;
