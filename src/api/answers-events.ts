/** One event of a scope as it comes out, over server-sent events and over /client. */
import { z } from 'zod';

const EVENTS = [
  'watching',
  'granted',
  'queued',
  'promoted',
  'claimed',
  'extended',
  'converted',
  'upgrading',
  'kept',
  'released',
  'expired',
  'cancelled',
  'lost',
  'end',
] as const;

export const eventBody = z
  .strictObject({
    id: z.string().optional().describe('names the change, and orders the events of a scope, as text'),
    event: z
      .enum(EVENTS)
      .describe(
        'watching: all that is chosen from here on is told. promoted: a waiter was granted; unless `claimed`, its ' +
          'client has yet to take it. upgrading: a reader waits to write, or (`waits` is false) still only reads. ' +
          'kept: the client of a place is away. lost: `cause` says why. end: nothing follows, `detail` says why',
      ),
    scope: z.string(),
    holder: z.string().nullable().optional().describe('null: it came and went unseen by this peer'),
    lock_id: z.string().optional(),
    lock_type: z.enum(['write', 'read', 'permit']).nullable().optional(),
    fencing_token: z.int().min(0).nullable().optional().describe('null: it does not hold'),
    slot: z.int().min(0).optional(),
    timeout_ms: z.number().min(0).nullable().optional().describe('the lease; null: it never ends by itself'),
    priority: z.enum(['high', 'normal', 'low']).nullable().optional(),
    reason: z
      .string()
      .nullable()
      .optional()
      .describe('the reason of the lock; of a lost one, why it was lost'),
    session: z.string().nullable().optional(),
    claimed: z.boolean().optional(),
    waits: z.boolean().optional(),
    cause: z
      .enum(['crashed', 'forced', 'unknown'])
      .optional()
      .describe('unknown: more ended at once than the scope remembers'),
    by: z.string().nullable().optional().describe('who took it by force'),
    status: z.enum(['locked', 'free']).optional(),
    holders: z.int().min(0).optional(),
    waiters: z.int().min(0).optional(),
    detail: z.string().optional(),
    at: z.string().describe('by the wall clock of a peer, for people'),
  })
  .meta({ id: 'Event' });

export type EventBody = z.output<typeof eventBody>;
export type EventKind = EventBody['event'];
