/**
 * The store: commits go to the vote log, and from there, a segment at a time, to the shelf in the background.
 * Always true: a commit shows once it is flushed, and not before; commits never overlap. What the shelf lacks is in
 * memory and in the log, never in one of them alone. Memory holds what two segments brought at most: once both are
 * full, commits wait until the shelf has the older one. A segment is full, too, once it has very many scopes.
 */
import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pack, unpack } from 'msgpackr';
import { failed, StoreError } from './errors.ts';
import { packGroup } from './groups.ts';
import { Recent } from './recent.ts';
import type { Start } from './replay.ts';
import type { Shelf } from './shelf.ts';
import type { Batch, RecordCodec, Store } from './store.ts';
import type { VoteLog } from './vote-log.ts';

/** Low bits of a boot number are drawn anew, so that two copies of one directory show (twins). */
const BOOT_RANDOM = 2 ** 20;
/** How far the shelf is to be ahead: it has taken over all when the next segment is full to this part. */
const DONE_WHEN_FILLED = 2 / 3;
/** Slices of work for the shelf in one turn of the event loop, if it is behind. */
const SLICES_A_TURN = 8;

interface Commit<W> {
  readonly group: Buffer;
  readonly registers: ReadonlyMap<string, W>;
  readonly smalls: ReadonlyMap<string, Buffer>;
  readonly horizon: number;
  readonly resolve: (position: number) => void;
  readonly reject: (error: StoreError) => void;
}

const NO_SMALLS: ReadonlyMap<string, Buffer> = new Map();

export class VoteStore<T, W> implements Store<T, W> {
  readonly boot: number;
  readonly #codec: RecordCodec<T, W>;
  readonly #shelf: Shelf<T, W>;
  readonly #log: VoteLog;
  readonly #closeShelf: () => Promise<void>;
  /** So many in one segment are enough, for their records stay in memory until the shelf has them. */
  readonly #scopes: number;
  /** What the segment that is written has brought, and what the one before has, while the shelf takes it over. */
  #recent: Recent<W>;
  #leaving: Recent<W> | undefined;
  #horizonAsked: number;
  readonly #waiting: Commit<W>[] = [];
  #writing: Commit<W> | undefined;
  #broken: StoreError | undefined;
  /** What goes on in the background; never rejects. */
  #background: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;
  #slices = 0;

  constructor(
    codec: RecordCodec<T, W>,
    shelf: Shelf<T, W>,
    { log, recent, leaving }: Start<W>,
    scopes: number,
    closeShelf: () => Promise<void>,
  ) {
    this.#codec = codec;
    this.#shelf = shelf;
    this.#log = log;
    this.#recent = recent;
    this.#leaving = leaving;
    this.#horizonAsked = recent.horizon;
    this.#closeShelf = closeShelf;
    this.#scopes = scopes;
    this.boot = shelf.boots * BOOT_RANDOM + randomInt(BOOT_RANDOM);
    this.#empty();
  }

  get identity(): string {
    return this.#shelf.identity;
  }

  get horizon(): number {
    return this.#recent.horizon;
  }

  get position(): number {
    return this.#recent.position;
  }

  meta(name: string): unknown {
    const recent = this.#recent.smalls.get(name) ?? this.#leaving?.smalls.get(name);
    const value = recent ?? this.#shelf.meta(name);
    return value === undefined ? undefined : unpack(value);
  }

  read(scope: string): T | undefined {
    const recent = this.#recent.writes.get(scope) ?? this.#leaving?.writes.get(scope);
    return recent === undefined ? this.#shelf.read(scope) : this.#codec.after(recent);
  }

  *held(): Iterable<readonly [scope: string, record: T]> {
    const scopes = new Set(this.#shelf.held);
    for (const each of [this.#leaving, this.#recent]) {
      for (const [scope, write] of each?.writes ?? []) {
        if (this.#codec.held(this.#codec.after(write))) scopes.add(scope);
        else scopes.delete(scope);
      }
    }
    for (const scope of scopes) {
      const record = this.read(scope);
      if (record === undefined) throw this.#shelf.missing(scope);
      yield [scope, record];
    }
  }

  async commit({ registers, meta, horizon = this.#horizonAsked }: Batch<W>): Promise<number> {
    if (this.#broken !== undefined) throw this.#broken;
    // What is refused, is refused before anything counts as written: later changes build on what does.
    if (horizon < this.#horizonAsked) throw new RangeError('a promise horizon never falls');
    for (const scope of registers.keys()) wellFormed(scope);
    const smalls = meta === undefined ? NO_SMALLS : smallsOf(meta);
    const group = packGroup(this.#codec, registers, smalls, horizon, this.#newest);
    this.#horizonAsked = horizon;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ group, registers, smalls, horizon, resolve, reject });
      this.#writeNext();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#writing !== undefined || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#broken ??= failed(this.#shelf.dir, 'writing votes', 'it is closed');
    await this.#background;
    this.#log.close();
    await this.#closeShelf();
  }

  // --- the log ---

  /** What was handed over last, flushed or not. */
  readonly #newest = (scope: string): T | undefined => {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waits = this.#waiting[i]!.registers.get(scope);
      if (waits !== undefined) return this.#codec.after(waits);
    }
    const underWay = this.#writing?.registers.get(scope);
    return underWay === undefined ? this.read(scope) : this.#codec.after(underWay);
  };

  #writeNext(): void {
    const next = this.#waiting[0];
    if (next === undefined) {
      if (this.#writing === undefined) this.#onIdle?.();
      return;
    }
    if (this.#writing !== undefined) return;
    const fits = this.#log.fits(next.group.length);
    if (this.#log.mayTurn && (!fits || this.#recent.writes.size >= this.#scopes)) this.#turn();
    else if (!fits) return;
    this.#waiting.shift();
    this.#writing = next;
    this.#log.append(next.group, this.position + 1, this.#written);
  }

  #turn(): void {
    this.#log.turn();
    this.#leaving = this.#recent;
    this.#recent = new Recent(this.#codec, this.#leaving.horizon, this.#leaving.position);
    this.#empty();
  }

  readonly #written = (error: Error | null): void => {
    const { registers, smalls, horizon, resolve, reject } = this.#writing!;
    this.#writing = undefined;
    if (error !== null) {
      this.#fail(failed(this.#shelf.dir, 'writing votes', error));
      reject(this.#broken!);
      return;
    }
    this.#recent.add(registers, smalls, horizon);
    resolve(this.position);
    this.#writeNext();
  };

  /** Nothing is written any more. */
  #fail(error: StoreError): void {
    this.#broken ??= error;
    for (const commit of this.#waiting.splice(0)) commit.reject(this.#broken);
    if (this.#writing === undefined) this.#onIdle?.();
  }

  // --- the shelf ---

  /** Makes the segment before free for use, in the background. */
  #empty(): void {
    this.#background = this.#takeOver().catch((error: unknown) => {
      this.#fail(error instanceof StoreError ? error : failed(this.#shelf.dir, 'writing votes', error));
    });
  }

  async #takeOver(): Promise<void> {
    const leaving = this.#leaving;
    if (leaving !== undefined) {
      if (!(await this.#shelf.take(leaving, this.#goesOn))) return;
      this.#leaving = undefined;
    }
    await this.#log.recycle(this.#shelf.position);
    this.#writeNext();
  }

  /** Others have their turn, the sooner the better the shelf keeps up. */
  readonly #goesOn = (part: number): boolean | Promise<boolean> => {
    if (this.#broken !== undefined) return false;
    const filled = Math.max(this.#log.filled, this.#recent.writes.size / this.#scopes);
    const behind = part * DONE_WHEN_FILLED < filled;
    if (behind && ++this.#slices < SLICES_A_TURN) return true;
    this.#slices = 0;
    return nextTurn().then(() => this.#broken === undefined);
  };
}

function smallsOf(meta: Readonly<Record<string, unknown>>): ReadonlyMap<string, Buffer> {
  return new Map(Object.entries(meta).map(([name, value]) => [wellFormed(name), Buffer.from(pack(value))]));
}

/** Two texts with lone surrogates could become the same bytes, and two scopes would share a register. */
function wellFormed(name: string): string {
  if (/\p{Surrogate}/u.test(name)) throw new TypeError(`not well-formed text: ${JSON.stringify(name)}`);
  return name;
}
