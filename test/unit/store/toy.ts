/** A toy record for tests of the store, which knows nothing of locks. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordCodec } from '../../../src/store/store.ts';

export interface Toy {
  readonly text: string;
  readonly held: boolean;
}

export const toyCodec: RecordCodec<Toy> = {
  encode: (toy) => Buffer.from(JSON.stringify(toy)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Toy,
  held: (toy) => toy.held,
};

export const toy = (text: string, held = false): Toy => ({ text, held });

export function newDir(): string {
  return join(mkdtempSync(join(tmpdir(), 'quorate-store-')), 'data');
}
