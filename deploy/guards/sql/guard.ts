/**
 * A guard in PostgreSQL, for `pg`: run guard.sql once, then write through `fenced`.
 * Always true: what `work` did is committed only if no newer token of the scope was committed before.
 */
import type { Pool, PoolClient } from 'pg';
import { checkToken, type Fence, type Marks, StaleTokenError } from '../fence.ts';

/**
 * Runs `work` in one transaction behind the fence. Read and write through `tx` only.
 * @throws StaleTokenError if a newer token was seen; whatever `work` throws. Both roll back.
 */
export async function fenced<T>(pool: Pool, lock: Fence, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  checkToken(lock.fencingToken);
  const tx = await pool.connect();
  let broken: Error | undefined;
  const breaks = (error: Error) => {
    broken ??= error;
  };
  // A connection that is out of the pool has no listener of its own, and its end would end the process.
  tx.on('error', breaks);
  try {
    await tx.query('begin');
    await tx.query('select fence($1, $2, $3)', [lock.scope, lock.fencingToken, lock.slot ?? 0]);
    const result = await work(tx);
    await tx.query('commit');
    return result;
  } catch (error) {
    await tx.query('rollback').catch(breaks);
    throw (error as { code?: unknown }).code === 'QF001' ? new StaleTokenError(lock, error) : error;
  } finally {
    if (broken === undefined) tx.off('error', breaks);
    tx.release(broken);
  }
}

/** The marks alone, for guards outside of the database, such as the one for HTTP. */
export function postgresMarks(pool: Pool): Marks {
  return { raise: (fence) => fenced(pool, fence, async () => undefined) };
}
