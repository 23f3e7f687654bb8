/**
 * Work under a lock.
 * Always true: the lock is released whatever the work does, once it is done; the work's own error wins; work that
 * outlived its lock is told so.
 */
import { LockLostError } from './errors.ts';
import type { Held } from './types.ts';

export async function under<L extends Held, T>(lock: L, fn: (lock: L) => Promise<T> | T): Promise<T> {
  let result: T;
  try {
    result = await fn(lock);
  } catch (error) {
    await lock.release().catch(() => undefined);
    throw error;
  }
  try {
    await lock.release();
  } catch (error) {
    // What no peer could be told of now is told by the session's heartbeats; the work is done all the same.
    if (error instanceof LockLostError) throw error;
  }
  return result;
}
