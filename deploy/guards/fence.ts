/**
 * What all guards speak of: the fence that a write names, and the refusal of a write that comes too late.
 * Copy this file together with the guard that you need; neither imports anything of Quorate.
 */

/** What a guard looks at. The client's `Lock` is one. */
export interface Fence {
  readonly scope: string;
  readonly fencingToken: number;
  /** The permits of a semaphore overlap by design, so tokens are compared per slot. Other locks have slot 0. */
  readonly slot?: number;
}

/** Somebody who was granted the lock later has been here. Nothing was written: stop the work, and do not retry. */
export class StaleTokenError extends Error {
  override readonly name = 'StaleTokenError';
  readonly fence: Fence;

  constructor(fence: Fence, cause?: unknown) {
    super(`stale fencing token ${fence.fencingToken} for ${JSON.stringify(fence.scope)}`, { cause });
    this.fence = fence;
  }
}

/** The highest token that was seen of each scope and slot. */
export interface Marks {
  /**
   * In one step: refuses a token that is lower than the mark, else raises the mark to it. The first one is taken as
   * it is.
   * @throws StaleTokenError
   */
  raise(fence: Fence): Promise<void>;
}

/** A mark that is read as a lower one lets a stale write through: so whatever is no token is refused. */
export function checkToken(token: number): void {
  if (!Number.isSafeInteger(token) || token < 0) throw new TypeError(`${token} is no fencing token`);
}

/** Marks that end with this process: for a resource that does so too, and for trying things out. */
export function memoryMarks(): Marks {
  const marks = new Map<string, number>();
  return {
    async raise(fence) {
      checkToken(fence.fencingToken);
      const key = JSON.stringify([fence.scope, fence.slot ?? 0]);
      if (fence.fencingToken < (marks.get(key) ?? 0)) throw new StaleTokenError(fence);
      marks.set(key, fence.fencingToken);
    },
  };
}
