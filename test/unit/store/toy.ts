/** A toy record for tests of the store, which knows nothing of locks: a text that grows. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Limits } from '../../../src/store/chains.ts';
import type { RecordCodec, Store } from '../../../src/store/store.ts';

export interface Toy {
  readonly text: string;
  readonly held: boolean;
}

export interface ToyWrite {
  readonly toy: Toy;
  /** What was added to the toy of that stamp; null to write it whole. */
  readonly added: { readonly text: string; readonly to: string } | null;
}

export type ToyStore = Store<Toy, ToyWrite>;

const stampOf = ({ text, held }: Toy) => `${text.length}.${crc32(text)}.${held}`;

export const toyCodec: RecordCodec<Toy, ToyWrite> = {
  encode: (toy) => Buffer.from(JSON.stringify(toy)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Toy,
  held: (toy) => toy.held,
  stamp: stampOf,
  after: (write) => write.toy,
  from: (write) => write.added?.to ?? null,
  encodeDelta: ({ toy, added }) => Buffer.from(JSON.stringify({ ...added, held: toy.held })),
  apply(toy, delta) {
    const { text, to, held } = JSON.parse(Buffer.from(delta).toString('utf8'));
    if (to !== stampOf(toy)) throw new Error(`builds on ${to}, not on ${stampOf(toy)}`);
    return { text: toy.text + text, held };
  },
};

/** Chains that are long and whose heads are soon forgotten, though the toys are small. */
export const TOY_LIMITS: Limits = { wholeBytes: 100, deltaBytes: 400, deltas: 7, freeBytes: 1000, heads: 2 };

export const toy = (text: string, held = false): Toy => ({ text, held });

export const whole = (text: string, held = false): ToyWrite => ({ toy: { text, held }, added: null });

/** The write that adds to a toy. */
export const grown = (before: Toy, text: string, held = before.held): ToyWrite => ({
  toy: { text: before.text + text, held },
  added: { text, to: stampOf(before) },
});

export function newDir(): string {
  return join(mkdtempSync(join(tmpdir(), 'quorate-store-')), 'data');
}
