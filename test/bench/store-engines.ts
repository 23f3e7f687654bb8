/**
 * The candidates for the votes on disk, behind one face. Always true: `put` resolves after the flush.
 * A library that is not installed is left out, and said to be: the losing one is no dependency of ours.
 */
import { closeSync, fdatasync, openSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openStore, type RecordCodec } from '../../src/store/store.ts';

export type Entry = readonly [key: string, value: Uint8Array];

export interface Engine {
  /** One atomic group with one flush. */
  put(entries: readonly Entry[]): Promise<unknown>;
  get?(key: string): Uint8Array | undefined;
  close(): Promise<void>;
}

export interface Candidate {
  readonly name: string;
  readonly library?: string;
  /** Groups are made by the caller: many lone writers would each wait for a flush of their own. */
  readonly groupsOnly?: true;
  open(dir: string): Promise<Engine>;
}

interface Lmdb {
  batch(fill: () => void): Promise<boolean>;
  put(key: string, value: Uint8Array): Promise<boolean>;
  get(key: string): Uint8Array | undefined;
  flushed: Promise<boolean>;
  close(): Promise<void>;
}

/** A name that the type checker cannot follow, so that the sources compile without the library. */
const load = (library: string): Promise<Record<string, never>> => import(library);

async function openLmdb(dir: string, options: object): Promise<Engine> {
  const { open } = (await load('lmdb')) as unknown as { open(options: object): Lmdb };
  const db = open({ path: dir, encoding: 'binary', ...options });
  return {
    async put(entries) {
      const [only] = entries;
      // A lone put leaves the grouping to the library, which takes all puts of one turn into one transaction.
      if (entries.length === 1) await db.put(only![0], only![1]);
      else {
        await db.batch(() => {
          for (const [key, value] of entries) void db.put(key, value);
        });
      }
      await db.flushed;
    },
    get: (key) => db.get(key),
    close: () => db.close(),
  };
}

async function openLevel(dir: string, chained: boolean): Promise<Engine> {
  const { ClassicLevel } = (await load('classic-level')) as unknown as {
    ClassicLevel: new (dir: string, options: object) => LevelLike;
  };
  const db = new ClassicLevel(dir, { valueEncoding: 'buffer', compression: false });
  await db.open();
  return {
    put(entries) {
      const [only] = entries;
      if (entries.length === 1) return db.put(only![0], only![1], { sync: true });
      if (!chained) {
        const operations = entries.map(([key, value]) => ({ type: 'put', key, value }));
        return db.batch(operations, { sync: true });
      }
      const group = db.batch();
      for (const [key, value] of entries) group.put(key, value);
      return group.write({ sync: true });
    },
    get: (key) => db.getSync(key),
    close: () => db.close(),
  };
}

/** What ships: the vote log, and the library as the shelf behind it. */
async function openOurs(dir: string): Promise<Engine> {
  const codec: RecordCodec<Uint8Array, Uint8Array> = {
    encode: (bytes) => bytes,
    decode: (bytes) => bytes,
    held: () => false,
    stamp: () => '',
    after: (bytes) => bytes,
    from: () => null,
    encodeDelta: (bytes) => bytes,
    apply: (_, bytes) => bytes,
    isChange: () => false,
    follows: () => false,
    toPlain: (bytes) => bytes,
    link: () => ({ from: null, to: '' }),
    fromPlain: (plain) => plain as Uint8Array,
    join: (_, next) => next,
  };
  const store = await openStore(dir, codec);
  return {
    put: (entries) => store.commit({ registers: new Map(entries) }),
    get: (key) => store.read(key),
    close: () => store.close(),
  };
}

interface LevelLike {
  open(): Promise<void>;
  close(): Promise<void>;
  put(key: string, value: Uint8Array, options: object): Promise<void>;
  batch(operations: readonly object[], options: object): Promise<void>;
  batch(): { put(key: string, value: Uint8Array): unknown; write(options: object): Promise<void> };
  getSync(key: string): Uint8Array | undefined;
}

/** No store at all: what the disk itself takes for a write and its flush. */
function openPlain(dir: string): Promise<Engine> {
  const fd = openSync(join(dir, 'plain'), 'a');
  const append = promisify(write) as (fd: number, data: Uint8Array) => Promise<unknown>;
  const flush = promisify(fdatasync);
  return Promise.resolve({
    async put(entries) {
      const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length + 16, 0);
      await append(fd, Buffer.alloc(Math.max(4096, bytes), 1));
      await flush(fd);
    },
    close: () => Promise.resolve(closeSync(fd)),
  });
}

export const CANDIDATES: readonly Candidate[] = [
  { name: 'plain append + fdatasync', open: openPlain },
  { name: 'src/store', groupsOnly: true, open: openOurs },
  { name: 'classic-level, chained batch', library: 'classic-level', open: (dir) => openLevel(dir, true) },
  { name: 'classic-level, array batch', library: 'classic-level', open: (dir) => openLevel(dir, false) },
  { name: 'lmdb, overlapping', library: 'lmdb', open: (dir) => openLmdb(dir, {}) },
  {
    name: 'lmdb, not overlapping',
    library: 'lmdb',
    open: (dir) => openLmdb(dir, { overlappingSync: false }),
  },
];

export async function installed(candidate: Candidate): Promise<boolean> {
  if (candidate.library === undefined) return true;
  return load(candidate.library).then(
    () => true,
    () => false,
  );
}
