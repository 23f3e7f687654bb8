/**
 * The store on top of the engine: which key holds what, and what belongs into one commit.
 * Always true: the index names exactly the scopes whose record is held, for both change in one group.
 *   key           value
 *   f             format of this directory
 *   i             identity
 *   b             boot counter
 *   z             promise horizon
 *   m + name      small records of other parts of the peer
 *   p + slot      one per commit, see ring.ts
 *   r + scope     the register
 *   h + scope     empty: the register is held
 */
import { randomBytes } from 'node:crypto';
import { pack, unpack } from 'msgpackr';
import type { Engine } from './engine.ts';
import { damaged, tooNew } from './errors.ts';
import { frame, unframe } from './record.ts';
import { lastCommit, noteCommit } from './ring.ts';
import type { Batch, RecordCodec, Store } from './store.ts';

const FORMAT = 1;
/** Low bits of a boot number are drawn anew, so that two copies of one directory show (twins). */
const BOOT_RANDOM = 2 ** 20;

export class LevelStore<T> implements Store<T> {
  identity = '';
  boot = 0;
  horizon = 0;
  position = 0;
  readonly #engine: Engine;
  readonly #codec: RecordCodec<T>;
  readonly #held = new Set<string>();
  /** Settles with the last commit asked for; commits run in the order in which they were asked for. */
  #tail: Promise<void> | undefined;

  constructor(engine: Engine, codec: RecordCodec<T>) {
    this.#engine = engine;
    this.#codec = codec;
  }

  /**
   * Opening raises the boot counter but not the position, or it would hide the loss of the last commit from the
   * peers that have seen its position.
   */
  async start(): Promise<void> {
    this.position = await lastCommit(this.#engine);
    const fresh = this.position === 0 && this.#engine.get('f') === undefined;
    const format = fresh ? FORMAT : this.#value('f');
    if (format !== FORMAT) throw tooNew(this.#engine.dir, format);
    this.identity = fresh ? randomBytes(8).toString('hex') : (this.#value('i') as string);
    this.horizon = fresh ? 0 : (this.#value('z') as number);
    const counter = (fresh ? 0 : (this.#value('b') as number)) + 1;
    for await (const entries of this.#engine.scan('h')) {
      for (const [key] of entries) this.#held.add(key.slice(1));
    }
    const puts = [small('b', counter)];
    if (fresh) puts.push(small('f', FORMAT), small('i', this.identity), small('z', 0));
    await this.#engine.write((group) => {
      for (const [key, value] of puts) group.put(key, value);
    });
    this.boot = counter * BOOT_RANDOM + (randomBytes(4).readUInt32LE() % BOOT_RANDOM);
  }

  meta(key: string): unknown {
    const payload = this.#payload(`m${key}`);
    return payload === undefined ? undefined : unpack(payload);
  }

  read(scope: string): T | undefined {
    const payload = this.#payload(`r${scope}`);
    return payload === undefined ? undefined : this.#codec.decode(payload);
  }

  *held(): Iterable<readonly [scope: string, record: T]> {
    for (const scope of this.#held) {
      const record = this.read(scope);
      if (record === undefined) throw damaged(this.#engine.dir, `the register of "${scope}" is missing`);
      yield [scope, record];
    }
  }

  async commit(batch: Batch<T>): Promise<number> {
    const puts: [key: string, value: Buffer][] = [];
    const held = new Map<string, boolean>();
    for (const [scope, record] of batch.registers) {
      const key = wellFormed(`r${scope}`);
      puts.push([key, frame(key, this.#codec.encode(record))]);
      held.set(scope, this.#codec.held(record));
    }
    for (const [name, value] of Object.entries(batch.meta ?? {}))
      puts.push(small(wellFormed(`m${name}`), value));
    if (batch.horizon !== undefined) puts.push(small('z', batch.horizon));

    const before = this.#tail;
    const mine = (async () => {
      if (before !== undefined) await before;
      return this.#apply(puts, held, batch.horizon);
    })();
    const settled = mine.then(noop, noop);
    this.#tail = settled;
    try {
      return await mine;
    } finally {
      if (this.#tail === settled) this.#tail = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#tail;
    await this.#engine.close();
  }

  async #apply(puts: Puts, held: ReadonlyMap<string, boolean>, horizon: number | undefined): Promise<number> {
    if (horizon !== undefined && horizon < this.horizon)
      throw new RangeError('a promise horizon never falls');
    const position = this.position + 1;
    await this.#engine.write((group) => {
      for (const [key, value] of puts) group.put(key, value);
      for (const [scope, now] of held) {
        if (now === this.#held.has(scope)) continue;
        if (now) group.put(`h${scope}`, EMPTY);
        else group.del(`h${scope}`);
      }
      noteCommit(group, position);
    });
    this.position = position;
    for (const [scope, now] of held) {
      if (now) this.#held.add(scope);
      else this.#held.delete(scope);
    }
    if (horizon !== undefined) this.horizon = horizon;
    return position;
  }

  #value(key: string): unknown {
    const payload = this.#payload(key);
    if (payload === undefined) throw damaged(this.#engine.dir, `record "${key}" is missing`);
    return unpack(payload);
  }

  #payload(key: string): Uint8Array | undefined {
    const bytes = this.#engine.get(key);
    if (bytes === undefined) return undefined;
    const payload = unframe(key, bytes);
    if (typeof payload === 'string') throw damaged(this.#engine.dir, `record "${key}": ${payload}`);
    return payload;
  }
}

type Puts = readonly (readonly [key: string, value: Buffer])[];

const EMPTY = Buffer.alloc(0);
const noop = () => {};

function small(key: string, value: unknown): [key: string, value: Buffer] {
  return [key, frame(key, pack(value))];
}

/** Two texts with lone surrogates could become the same bytes, and two scopes would share a register. */
function wellFormed(key: string): string {
  if (/\p{Surrogate}/u.test(key)) throw new TypeError(`not well-formed text: ${JSON.stringify(key)}`);
  return key;
}
