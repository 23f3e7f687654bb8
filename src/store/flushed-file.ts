/**
 * A file whose writes are on the disk once they are done.
 * Always true: `done` is called without an error only after all bytes of that write were flushed. On Linux the
 * descriptor does it (O_DSYNC), which saves a second trip through the thread pool. Elsewhere a flush follows:
 * macOS flushes the disk's own cache only when it is asked to, and Windows has no such descriptor.
 * Who calls sees to it that one write ends before the next one begins.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncate,
  openSync,
  readFileSync,
  write,
} from 'node:fs';
import { dirname, resolve } from 'node:path';

export type Done = (error: Error | null) => void;

const THROUGH = process.platform === 'linux';
const ZEROS = Buffer.alloc(1024 * 1024);

export class FlushedFile {
  readonly path: string;
  readonly #fd: number;
  readonly #through: boolean;

  /** @param through whether the descriptor flushes each write. */
  constructor(path: string, create: boolean, through = THROUGH) {
    this.path = path;
    this.#through = through;
    const flags = constants.O_RDWR | (create ? constants.O_CREAT : 0) | (through ? constants.O_DSYNC : 0);
    this.#fd = openSync(path, flags, 0o600);
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  /** All there is, read at the start only. */
  content(): Buffer {
    return readFileSync(this.path);
  }

  write(bytes: Buffer, at: number, done: Done): void {
    write(this.#fd, bytes, 0, bytes.length, at, (error, count) => {
      if (error !== null) done(error);
      else if (count === bytes.length) this.#flush(done);
      else if (count > 0) this.write(bytes.subarray(count), at + count, done);
      else done(new Error('nothing could be written'));
    });
  }

  #flush(done: Done): void {
    if (this.#through) done(null);
    else fdatasync(this.#fd, done);
  }

  flushed(bytes: Buffer, at: number): Promise<void> {
    return settled((done) => this.write(bytes, at, done));
  }

  /** Makes the file exactly so long. The space is written, so that a later flush has no sizes to bring along. */
  async resize(bytes: number): Promise<void> {
    const { size } = this;
    if (size > bytes) await settled((done) => ftruncate(this.#fd, bytes, done));
    for (let at = size; at < bytes; at += ZEROS.length)
      await this.flushed(ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at)), at);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function settled(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Names of new files are durable once their directory is flushed; up to `top`, the names of new directories too. */
export function flushNames(dir: string, top = dir): void {
  if (process.platform === 'win32') return;
  const last = resolve(top);
  for (let each = resolve(dir); ; each = dirname(each)) {
    const fd = openSync(each, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (each === last) return;
  }
}
