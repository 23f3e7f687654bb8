import { beforeEach, expect, test } from 'vitest';
import { type Disk, type Flight, Flusher } from '../../../src/mesh/flusher.ts';
import { ROSTER_KEY, SEEN_KEY } from '../../../src/mesh/memory.ts';
import { Watch } from '../../../src/mesh/watch.ts';
import type { Peer } from '../../../src/peer/peer.ts';
import type { RegisterWrite } from '../../../src/vote/acceptor.ts';

interface Commit {
  readonly registers: ReadonlyMap<string, RegisterWrite>;
  readonly horizon: number | undefined;
  readonly keys: readonly string[];
  resolve(): void;
  reject(error: Error): void;
}

let commits: Commit[];
let flights: Flight[];
let failures: unknown[];
let flusher: Flusher;
const nothing = () => undefined;

/** A peer of which only the writes matter: as many batches as are asked for, each with that horizon. */
function writer(batches: number, horizon = 0): Peer {
  let number = 0;
  return {
    get hasWrites() {
      return number < batches;
    },
    takeWrites: () => ({ number: ++number, registers: new Map(), horizon }),
  } as unknown as Peer;
}

beforeEach(() => {
  commits = [];
  flights = [];
  failures = [];
  const disk = {
    commit: ({ registers, horizon, meta = {} }) =>
      new Promise((resolve, reject) => {
        const keys = Object.keys(meta);
        commits.push({ registers, horizon, keys, resolve: () => resolve(1), reject });
      }),
  } as Disk;
  const watch = new Watch(
    () => 0,
    () => 0,
    () => {},
  );
  flusher = new Flusher(
    disk,
    watch,
    (flight) => flights.push(flight),
    (error) => failures.push(error),
  );
});

test('one flush at a time, and what comes meanwhile goes into the next', async () => {
  const peer = writer(2);
  flusher.flush(peer, nothing);
  flusher.flush(peer, nothing);
  expect(commits).toHaveLength(1);
  commits[0]!.resolve();
  await flusher.idle();
  expect(flights).toEqual([{ peer, batch: 1, roster: false }]);
  flusher.flush(peer, nothing);
  expect(commits).toHaveLength(2);
});

test('nothing to write, nothing to flush: what was seen of others waits', () => {
  flusher.flush(writer(0), () => []);
  flusher.flush(undefined, () => []);
  expect(commits).toHaveLength(0);
});

test('what was seen of others rides along, but not with each flush', async () => {
  const peer = writer(2);
  flusher.flush(peer, () => []);
  expect(commits[0]!.keys).toEqual([SEEN_KEY]);
  commits[0]!.resolve();
  await flusher.idle();
  flusher.flush(peer, () => []);
  expect(commits[1]!.keys).toEqual([]);
});

test('a roster is flushed without a peer, and told apart', async () => {
  flusher.store({ kind: 'nothing' });
  flusher.flush(undefined, nothing);
  expect(commits[0]!.keys).toEqual([ROSTER_KEY]);
  commits[0]!.resolve();
  await flusher.idle();
  expect(flights).toEqual([{ peer: undefined, batch: 0, roster: true }]);
});

test('registers go to the disk as they were handed over, changes included', () => {
  const registers = new Map();
  const peer = { hasWrites: true, takeWrites: () => ({ number: 1, registers, horizon: 0 }) };
  flusher.flush(peer as unknown as Peer, nothing);
  expect(commits[0]!.registers).toBe(registers);
});

test('a horizon of 0 is none', () => {
  flusher.flush(writer(1, 0), nothing);
  expect(commits[0]!.horizon).toBeUndefined();
});

test('a horizon is written', () => {
  flusher.flush(writer(1, 10_000), nothing);
  expect(commits[0]!.horizon).toBe(10_000);
});

test('after a failed flush there is no other, and nothing counts as flushed', async () => {
  const peer = writer(2);
  flusher.flush(peer, nothing);
  commits[0]!.reject(new Error('the disk is full'));
  await flusher.idle();
  flusher.flush(peer, nothing);
  expect(commits).toHaveLength(1);
  expect(flights).toEqual([]);
  expect(failures).toHaveLength(1);
});
