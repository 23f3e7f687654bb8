/**
 * The votes of one peer on disk, as the rest of the peer sees them.
 * Always true: a commit is atomic and resolves after its flush; after one failed commit every later one rejects;
 * identity never changes; boot and position only grow. The store knows nothing of locks: a codec turns records
 * and their changes into bytes. It keeps no record in memory, only the names of the held ones and some sizes.
 */
import { join } from 'node:path';
import { LIMITS, type Limits } from './chains.ts';
import { Engine } from './engine.ts';
import { LevelStore } from './level-store.ts';

export { StoreError, type StoreErrorCode } from './errors.ts';

/** T is a record, W what goes to disk of it in one commit: the whole new record, and how it came to be. */
export interface RecordCodec<T, W> {
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): T;
  /** Whether the record must be found again after a restart without anybody asking for its scope. */
  held(record: T): boolean;
  /** Names this state of a scope, in a few dozen characters; no other state of that scope has the same name. */
  stamp(record: T): string;
  /** The whole record that the write leads to. This and the three above are cheap, however large the record. */
  after(write: W): T;
  /** The stamp of the state that the write's change builds on; null if it is to be written whole. */
  from(write: W): string | null;
  /** The change alone, which costs what the change weighs. Asked only of a write that has one. */
  encodeDelta(write: W): Uint8Array;
  /** The record after the change; throws if the change builds on another state. */
  apply(record: T, delta: Uint8Array): T;
}

export interface Batch<W> {
  readonly registers: ReadonlyMap<string, W>;
  readonly horizon?: number;
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface Store<T, W> {
  /** 16 hexadecimal digits, made with the directory. */
  readonly identity: string;
  /** Grows with each opening, and was flushed before `openStore` returned. */
  readonly boot: number;
  /** The highest round that may be promised without a flush; 0 for a new store. */
  readonly horizon: number;
  /** Number of the last flushed commit, 0 for a new store; opening isn't one. */
  readonly position: number;
  meta(key: string): unknown;
  /** The register as last flushed; a commit that is under way doesn't show. */
  read(scope: string): T | undefined;
  /** Every register that is held; free ones aren't touched. */
  held(): Iterable<readonly [scope: string, record: T]>;
  /** Resolves with the new position after the flush. Commits never overlap: one waits for the former. */
  commit(batch: Batch<W>): Promise<number>;
  close(): Promise<void>;
}

export async function openStore<T, W>(
  dataDir: string,
  codec: RecordCodec<T, W>,
  limits: Limits = LIMITS,
): Promise<Store<T, W>> {
  const engine = await Engine.open(join(dataDir, 'votes'));
  try {
    const store = new LevelStore(engine, codec, limits);
    await store.start();
    return store;
  } catch (error) {
    await engine.close().catch(() => {});
    throw error;
  }
}
