/**
 * The votes of one peer on disk, as the rest of the peer sees them.
 * Always true: a commit is atomic and resolves after its flush; after one failed commit every later one rejects;
 * identity never changes; boot and position only grow. The store knows nothing of locks: a codec turns records
 * and their changes into bytes. In memory it keeps the names of the held records, some sizes, and what was
 * committed lately.
 */
import { join } from 'node:path';
import { LIMITS as CHAIN_LIMITS, type Limits as ChainLimits } from './chains.ts';
import { Engine } from './engine.ts';
import { failed, StoreError } from './errors.ts';
import { replay } from './replay.ts';
import { Shelf } from './shelf.ts';
import { VoteLog } from './vote-log.ts';
import { VoteStore } from './vote-store.ts';

export { StoreError, type StoreErrorCode } from './errors.ts';

/**
 * T is a record, W what goes to disk of it in one commit: the whole new record, and how it came to be. Neither
 * changes once it was handed over.
 */
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
  /** Whether the write has a change; if not, it is to be written whole. */
  isChange(write: W): boolean;
  /** Whether the change builds on this very record. */
  follows(write: W, before: T | undefined): boolean;
  /** The write as plain values for MessagePack: its change, or the whole record. */
  toPlain(write: W, asChange: boolean): unknown;
  /** What such values lead to, and what they build on: null if they are a whole. */
  link(plain: unknown): { readonly from: string | null; readonly to: string };
  /** The write again. @param before the record that it builds on; undefined only for a whole. */
  fromPlain(plain: unknown, before: T | undefined): W;
  /**
   * Two writes of a scope, one right after the other, as one. What builds on another state than the first leads to
   * is a whole then. `first` is not used again: it may be changed.
   */
  join(first: W, next: W): W;
}

export interface Limits extends ChainLimits {
  /** Of a segment of the vote log. */
  readonly segmentBytes: number;
  /** With so many scopes in it a segment is full, if the other one is free. */
  readonly segmentScopes: number;
  /** What goes to the shelf in one group weighs about that. */
  readonly groupBytes: number;
}

export const LIMITS: Limits = {
  ...CHAIN_LIMITS,
  segmentBytes: 8 * 1024 * 1024,
  segmentScopes: 4_096,
  groupBytes: 512 * 1024,
};

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
  let log: VoteLog | undefined;
  try {
    const shelf = new Shelf(engine, codec, limits);
    await shelf.load();
    const { dir, identity, position } = shelf;
    const found = shelf.hasLog
      ? await VoteLog.open(dir, identity, position, limits.segmentBytes)
      : { log: await VoteLog.create(dir, identity, position, limits.segmentBytes), before: [], newest: [] };
    log = found.log;
    const start = replay(codec, shelf, found);
    await shelf.begin();
    return new VoteStore(codec, shelf, start, limits.segmentScopes, () => engine.close());
  } catch (error) {
    log?.close();
    await engine.close().catch(() => {});
    throw error instanceof StoreError ? error : failed(engine.dir, 'opening', error);
  }
}
