/**
 * What commits brought since a certain one, merged: the newest write of each scope, each small record, the horizon.
 * Always true: only flushed commits are in it, in their order, and all of them up to `position`.
 */
import type { RecordCodec } from './store.ts';

export class Recent<W> {
  readonly writes = new Map<string, W>();
  readonly smalls = new Map<string, Buffer>();
  horizon: number;
  position: number;
  readonly #join: RecordCodec<unknown, W>['join'];

  constructor(codec: Pick<RecordCodec<unknown, W>, 'join'>, horizon: number, position: number) {
    this.#join = codec.join;
    this.horizon = horizon;
    this.position = position;
  }

  /** The next commit. */
  add(registers: ReadonlyMap<string, W>, smalls: ReadonlyMap<string, Buffer>, horizon: number): void {
    for (const [scope, write] of registers) this.put(scope, write);
    for (const [name, value] of smalls) this.smalls.set(name, value);
    this.horizon = horizon;
    this.position++;
  }

  /** One write of a commit that is added on its own. */
  put(scope: string, write: W): void {
    const before = this.writes.get(scope);
    this.writes.set(scope, before === undefined ? write : this.#join(before, write));
  }
}
