/**
 * Reads registers from their chains, and decides how each write goes: as a delta, or whole.
 * Always true: a write goes as a delta only if its change builds on the very state that was written last, commits
 * that are under way included; anything else goes whole. Deltas weigh no more than their base, or than a few kB,
 * and are not too many, so that a change costs what it weighs itself, times a constant, and reading stays cheap.
 * Heads are remembered for the scopes read or written lately; one that was forgotten is read again when it is needed.
 */
import {
  baseKey,
  chainHead,
  deltaKey,
  generationHead,
  type Head,
  headKey,
  NO_HEAD,
  parseHead,
  partOf,
  wholeHead,
} from './chain.ts';
import type { Engine } from './engine.ts';
import { damaged } from './errors.ts';
import { frame, unframe } from './record.ts';
import type { RecordCodec } from './store.ts';

export interface Limits {
  /** A register of at most so many bytes lies in one record. */
  readonly wholeBytes: number;
  /** Deltas may weigh that much, however small their base is. */
  readonly deltaBytes: number;
  /** Deltas of one base, for each is looked up alone. */
  readonly deltas: number;
  /** A free register goes whole if its base is larger: it may lie there unused for years. */
  readonly freeBytes: number;
  /** Heads that are remembered. */
  readonly heads: number;
}

export const LIMITS: Limits = {
  wholeBytes: 1024,
  deltaBytes: 4096,
  deltas: 4096,
  freeBytes: 256 * 1024,
  heads: 16_384,
};

/** What is read here of the engine. */
export type Shelf = Pick<Engine, 'dir' | 'get'>;

type Put = readonly [key: string, value: Buffer];

/** What the registers of one batch come to. */
export interface Plan {
  readonly puts: Put[];
  readonly dels: string[];
  readonly heads: Map<string, Head>;
  readonly held: Map<string, boolean>;
}

interface Known {
  readonly head: Head;
  /** The commit that writes it; the head must not be forgotten before, for the disk does not have it yet. */
  readonly commit: number;
}

export class Chains<T, W> {
  readonly #engine: Shelf;
  readonly #codec: RecordCodec<T, W>;
  readonly #limits: Limits;
  /** In the order of last use, the oldest first. */
  readonly #known = new Map<string, Known>();
  #settled = 0;

  constructor(engine: Shelf, codec: RecordCodec<T, W>, limits: Limits) {
    this.#engine = engine;
    this.#codec = codec;
    this.#limits = limits;
  }

  /** The register as last flushed. */
  read(scope: string): T | undefined {
    const first = this.#head(scope);
    if (first === undefined) return undefined;
    const { head, whole } = first;
    if (whole === undefined) return this.#follow(scope, head);
    return this.#decoded(headKey(scope), () => this.#codec.decode(whole));
  }

  /** Decides about each write of a batch; nothing counts before `adopt`. Texts are checked by the caller. */
  plan(writes: ReadonlyMap<string, W>): Plan {
    const plan: Plan = { puts: [], dels: [], heads: new Map(), held: new Map() };
    for (const [scope, write] of writes) {
      const record = this.#codec.after(write);
      const held = this.#codec.held(record);
      plan.held.set(scope, held);
      const last = this.#known.get(scope)?.head ?? this.#head(scope)?.head ?? NO_HEAD;
      const delta = this.#deltaOf(write, last, held);
      const head =
        delta === undefined
          ? this.#putWhole(plan, scope, record, last)
          : this.#putDelta(plan, scope, delta, this.#codec.stamp(record), last);
      plan.heads.set(scope, head);
    }
    return plan;
  }

  /** The plan will be written by that commit. */
  adopt(plan: Plan, commit: number): void {
    for (const [scope, head] of plan.heads) this.#remember(scope, head, commit);
  }

  /** All commits up to this one are on disk. */
  settled(commit: number): void {
    this.#settled = commit;
    this.#trim();
  }

  /** The bytes of the change, if this write goes as a delta. The whole register is not looked at. */
  #deltaOf(write: W, last: Head, held: boolean): Uint8Array | undefined {
    const { deltas, deltaBytes, freeBytes } = this.#limits;
    if (!last.chained || last.deltas >= deltas || (!held && last.baseBytes > freeBytes)) return undefined;
    if (this.#codec.from(write) !== last.stamp) return undefined;
    const delta = this.#codec.encodeDelta(write);
    return last.deltaBytes + delta.length > Math.max(last.baseBytes, deltaBytes) ? undefined : delta;
  }

  #putDelta(plan: Plan, scope: string, delta: Uint8Array, stamp: string, last: Head): Head {
    const head: Head = {
      ...last,
      deltas: last.deltas + 1,
      deltaBytes: last.deltaBytes + delta.length,
      stamp,
    };
    put(plan, headKey(scope), chainHead(head));
    put(plan, deltaKey(scope, head.deltas), generationHead(head.generation), delta);
    return head;
  }

  #putWhole(plan: Plan, scope: string, record: T, last: Head): Head {
    const bytes = this.#codec.encode(record);
    const generation = last.generation + 1;
    for (let nth = 1; nth <= last.deltas; nth++) plan.dels.push(deltaKey(scope, nth));
    if (bytes.length <= this.#limits.wholeBytes) {
      if (last.chained) plan.dels.push(baseKey(scope));
      put(plan, headKey(scope), wholeHead(generation), bytes);
      return { ...NO_HEAD, generation, baseBytes: bytes.length };
    }
    const head: Head = {
      chained: true,
      generation,
      deltas: 0,
      baseBytes: bytes.length,
      deltaBytes: 0,
      stamp: this.#codec.stamp(record),
    };
    put(plan, headKey(scope), chainHead(head));
    put(plan, baseKey(scope), generationHead(generation), bytes);
    return head;
  }

  /** Base and deltas, each checked against the head. */
  #follow(scope: string, head: Head): T {
    const key = headKey(scope);
    const base = this.#part(baseKey(scope), head.generation);
    let record = this.#decoded(baseKey(scope), () => this.#codec.decode(base));
    for (let nth = 1; nth <= head.deltas; nth++) {
      const delta = this.#part(deltaKey(scope, nth), head.generation);
      const before = record;
      record = this.#decoded(deltaKey(scope, nth), () => this.#codec.apply(before, delta));
    }
    if (this.#engine.get(deltaKey(scope, head.deltas + 1)) !== undefined)
      throw this.#damaged(key, `there are more deltas than its ${head.deltas}`);
    const stamp = this.#codec.stamp(record);
    if (stamp !== head.stamp) throw this.#damaged(key, `its deltas lead to ${stamp}, not to ${head.stamp}`);
    return record;
  }

  /** On disk; the newest there is of a scope that no commit under way writes, for those are known. */
  #head(scope: string): { head: Head; whole: Buffer | undefined } | undefined {
    const key = headKey(scope);
    const bytes = this.#engine.get(key);
    if (bytes === undefined) return undefined;
    const payload = unframe(key, bytes);
    if (typeof payload === 'string') throw this.#damaged(key, payload);
    const parsed = parseHead(payload);
    if (typeof parsed === 'string') throw this.#damaged(key, parsed);
    if (!this.#known.has(scope)) this.#remember(scope, parsed.head, 0);
    return parsed;
  }

  #part(key: string, generation: number): Buffer {
    const bytes = this.#engine.get(key);
    if (bytes === undefined) throw this.#damaged(key, 'it is missing');
    const payload = unframe(key, bytes);
    if (typeof payload === 'string') throw this.#damaged(key, payload);
    const part = partOf(payload, generation);
    if (typeof part === 'string') throw this.#damaged(key, part);
    return part;
  }

  #decoded(key: string, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw this.#damaged(key, error instanceof Error ? error.message : String(error), error);
    }
  }

  #damaged(key: string, what: string, cause?: unknown): Error {
    return damaged(this.#engine.dir, `record ${JSON.stringify(key)}: ${what}`, cause);
  }

  #remember(scope: string, head: Head, commit: number): void {
    this.#known.delete(scope);
    this.#known.set(scope, { head, commit });
    this.#trim();
  }

  #trim(): void {
    for (const [scope, { commit }] of this.#known) {
      if (this.#known.size <= this.#limits.heads || commit > this.#settled) return;
      this.#known.delete(scope);
    }
  }
}

function put(plan: Plan, key: string, head: Buffer, body?: Uint8Array): void {
  plan.puts.push([key, body === undefined ? frame(key, head) : frame(key, head, body)]);
}
