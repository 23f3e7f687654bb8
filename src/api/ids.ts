/**
 * Lock ids, ids of sessions and names of holders, for the doors and for the client.
 * Always true: no two are ever the same, on this machine or another.
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';
import type { LockId, SessionId } from '../lock/state.ts';

/** Asking the system for 16 random bytes each time was 2% of a busy peer's work, and more than the rest of the id. */
const randomness = new Uint8Array(4_096);
let taken = randomness.length;

export function makeLockId(): LockId {
  if (taken === randomness.length) {
    randomFillSync(randomness);
    taken = 0;
  }
  taken += 16;
  return v7({ random: randomness.subarray(taken - 16, taken) }) as LockId;
}

/** A session's id: a UUID, so that it can never be that of a session which a peer keeps for itself. */
export function makeSessionId(): SessionId {
  return makeLockId() as string as SessionId;
}

/**
 * Makes up holder names, such as `p1-7f3a09c2d1-1k`.
 * Unique for ever: a name that is used twice would tell the second client that it holds the lock of the first.
 */
export function holderMaker(prefix: string): () => string {
  const start = `${prefix}-${randomBytes(5).toString('hex')}-`;
  let count = 0;
  return () => start + (++count).toString(36);
}
