/**
 * The library under the shelf: an ordered map from text to bytes, written in atomic, flushed groups.
 * Always true: `write` resolves only after the group's `fdatasync`; after one failure every later write
 * is refused, for the library's log has an unknown tail then, and what is appended behind a torn record is lost on
 * replay.
 * One process has the directory: the library holds an fcntl lock on its LOCK file, which the kernel drops
 * with the process however that dies, and which, unlike a pid file or a socket name, also holds between
 * containers that share a volume.
 */
import { mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { damaged, failed, inUse, type StoreError } from './errors.ts';
import { flushNames } from './flushed-file.ts';

/** Two of the library's logs exist at most, of this size; the ring must reach over both (see ring.ts). */
export const LOG_BYTES = 4 * 1024 * 1024;

export interface Group {
  /** What keys and values in it weigh, at least; the library adds some more for each. */
  readonly bytes: number;
  put(key: string, value: Uint8Array): void;
  del(key: string): void;
}

export class Engine {
  readonly dir: string;
  readonly #db: ClassicLevel<string, Buffer>;
  #broken: StoreError | undefined;

  private constructor(dir: string, db: ClassicLevel<string, Buffer>) {
    this.dir = dir;
    this.#db = db;
  }

  static async open(dir: string): Promise<Engine> {
    let created: string | undefined;
    try {
      created = mkdirSync(dir, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw failed(dir, 'making the directory', error);
    }
    // Small records that are soon overwritten aren't worth compressing.
    const options = { valueEncoding: 'buffer', compression: false, writeBufferSize: LOG_BYTES };
    const db = new ClassicLevel<string, Buffer>(dir, options);
    try {
      await db.open();
    } catch (error) {
      throw openingError(dir, error);
    }
    try {
      flushNames(dir, dirname(resolve(created ?? dir)));
    } catch (error) {
      await db.close();
      throw failed(dir, 'flushing the directory', error);
    }
    return new Engine(dir, db);
  }

  /** The value, as it is or as a write under way makes it. */
  get(key: string): Buffer | undefined {
    try {
      return this.#db.getSync(key);
    } catch (error) {
      throw isCorruption(error)
        ? damaged(this.dir, String(error), error)
        : failed(this.dir, 'reading', error);
    }
  }

  /** All entries whose key starts with `prefix`, in the order of their keys, a few thousand at a time. */
  async *scan(prefix: string): AsyncGenerator<[key: string, value: Buffer][]> {
    const after = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
    const iterator = this.#db.iterator({ gte: prefix, lt: after });
    try {
      for (;;) {
        const entries = await iterator.nextv(4096);
        if (entries.length === 0) return;
        yield entries;
      }
    } catch (error) {
      throw isCorruption(error)
        ? damaged(this.dir, String(error), error)
        : failed(this.dir, 'reading', error);
    } finally {
      await iterator.close();
    }
  }

  async write(fill: (group: Group) => void): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    // A chained batch copies straight into the library's memory: twice as fast here as an array of operations.
    const batch = this.#db.batch();
    const group = {
      bytes: 0,
      put(key: string, value: Uint8Array) {
        this.bytes += key.length + value.length;
        batch.put(key, value as Buffer);
      },
      del(key: string) {
        this.bytes += key.length;
        batch.del(key);
      },
    };
    fill(group);
    try {
      await batch.write({ sync: true });
    } catch (error) {
      this.#broken ??= failed(this.dir, 'writing votes', error);
      throw this.#broken;
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

function openingError(dir: string, error: unknown): StoreError {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause;
  if (cause?.code === 'LEVEL_LOCKED') return inUse(dir, cause);
  if (cause?.code === 'LEVEL_CORRUPTION') return damaged(dir, cause.message ?? 'it does not open', cause);
  return failed(dir, 'opening', cause ?? error);
}

function isCorruption(error: unknown): boolean {
  return (error as { code?: string }).code === 'LEVEL_CORRUPTION';
}
