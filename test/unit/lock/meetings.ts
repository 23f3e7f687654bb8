/** What random commands should have met in the end, so that a draw which never meets it cannot pass for a proof. */
import type { LockEvent } from '../../../src/lock/event.ts';
import { RETIRED_RING } from '../../../src/lock/ring.ts';
import type { LockState } from '../../../src/lock/state.ts';
import type { Notebook } from './model.ts';

/** What lies between command and outcome, so that a draw without it is noticed. */
export function note(
  met: Set<string>,
  events: readonly LockEvent[],
  { holders }: LockState,
  { line, over }: Notebook,
): void {
  const permits = holders.filter(({ mode }) => mode === 'permit');
  const what = permits.length > 0 ? 'permits' : 'locks';
  for (const { kind } of events) met.add(`event ${kind}`);
  const promotions = events.filter(({ kind }) => kind === 'promoted').length;
  if (promotions > 1) met.add(`several ${what} promoted at once`);
  if (over.length > 2 * RETIRED_RING) met.add('a ring that overflows');
  if (line.places.length > 20) met.add('a long queue');
  for (const { waiter, overtaken } of line.places) {
    if (overtaken < 16 || waiter.priority === 'high') continue;
    met.add(`risen from ${waiter.priority}${overtaken >= 32 ? ' twice' : ''}`);
    met.add(`risen for ${what}`);
  }
  const last = permits.at(-1);
  if (last === undefined) return;
  const granted = events.some(({ kind }) => kind === 'granted' || kind === 'promoted');
  if (granted && permits.some(({ slot }) => slot > last.slot)) met.add('a permit below a higher one');
  if (permits.length === 20) met.add('all of twenty permits');
  if (new Set(permits.map(({ holder }) => holder)).size < permits.length) met.add('two permits of one name');
}

export const EVERY_MEETING = [
  'a long queue',
  'a permit below a higher one',
  'a ring that overflows',
  'acquire already_held',
  'acquire busy',
  'acquire deadlock',
  'acquire elsewhere',
  'acquire ended',
  'acquire granted',
  'acquire misfit',
  'acquire mismatch',
  'acquire queued',
  'acquire stale',
  'all of twenty permits',
  'cancel cancelled',
  'cancel ended',
  'cancel granted',
  'cancel queued',
  'claim ended',
  'claim granted',
  'claim not_found',
  'claim queued',
  'convert busy',
  'convert converted',
  'convert deadlock',
  'convert ended',
  'convert misfit',
  'convert not_found',
  'convert outdated',
  'convert queued',
  'convert upgrading',
  'event claimed',
  'event converted',
  'event deserted',
  'event ended',
  'event extended',
  'event granted',
  'event moved',
  'event parked',
  'event promoted',
  'event queued',
  'event upgrading',
  'expire expired',
  'expire not_found',
  'extend ended',
  'extend extended',
  'extend not_found',
  'look state',
  'park ended',
  'park granted',
  'park not_found',
  'park parked',
  'park queued',
  'read state',
  'reap cancelled',
  'reap not_found',
  'release ended',
  'release granted',
  'release not_found',
  'release queued',
  'release released',
  'risen for locks',
  'risen for permits',
  'risen from low',
  'risen from low twice',
  'risen from normal',
  'several locks promoted at once',
  'several permits promoted at once',
  'sweep swept',
  'two permits of one name',
];
