/**
 * The lock ids of a scope that ended lately (L4), oldest first.
 * Always true: a ring never changes once it is made. Rings that follow each other share their columns: the newest
 * appends to them, beyond what the older ones look at, and whoever appends to an older one copies first. So an end
 * costs a few numbers instead of a copy of them all, at every voter.
 */
import type { Ending, FencingToken, LockId, Retired } from './state.ts';

/** How many ended lock ids a scope remembers. */
export const RETIRED_RING = 64;
/** Columns that are this long are left behind: what is remembered of them moves into new ones. */
const COLUMNS_MAX = 2 * RETIRED_RING;

class Columns {
  readonly ids: LockId[];
  /** Few ids of one time have the same: comparing the ids themselves, which begin alike (UUID v7), costs much more. */
  readonly marks: number[];
  readonly endings: Ending[];
  readonly tokens: FencingToken[];
  readonly notes: (string | null)[];

  /** With one entry, and room for no more: most scopes that rest have seen one end. */
  constructor(lockId: LockId, ending: Ending, token: FencingToken, note: string | null) {
    this.ids = [lockId];
    this.marks = [markOf(lockId)];
    this.endings = [ending];
    this.tokens = [token];
    this.notes = [note];
  }

  get length(): number {
    return this.ids.length;
  }

  push(lockId: LockId, ending: Ending, token: FencingToken, note: string | null): void {
    this.ids.push(lockId);
    this.marks.push(markOf(lockId));
    this.endings.push(ending);
    this.tokens.push(token);
    this.notes.push(note);
  }
}

/** Made of the last four UTF-16 units. */
function markOf(lockId: LockId): number {
  const end = lockId.length;
  let mark = 0;
  for (let i = Math.max(0, end - 4); i < end; i++) mark = ((mark << 6) ^ lockId.charCodeAt(i)) & 0x3fffffff;
  return mark;
}

export class Ring implements Iterable<Retired> {
  /** Undefined as long as nothing has ended. */
  readonly #columns: Columns | undefined;
  readonly #from: number;
  readonly #to: number;

  private constructor(columns: Columns | undefined, from: number, to: number) {
    this.#columns = columns;
    this.#from = from;
    this.#to = to;
  }

  static readonly EMPTY = new Ring(undefined, 0, 0);

  /** @param entries at most RETIRED_RING, oldest first. */
  static of(entries: Iterable<Retired>): Ring {
    let ring = Ring.EMPTY;
    for (const { lockId, ending, token, note } of entries) ring = ring.with(lockId, ending, token, note);
    return ring;
  }

  get length(): number {
    return this.#to - this.#from;
  }

  /** The ring after one more has ended; the oldest is forgotten when there are too many. */
  with(lockId: LockId, ending: Ending, token: FencingToken, note: string | null): Ring {
    const columns = this.#columns;
    if (columns === undefined) return new Ring(new Columns(lockId, ending, token, note), 0, 1);
    const from = Math.max(this.#from, this.#to - (RETIRED_RING - 1));
    if (columns.length === this.#to && columns.length < COLUMNS_MAX) {
      columns.push(lockId, ending, token, note);
      return new Ring(columns, from, this.#to + 1);
    }
    const [first, ...others] = this.newest(this.#to - from);
    const copy = new Columns(first!.lockId, first!.ending, first!.token, first!.note);
    for (const other of others) copy.push(other.lockId, other.ending, other.token, other.note);
    copy.push(lockId, ending, token, note);
    return new Ring(copy, 0, copy.length);
  }

  /** The entry of this lock id, or undefined. Newest first: repeats come soon. */
  find(lockId: LockId): Retired | undefined {
    if (this.#columns === undefined) return undefined;
    const { ids, marks } = this.#columns;
    const mark = markOf(lockId);
    for (let i = this.#to - 1; i >= this.#from; i--) {
      if (marks[i] === mark && ids[i] === lockId) return this.#entry(i);
    }
    return undefined;
  }

  /** The newest so many, or all if there are fewer, oldest first. */
  newest(count: number): Retired[] {
    const entries: Retired[] = [];
    for (let i = Math.max(this.#from, this.#to - count); i < this.#to; i++) entries.push(this.#entry(i));
    return entries;
  }

  *[Symbol.iterator](): Iterator<Retired> {
    for (let i = this.#from; i < this.#to; i++) yield this.#entry(i);
  }

  #entry(i: number): Retired {
    const { ids, endings, tokens, notes } = this.#columns!;
    return { lockId: ids[i]!, ending: endings[i]!, token: tokens[i]!, note: notes[i]! };
  }
}
