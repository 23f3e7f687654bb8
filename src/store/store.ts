/**
 * The votes of one peer on disk, as the rest of the peer sees them.
 * Always true: a commit is atomic and resolves after its flush; after one failed commit every later one rejects;
 * identity never changes; boot and position only grow. The store knows nothing of locks: a codec turns records
 * into bytes. It keeps no record in memory, only the names of the held ones.
 */
import { join } from 'node:path';
import { Engine } from './engine.ts';
import { LevelStore } from './level-store.ts';

export { StoreError, type StoreErrorCode } from './errors.ts';

export interface RecordCodec<T> {
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): T;
  /** Whether the record must be found again after a restart without anybody asking for its scope. */
  held(record: T): boolean;
}

export interface Batch<T> {
  readonly registers: ReadonlyMap<string, T>;
  readonly horizon?: number;
  readonly meta?: Readonly<Record<string, unknown>>;
}

export interface Store<T> {
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
  /** Every register with holders; free ones aren't touched. */
  held(): Iterable<readonly [scope: string, record: T]>;
  /** Resolves with the new position after the flush. Commits never overlap: one waits for the former. */
  commit(batch: Batch<T>): Promise<number>;
  close(): Promise<void>;
}

export async function openStore<T>(dataDir: string, codec: RecordCodec<T>): Promise<Store<T>> {
  const engine = await Engine.open(join(dataDir, 'votes'));
  try {
    const store = new LevelStore(engine, codec);
    await store.start();
    return store;
  } catch (error) {
    await engine.close().catch(() => {});
    throw error;
  }
}
