/**
 * The store on top of the engine: which key holds what, and what belongs into one commit.
 * Always true: the index names exactly the scopes whose register is held, for both change in one group.
 *   key           value
 *   f             format of this directory
 *   i             identity
 *   b             boot counter
 *   z             promise horizon
 *   m + name      small records of other parts of the peer
 *   p + slot      one per commit, see ring.ts
 *   r, w, d       the registers, see chain.ts
 *   h + scope     empty: the register is held
 */
import { randomBytes } from 'node:crypto';
import { pack, unpack } from 'msgpackr';
import { Chains, type Limits, type Plan } from './chains.ts';
import type { Engine } from './engine.ts';
import { damaged, tooNew } from './errors.ts';
import { frame, unframe } from './record.ts';
import { lastCommit, noteCommit } from './ring.ts';
import type { Batch, RecordCodec, Store } from './store.ts';

const FORMAT = 2;
/** Low bits of a boot number are drawn anew, so that two copies of one directory show (twins). */
const BOOT_RANDOM = 2 ** 20;

export class LevelStore<T, W> implements Store<T, W> {
  identity = '';
  boot = 0;
  horizon = 0;
  position = 0;
  readonly #engine: Engine;
  readonly #chains: Chains<T, W>;
  readonly #held = new Set<string>();
  /** How many commits were asked for, and the highest horizon among them. */
  #asked = 0;
  #horizonAsked = 0;
  /** Settles with the last commit asked for; commits run in the order in which they were asked for. */
  #tail: Promise<void> | undefined;

  constructor(engine: Engine, codec: RecordCodec<T, W>, limits: Limits) {
    this.#engine = engine;
    this.#chains = new Chains(engine, codec, limits);
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
    this.#horizonAsked = this.horizon;
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
    return this.#chains.read(scope);
  }

  *held(): Iterable<readonly [scope: string, record: T]> {
    for (const scope of this.#held) {
      const record = this.read(scope);
      if (record === undefined) throw damaged(this.#engine.dir, `the register of "${scope}" is missing`);
      yield [scope, record];
    }
  }

  async commit(batch: Batch<W>): Promise<number> {
    const { registers, meta = {}, horizon = this.#horizonAsked } = batch;
    // What is refused, is refused before anything counts as written: later deltas build on what does.
    if (horizon < this.#horizonAsked) throw new RangeError('a promise horizon never falls');
    for (const scope of registers.keys()) wellFormed(scope);
    const smalls = Object.entries(meta).map(([name, value]) => small(`m${wellFormed(name)}`, value));
    if (horizon > this.#horizonAsked) smalls.push(small('z', horizon));
    const plan = this.#chains.plan(registers);
    const number = ++this.#asked;
    this.#chains.adopt(plan, number);
    this.#horizonAsked = horizon;

    const before = this.#tail;
    const mine = (async () => {
      if (before !== undefined) await before;
      return this.#apply(plan, smalls, number, horizon);
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

  async #apply(plan: Plan, smalls: Puts, number: number, horizon: number): Promise<number> {
    const position = this.position + 1;
    await this.#engine.write((group) => {
      for (const [key, value] of smalls) group.put(key, value);
      for (const key of plan.dels) group.del(key);
      for (const [key, value] of plan.puts) group.put(key, value);
      for (const [scope, now] of plan.held) {
        if (now === this.#held.has(scope)) continue;
        if (now) group.put(`h${scope}`, EMPTY);
        else group.del(`h${scope}`);
      }
      noteCommit(group, position);
    });
    this.position = position;
    this.#chains.settled(number);
    for (const [scope, now] of plan.held) {
      if (now) this.#held.add(scope);
      else this.#held.delete(scope);
    }
    this.horizon = horizon;
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
function wellFormed(name: string): string {
  if (/\p{Surrogate}/u.test(name)) throw new TypeError(`not well-formed text: ${JSON.stringify(name)}`);
  return name;
}
