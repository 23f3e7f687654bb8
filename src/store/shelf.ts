/**
 * The shelf: what was committed, brought into order, as far as it was taken from the vote log.
 * Always true: it has all commits up to `position`. While it takes over further ones, some registers are already as
 * they were after the last of those; `position` moves with the last of them, in one group. The index names exactly
 * the scopes whose register is held, for both change in one group.
 *   key           value
 *   f             format of this directory
 *   i             identity
 *   b             boot counter
 *   s             position: the shelf has all commits up to this one
 *   z             promise horizon
 *   m + name      small records of other parts of the peer
 *   p + slot      one per group, see ring.ts
 *   r, w, d       the registers, see chain.ts
 *   h + scope     empty: the register is held
 */
import { randomBytes } from 'node:crypto';
import { pack, unpack } from 'msgpackr';
import { Chains, Plan } from './chains.ts';
import type { Engine, Group } from './engine.ts';
import { damaged, tooNew } from './errors.ts';
import type { Recent } from './recent.ts';
import { frame, unframe } from './record.ts';
import { lastGroup, noteGroup } from './ring.ts';
import type { Limits, RecordCodec } from './store.ts';

const FORMAT = 3;
/** The format in which each commit was a group of its own: its shelf is valid as it is, and has no vote log yet. */
const WITHOUT_LOG = 2;
/** Registers that are made ready before others may have their turn: less than a millisecond's work. */
const SLICE = 32;
/** Records that were read lately are remembered until they are so many. */
const READ_LATELY = 4096;

export class Shelf<T, W> {
  readonly dir: string;
  identity = '';
  position = 0;
  horizon = 0;
  /** How often the store was opened, this time included once `begin` is done. */
  boots = 0;
  /** Whether there is a vote log beside it. */
  hasLog = false;
  readonly #engine: Engine;
  readonly #chains: Chains<T, W>;
  readonly #groupBytes: number;
  readonly #held = new Set<string>();
  /** What was read lately: who reads a record is soon to write it, and a write is compared with what it builds on. */
  readonly #read = new Map<string, T>();
  #groups = 0;

  constructor(engine: Engine, codec: RecordCodec<T, W>, limits: Limits) {
    this.dir = engine.dir;
    this.#engine = engine;
    this.#chains = new Chains(engine, codec, limits);
    this.#groupBytes = limits.groupBytes;
  }

  /** Reads what there is, and changes nothing. */
  async load(): Promise<void> {
    this.#groups = await lastGroup(this.#engine);
    if (this.#groups === 0 && this.#engine.get('f') === undefined) {
      this.identity = randomBytes(8).toString('hex');
      return;
    }
    const format = this.#value('f');
    if (format !== FORMAT && format !== WITHOUT_LOG) throw tooNew(this.dir, format);
    this.hasLog = format === FORMAT;
    this.identity = this.#value('i') as string;
    this.boots = this.#value('b') as number;
    this.horizon = this.#value('z') as number;
    this.position = this.hasLog ? (this.#value('s') as number) : this.#groups;
    for await (const entries of this.#engine.scan('h')) {
      for (const [key] of entries) this.#held.add(key.slice(1));
    }
  }

  /** Counts the opening. From then on the vote log counts too, so it must be there. */
  async begin(): Promise<void> {
    const puts = [small('b', this.boots + 1)];
    if (!this.hasLog) {
      puts.push(small('f', FORMAT), small('i', this.identity));
      puts.push(small('s', this.position), small('z', this.horizon));
    }
    await this.#write((group) => {
      for (const [key, value] of puts) group.put(key, value);
    });
    this.boots++;
    this.hasLog = true;
  }

  meta(name: string): Buffer | undefined {
    return this.#payload(`m${name}`);
  }

  read(scope: string): T | undefined {
    const known = this.#read.get(scope);
    if (known !== undefined) return known;
    const record = this.#chains.read(scope);
    if (record === undefined) return undefined;
    if (this.#read.size >= READ_LATELY) this.#read.clear();
    this.#read.set(scope, record);
    return record;
  }

  missing(scope: string): Error {
    return damaged(this.dir, `the register of "${scope}" is missing`);
  }

  /** The scopes whose register is held. */
  get held(): ReadonlySet<string> {
    return this.#held;
  }

  /**
   * Takes over what was committed since its position, in several groups; `recent` must not change meanwhile, and
   * must hide from readers what is written.
   * @param goesOn asked now and then, with the part of the work that was done; false breaks it off.
   * @returns whether all was taken over.
   */
  async take(recent: Recent<W>, goesOn: (part: number) => Promise<boolean> | boolean): Promise<boolean> {
    let plan = new Plan();
    let done = 0;
    for (const [scope, write] of recent.writes) {
      this.#chains.plan(scope, write, plan);
      this.#read.delete(scope);
      const full = plan.bytes >= this.#groupBytes;
      if (full) {
        await this.#put(plan);
        plan = new Plan();
      }
      if ((++done % SLICE === 0 || full) && !(await goesOn(done / recent.writes.size))) return false;
    }
    await this.#put(plan, recent);
    this.position = recent.position;
    this.horizon = recent.horizon;
    return true;
  }

  /** @param all the plan is the last one of these. */
  async #put(plan: Plan, all?: Recent<W>): Promise<void> {
    await this.#write((group) => {
      for (const key of plan.dels) group.del(key);
      for (const [key, value] of plan.puts) group.put(key, value);
      for (const [scope, now] of plan.held) {
        if (now === this.#held.has(scope)) continue;
        if (now) group.put(`h${scope}`, EMPTY);
        else group.del(`h${scope}`);
      }
      if (all === undefined) return;
      for (const [name, value] of all.smalls) group.put(`m${name}`, frame(`m${name}`, value));
      for (const [key, value] of [small('s', all.position), small('z', all.horizon)]) group.put(key, value);
    });
    this.#chains.adopt(plan);
    for (const [scope, now] of plan.held) {
      if (now) this.#held.add(scope);
      else this.#held.delete(scope);
    }
  }

  async #write(fill: (group: Group) => void): Promise<void> {
    await this.#engine.write((group) => {
      fill(group);
      noteGroup(group, this.#groups + 1);
    });
    this.#groups++;
  }

  #value(key: string): unknown {
    const payload = this.#payload(key);
    if (payload === undefined) throw damaged(this.dir, `record "${key}" is missing`);
    return unpack(payload);
  }

  #payload(key: string): Buffer | undefined {
    const bytes = this.#engine.get(key);
    if (bytes === undefined) return undefined;
    const payload = unframe(key, bytes);
    if (typeof payload === 'string') throw damaged(this.dir, `record "${key}": ${payload}`);
    return payload;
  }
}

const EMPTY = Buffer.alloc(0);

function small(key: string, value: unknown): readonly [key: string, value: Buffer] {
  return [key, frame(key, pack(value))];
}
