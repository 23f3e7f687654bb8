/**
 * The scopes of one voter with a clock and a disk, and nothing else: what wakes them is what they ask for.
 * It stands for the voter only: what is accepted and what was flushed is said by each test.
 */
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { type Entry, Scopes, type ScopesPort } from '../../../src/peer/scopes.ts';
import { promisedAfterRestart, type Register, type StoredRegister } from '../../../src/vote/acceptor.ts';
import { endOfRound } from '../../../src/vote/ballot.ts';
import { held as grant, id, lease } from '../lock/scene.ts';
import { ballot } from './seat.ts';

/** Held for so long. */
export const heldFor = (leaseMs: number, lockId = 'a'): LockState => ({
  ...EMPTY,
  token: 1 as LockState['token'],
  holders: [grant(id(lockId), 'write', 1, { leaseMs, leaseId: lease(`lease of ${lockId}`) })],
});

export class Shelf implements ScopesPort {
  now = 0;
  /** Whether free scopes may leave. */
  forgets = false;
  /** What is not on disk yet, or has messages that wait. */
  readonly unsettled = new Set<Register>();
  readonly disk = new Map<string, StoredRegister>();
  readonly scopes = new Scopes(this);
  /** What was handed over as due, and when. */
  readonly handed: string[] = [];

  read(scope: string): StoredRegister | undefined {
    return this.disk.get(scope);
  }

  promisedAfterRestart(stored: StoredRegister | undefined): Register['promised'] {
    return promisedAfterRestart(stored, endOfRound(0));
  }

  mayForget(): boolean {
    return this.forgets;
  }

  isSettled(register: Register): boolean {
    return !this.unsettled.has(register);
  }

  /** A register with this state is on disk and in memory. */
  has(scope: string, state: LockState): Entry {
    const stored = { ballot: ballot(1), version: 1, state };
    this.disk.set(scope, stored);
    return this.scopes.load(scope, stored);
  }

  /** So many scopes that are held: `s0`, `s1`, .. @param leaseMs 0: for ever. */
  hold(count: number, leaseMs = 0): void {
    for (let i = 0; i < count; i++) this.has(`s${i}`, heldFor(leaseMs));
  }

  /** The register has changed, and was written. */
  turns(entry: Entry, state: LockState): void {
    const { register } = entry;
    register.noted = state.holders.map(() => this.now);
    register.state = state;
    register.version++;
    entry.written = register.version;
    this.disk.set(entry.scope, register);
    this.scopes.watch(entry);
  }

  /** Wakes once. @param done what is done with what is due: no more than to look at it no more. */
  wake(done: (entry: Entry) => void = rests): void {
    this.scopes.wake((entry) => {
      this.handed.push(`${entry.scope} at ${this.now}`);
      done(entry);
    });
  }

  /** Lets time pass, and wakes when it is asked for. @returns how often that was. */
  wait(ms: number, done?: (entry: Entry) => void): number {
    const end = this.now + ms;
    let wakes = 0;
    for (; this.scopes.nextWake <= end; wakes++) {
      this.now = Math.max(this.now, this.scopes.nextWake);
      this.wake(done);
    }
    this.now = end;
    return wakes;
  }

  /** What was handed over since the last call. */
  due(): string[] {
    return this.handed.splice(0);
  }

  /** The scopes of these names that are warm. */
  warm(...names: readonly string[]): string[] {
    return names.filter((name) => this.scopes.warm(name) !== undefined);
  }

  /** How many of `s0`, `s1`, .. are warm. */
  warmth(count: number): number {
    return this.warm(...Array.from({ length: count }, (_, i) => `s${i}`)).length;
  }
}

function rests(entry: Entry): void {
  entry.watchAt = Number.POSITIVE_INFINITY;
  entry.reapAt = Number.POSITIVE_INFINITY;
}
