/** A toy record for tests of the store, which knows nothing of locks: a text that grows. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Engine } from '../../../src/store/engine.ts';
import { Recent } from '../../../src/store/recent.ts';
import { type Group, type Groups, groupsOf, headOf } from '../../../src/store/segment.ts';
import { Shelf } from '../../../src/store/shelf.ts';
import { LIMITS, type Limits, type RecordCodec, type Store } from '../../../src/store/store.ts';

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
  isChange: ({ added }) => added !== null,
  follows: ({ added }, before) => before !== undefined && added?.to === stampOf(before),
  toPlain: ({ toy, added }, asChange) =>
    asChange ? [added!.to, added!.text, toy.held, stampOf(toy)] : [null, toy.text, toy.held],
  link(plain) {
    const [from, text, held, to] = plain as [string | null, string, boolean, string];
    return { from, to: from === null ? stampOf({ text, held }) : to };
  },
  fromPlain(plain, before) {
    const [from, text, held, to] = plain as [string | null, string, boolean, string];
    if (from === null || before === undefined) return whole(text, held);
    const write = grown(before, text, held);
    if (write.added!.to !== from || stampOf(write.toy) !== to) throw new Error(`does not lead to ${to}`);
    return write;
  },
  join(first, { toy, added }) {
    if (first.added === null || added?.to !== stampOf(first.toy)) return { toy, added: null };
    return { toy, added: { text: first.added.text + added.text, to: first.added.to } };
  },
};

/** Chains that are long and whose heads are soon forgotten, and segments that are soon full, though the toys are small. */
export const TOY_LIMITS: Limits = {
  wholeBytes: 100,
  deltaBytes: 400,
  deltas: 7,
  freeBytes: 1000,
  heads: 2,
  segmentBytes: 12 * 1024,
  segmentScopes: 1000,
  groupBytes: 400,
};

export const toy = (text: string, held = false): Toy => ({ text, held });

export const whole = (text: string, held = false): ToyWrite => ({ toy: { text, held }, added: null });

/** The write that adds to a toy. */
export const grown = (before: Toy, text: string, held = before.held): ToyWrite => ({
  toy: { text: before.text + text, held },
  added: { text, to: stampOf(before) },
});

/** The limits that ship, but for the disk space. */
export const SMALL_LOG: Limits = { ...LIMITS, segmentBytes: 64 * 1024 };

/** Commits of these writes, one each, that went to the shelf of a store that is not open and has no others. */
export async function onShelf(dir: string, ...writes: readonly [string, ToyWrite][]): Promise<void> {
  const engine = await Engine.open(join(dir, 'votes'));
  const shelf = new Shelf(engine, toyCodec, SMALL_LOG);
  await shelf.load();
  for (const [scope, write] of writes) {
    const recent = new Recent(toyCodec, shelf.horizon, shelf.position + 1);
    recent.put(scope, write);
    await shelf.take(recent, () => true);
  }
  await engine.close();
}

export interface LastSegment {
  readonly path: string;
  readonly groups: readonly Group[];
  /** Where the next group goes. */
  readonly end: number;
}

/** The segment of a store's log that has the newest commit. */
export function lastSegment(dir: string): LastSegment {
  const segments = ['segment-a', 'segment-b'].map((name) => {
    const path = join(dir, 'votes', name);
    const content = readFileSync(path);
    return { path, ...(groupsOf(content, headOf(content)!.salt) as Groups) };
  });
  return segments.reduce((a, b) => (last(a) >= last(b) ? a : b));
}

const last = ({ groups }: Groups) => groups.at(-1)?.position ?? 0;

export function newDir(): string {
  return join(mkdtempSync(join(tmpdir(), 'quorate-store-')), 'data');
}
