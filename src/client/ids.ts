/**
 * Lock ids and names of holders.
 * Always true: no two are ever the same, on this machine or another.
 */
import { randomBytes, randomFillSync } from 'node:crypto';
import { hostname } from 'node:os';
import { v7 } from 'uuid';
import type { LockId } from '../lock/state.ts';

/** Asking the system for 16 random bytes each time would cost more than the rest of the id. */
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

/** Host name and process id, for names of holders. */
export function ownName(): string {
  const host = Buffer.from(hostname())
    .subarray(0, 100)
    .toString()
    .replace(/[^\w.-]/g, '_');
  return `${host || 'host'}-${process.pid}`;
}

/** Makes up names of holders, such as `build-7-1234-9f3a09c2d1-1k`. */
export function holderMaker(prefix: string): () => string {
  const start = `${prefix}-${randomBytes(5).toString('hex')}-`;
  let count = 0;
  return () => start + (++count).toString(36);
}
