/**
 * Takes many locks that never expire, each a name of its own, and leaves them held.
 */
import { randomUUID } from 'node:crypto';
import { type LockId, NO_EXPIRY } from '../../../src/lock/state.ts';
import { Speaker } from '../speaker.ts';
import { countFor, readOptions, report } from './window.ts';

export interface HoldOptions {
  readonly ports: readonly number[];
  readonly locks: number;
  /** So many are asked for at a time. */
  readonly callers: number;
}

const { ports, locks, callers } = readOptions<HoldOptions>();
const speakers = await Promise.all(ports.map((port) => Speaker.open(`127.0.0.1:${port}`)));
let asked = 0;
let taken = 0;

async function run(speaker: Speaker): Promise<void> {
  while (asked < locks) {
    const answer = await speaker.ask({
      kind: 'acquire',
      scope: `held/${asked++}`,
      lockId: randomUUID() as string as LockId,
      holder: null,
      mode: 'write',
      permits: 0,
      priority: 'normal',
      reason: null,
      session: null,
      leaseMs: NO_EXPIRY,
      waitMs: 0,
      repeat: 0,
    });
    if (answer.kind === 'locked') taken++;
  }
}

const span = await countFor(() =>
  Promise.all(Array.from({ length: callers }, (_, i) => run(speakers[i % speakers.length]!))),
);
for (const speaker of speakers) speaker.close();
await report({ ...span, count: taken });
