/**
 * Reads registers from their chains, and decides how each write goes: as a delta, or whole.
 * Always true: a write goes as a delta only if its change builds on the very state that was written last; anything
 * else goes whole. Deltas weigh no more than their base, or than a few kB, and are not too many, so that a change
 * costs what it weighs itself, times a constant, and reading stays cheap. One plan is written before the next is
 * made. Heads are remembered for the scopes read or written lately; a forgotten one is read again when it is needed.
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
  /** Heads that are remembered at least, up to twice as many: as many as scopes in one segment (see store.ts). */
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
export type Records = Pick<Engine, 'dir' | 'get'>;

type Put = readonly [key: string, value: Buffer];

/** What the writes of one group come to; each scope is in it once. */
export class Plan {
  readonly puts: Put[] = [];
  readonly dels: string[] = [];
  readonly heads = new Map<string, Head>();
  readonly held = new Map<string, boolean>();
  /** What the values weigh. */
  bytes = 0;
}

export class Chains<T, W> {
  readonly #engine: Records;
  readonly #codec: RecordCodec<T, W>;
  readonly #limits: Limits;
  /** Those used lately, and those used before; forgotten by the half, for a map that loses its first key is slow. */
  #known = new Map<string, Head>();
  #knownBefore = new Map<string, Head>();

  constructor(engine: Records, codec: RecordCodec<T, W>, limits: Limits) {
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

  /** Decides how a write goes, and adds it to the plan; it does not count before `adopt`. */
  plan(scope: string, write: W, plan: Plan): void {
    const record = this.#codec.after(write);
    const held = this.#codec.held(record);
    plan.held.set(scope, held);
    const last = this.#remembered(scope) ?? this.#head(scope)?.head ?? NO_HEAD;
    const delta = this.#deltaOf(write, last, held);
    const head =
      delta === undefined
        ? this.#putWhole(plan, scope, record, last)
        : this.#putDelta(plan, scope, delta, this.#codec.stamp(record), last);
    plan.heads.set(scope, head);
  }

  /** The plan is on disk. */
  adopt(plan: Plan): void {
    for (const [scope, head] of plan.heads) this.#remember(scope, head);
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

  /** As it is on disk. */
  #head(scope: string): { head: Head; whole: Buffer | undefined } | undefined {
    const key = headKey(scope);
    const bytes = this.#engine.get(key);
    if (bytes === undefined) return undefined;
    const payload = unframe(key, bytes);
    if (typeof payload === 'string') throw this.#damaged(key, payload);
    const parsed = parseHead(payload);
    if (typeof parsed === 'string') throw this.#damaged(key, parsed);
    this.#remember(scope, parsed.head);
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

  #remembered(scope: string): Head | undefined {
    return this.#known.get(scope) ?? this.#knownBefore.get(scope);
  }

  #remember(scope: string, head: Head): void {
    this.#known.set(scope, head);
    if (this.#known.size < this.#limits.heads) return;
    this.#knownBefore = this.#known;
    this.#known = new Map();
  }
}

function put(plan: Plan, key: string, head: Buffer, body?: Uint8Array): void {
  const value = body === undefined ? frame(key, head) : frame(key, head, body);
  plan.puts.push([key, value]);
  plan.bytes += value.length;
}
