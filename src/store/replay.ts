/**
 * What the vote log has and the shelf lacks, back in memory after a start.
 * Always true: each write builds on the very state that is there, or it is damage. A taking over that was broken off
 * has left some registers on the shelf ahead of the log: their writes are passed over until one leads to what the
 * shelf has, and if none does, that is damage.
 */
import { damaged } from './errors.ts';
import { unpackGroup } from './groups.ts';
import { Recent } from './recent.ts';
import type { Group } from './segment.ts';
import type { Shelf } from './shelf.ts';
import type { RecordCodec } from './store.ts';
import type { Found, VoteLog } from './vote-log.ts';

export interface Start<W> {
  readonly log: VoteLog;
  /** What the segment that is written has brought. */
  readonly recent: Recent<W>;
  /** What the one before has brought, if the shelf lacks it. */
  readonly leaving: Recent<W> | undefined;
}

export function replay<T, W>(
  codec: RecordCodec<T, W>,
  shelf: Shelf<T, W>,
  { log, before, newest }: Found,
): Start<W> {
  const run = new Replay(codec, shelf);
  const { position, horizon } = shelf;
  const lacking = (before.at(-1)?.position ?? 0) > position;
  const leaving = lacking ? run.take(before, undefined, horizon, position) : undefined;
  const recent = run.take(newest, leaving, leaving?.horizon ?? horizon, leaving?.position ?? position);
  run.end();
  return { log, recent, leaving };
}

class Replay<T, W> {
  readonly #codec: RecordCodec<T, W>;
  readonly #shelf: Shelf<T, W>;
  /** The stamps that the shelf has, of scopes whose writes do not lead there yet. */
  readonly #ahead = new Map<string, string>();

  constructor(codec: RecordCodec<T, W>, shelf: Shelf<T, W>) {
    this.#codec = codec;
    this.#shelf = shelf;
  }

  take(
    groups: readonly Group[],
    former: Recent<W> | undefined,
    horizon: number,
    position: number,
  ): Recent<W> {
    const recent = new Recent(this.#codec, horizon, position);
    for (const group of groups) {
      if (group.position <= position) continue;
      this.#checked(`commit ${group.position}`, () => {
        const { horizon, smalls, writes } = unpackGroup(group.payload);
        for (const [scope, plain] of writes) this.#put(scope, plain, recent, former);
        recent.add(NO_WRITES, new Map(smalls), horizon);
      });
    }
    return recent;
  }

  /** To be called after the last group. */
  end(): void {
    for (const [scope, stamp] of this.#ahead)
      throw damaged(this.#shelf.dir, `no commit leads to ${stamp}, which is the register of "${scope}"`);
  }

  #put(scope: string, plain: unknown, recent: Recent<W>, former: Recent<W> | undefined): void {
    const { from, to } = this.#codec.link(plain);
    if (from === null) {
      this.#ahead.delete(scope);
      recent.put(scope, this.#codec.fromPlain(plain, undefined));
      return;
    }
    const has = this.#ahead.get(scope);
    if (has !== undefined) {
      if (has === to) this.#ahead.delete(scope);
      return;
    }
    const known = recent.writes.get(scope) ?? former?.writes.get(scope);
    const before = known === undefined ? this.#shelf.read(scope) : this.#codec.after(known);
    const stamp = before === undefined ? undefined : this.#codec.stamp(before);
    if (stamp === from) recent.put(scope, this.#codec.fromPlain(plain, before));
    else if (known !== undefined || stamp === undefined)
      throw new Error(`it changes ${from} of "${scope}", which is ${stamp}`);
    else if (stamp !== to) this.#ahead.set(scope, stamp);
  }

  #checked(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      throw damaged(this.#shelf.dir, `${what}: ${error instanceof Error ? error.message : error}`, error);
    }
  }
}

const NO_WRITES: ReadonlyMap<string, never> = new Map<string, never>();
