/** A semaphore: a scope that at most N hold at a time (L10). */
import { acquire } from './acquiring.ts';
import type { Core } from './core.ts';
import { orNull } from './errors.ts';
import { permitsOf, scopeOf } from './options.ts';
import type { Lock, PermitOptions, Semaphore } from './types.ts';
import { under } from './under.ts';
import { permitWish } from './wishes.ts';

type Work<T> = (permit: Lock) => Promise<T> | T;

export class Permits implements Semaphore {
  readonly scope: string;
  readonly permits: number;
  private readonly core: Core;

  constructor(core: Core, scope: string, permits: number) {
    this.core = core;
    this.scope = scopeOf(scope);
    this.permits = permitsOf(permits);
  }

  async acquire(options?: PermitOptions): Promise<Lock> {
    return acquire(this.core, permitWish(this.scope, this.permits, options));
  }

  async tryAcquire(options?: Omit<PermitOptions, 'wait'>): Promise<Lock | null> {
    return this.acquire({ ...options, wait: 0 }).catch(orNull);
  }

  async withPermit<T>(options: PermitOptions | Work<T>, fn?: Work<T>): Promise<T> {
    return typeof options === 'function'
      ? under(await this.acquire(), options)
      : under(await this.acquire(options), fn!);
  }
}
