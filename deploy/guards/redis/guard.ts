/**
 * A guard in Redis: guard.lua, through whichever client you have.
 * Always true: a value is written only if no newer token was seen for its key.
 *
 * Only as durable as Redis is: after a crash without `appendfsync always`, or a failover to a replica that is behind,
 * the mark is an older one, and so is the value. Give these keys no expiry, and Redis no policy that evicts them.
 */
import { readFileSync } from 'node:fs';
import { checkToken, type Fence, type Marks, StaleTokenError } from '../fence.ts';

/**
 * EVAL. With ioredis: `(script, key, args) => redis.eval(script, 1, key, ...args)`; with the client `redis`:
 * `(script, key, args) => redis.eval(script, { keys: [key], arguments: [...args] })`.
 */
export type Evaluate = (script: string, key: string, args: readonly string[]) => Promise<unknown>;

const SCRIPT = readFileSync(new URL('guard.lua', import.meta.url), 'utf8');

export class RedisGuard implements Marks {
  private readonly evaluate: Evaluate;

  constructor(evaluate: Evaluate) {
    this.evaluate = evaluate;
  }

  /** Writes the value. A semaphore needs a key per slot. @throws StaleTokenError */
  async write(key: string, lock: Fence, value: string): Promise<void> {
    await this.run(key, lock, [value]);
  }

  /** Reads what is to be changed: from here on older holders are refused. @throws StaleTokenError */
  async take(key: string, lock: Fence): Promise<string | null> {
    return (await this.run(key, lock, [])) as string | null;
  }

  async raise(lock: Fence): Promise<void> {
    await this.run(`fence:${lock.slot ?? 0}:${lock.scope}`, lock, []);
  }

  private async run(key: string, lock: Fence, rest: readonly string[]): Promise<unknown> {
    checkToken(lock.fencingToken);
    try {
      return await this.evaluate(SCRIPT, key, [String(lock.fencingToken), ...rest]);
    } catch (error) {
      throw /^STALETOKEN\b/.test((error as Error).message) ? new StaleTokenError(lock, error) : error;
    }
  }
}
