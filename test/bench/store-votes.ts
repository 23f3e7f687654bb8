/**
 * What does a vote cost on disk? `npx tsx test/bench/store-votes.ts [--ms 1000] [--rounds 5] [--groups 16,64,256]
 *   [--scopes 64,2000,100000,fresh] [--other SRC/STORE] [--dir DIR]`
 *
 * Locks are granted and released, in groups of so many votes, one group after the other, as a peer flushes them: on
 * so many scopes in random order, or each lock on a scope of its own. `--other` names the folder `src/store` of
 * another checkout: the two take turns, so that a busy machine is unfair to both alike, and each line is the round
 * with the median processor time. That is of all threads, without what the same votes cost without a store. It ends
 * with a start: what opening takes, and reading all that is held, after 100,000 locks were granted and extended.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { evolveAll, type LockEvent } from '../../src/lock/event.ts';
import { EMPTY, type FencingToken, type LeaseId, type LockId, type LockState } from '../../src/lock/state.ts';
import { registerCodec } from '../../src/store/registers.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { RegisterWrite, StoredRegister } from '../../src/vote/acceptor.ts';

const { values: flags } = parseArgs({
  options: {
    ms: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    groups: { type: 'string', default: '16,64,256' },
    scopes: { type: 'string', default: '64,2000,100000,fresh' },
    other: { type: 'string', default: '' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const runMs = Number(flags.ms);
type Votes = Pick<Store<StoredRegister, RegisterWrite>, 'commit' | 'held' | 'close'>;
type Open = (dir: string, codec: typeof registerCodec) => Promise<Votes>;
const ballot = { round: 12, peer: 'aabbccddeeff0011', boot: 2 ** 20 + 1 };
const leaseOf = (version: number) => `12.aabbccddeeff0011.1048577.${version}` as LeaseId;

function granted(n: number, version: number, { token }: LockState): LockEvent {
  const lockId = `0194d2a1-7c3e-7000-8000-${n.toString(16).padStart(12, '0')}` as LockId;
  const claimant = {
    lockId,
    holder: `worker-${n % 50}`,
    named: true,
    priority: 'normal',
    reason: null,
  } as const;
  const next = { token: (token + 1) as FencingToken, former: 0 as FencingToken, slot: 0, permits: 0 };
  const lease = { leaseMs: 30_000, leaseId: leaseOf(version), at: 1_763_700_000_000, unclaimed: null };
  return {
    kind: 'granted',
    grant: { ...claimant, session: null, ttlMs: 0, mode: 'write', ...next, ...lease },
  };
}

/** What a voter has in memory, and what it hands to the disk. */
class Voter {
  readonly #registers = new Map<string, StoredRegister>();
  #locks = 0;

  change(scope: string, change: (n: number, version: number, state: LockState) => LockEvent): RegisterWrite {
    const before = this.#registers.get(scope);
    const from = before?.version ?? 0;
    const state = before?.state ?? EMPTY;
    const events = [change(++this.#locks, from + 1, state)];
    const register = { ballot, version: from + 1, state: evolveAll(state, events) };
    this.#registers.set(scope, register);
    return { register, events: before === undefined ? null : events, from };
  }

  /** @param once the scope is not used again once it was unlocked. */
  lockOrUnlock(scope: string, once: boolean): RegisterWrite {
    const write = this.change(scope, (n, version, state) => {
      const [held] = state.holders;
      if (held === undefined) return granted(n, version, state);
      return { kind: 'ended', lockId: held.lockId, ending: 'released', note: null };
    });
    if (once && write.register.state.holders.length === 0) this.#registers.delete(scope);
    return write;
  }
}

/** Names of scopes, in a repeatable order; fresh ones are locked in one group and unlocked in the next. */
function namesOf(scopes: string, size: number): () => string {
  let drawn = 0;
  if (scopes === 'fresh') return () => `orders/${Math.floor(drawn / size / 2)}.${drawn++ % size}`;
  return () => {
    drawn = (Math.imul(drawn, 1664525) + 1013904223) >>> 0;
    return `orders/${Math.floor((drawn / 2 ** 32) * Number(scopes))}`;
  };
}

interface Figures {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly waits: readonly number[];
}

async function measure(
  commit: Votes['commit'],
  voter: Voter,
  next: () => string,
  size: number,
  once: boolean,
): Promise<Figures> {
  const waits: number[] = [];
  const cpu = process.cpuUsage();
  const began = performance.now();
  let votes = 0;
  while (performance.now() - began < runMs) {
    const registers = new Map<string, RegisterWrite>();
    for (let n = 0; n < size; n++) {
      const scope = next();
      if (!registers.has(scope)) registers.set(scope, voter.lockOrUnlock(scope, once));
    }
    const sent = performance.now();
    await commit({ registers });
    waits.push(performance.now() - sent);
    votes += registers.size;
  }
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = (votes / (performance.now() - began)) * 1000;
  return { perSecond, cpuUs: (user + system) / votes, waits: waits.sort((a, b) => a - b) };
}

const nothing: Votes['commit'] = () => new Promise((done) => setImmediate(done, 0));

async function compare(stores: ReadonlyMap<string, Open>, scopes: string, size: number): Promise<void> {
  const runners = await Promise.all(
    [...stores, ['', undefined] as const].map(async ([name, open]) => {
      const dir = mkdtempSync(join(flags.dir, 'quorate-bench-'));
      const store = await open?.(dir, registerCodec);
      return { name, dir, store, voter: new Voter(), next: namesOf(scopes, size), rounds: [] as Figures[] };
    }),
  );
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const { store, voter, next, rounds } of runners)
      rounds.push(
        await measure(
          store === undefined ? nothing : (batch) => store.commit(batch),
          voter,
          next,
          size,
          scopes === 'fresh',
        ),
      );
  }
  const median = (rounds: Figures[]) => rounds.sort((a, b) => a.cpuUs - b.cpuUs)[rounds.length >> 1]!;
  const bare = median(runners.at(-1)!.rounds).cpuUs;
  for (const { name, dir, store, rounds } of runners) {
    await store?.close();
    rmSync(dir, { recursive: true });
    if (store === undefined) continue;
    const { perSecond, cpuUs, waits } = median(rounds);
    const at = (q: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * q))]!.toFixed(2);
    const columns = [Math.round(perSecond), at(0.5), at(0.99), at(1), (cpuUs - bare).toFixed(1)];
    console.log(`| ${name} | ${scopes} | ${size} | ${columns.join(' | ')} |`);
  }
}

async function start(name: string, open: Open): Promise<void> {
  const dir = mkdtempSync(join(flags.dir, 'quorate-bench-'));
  let store = await open(dir, registerCodec);
  const voter = new Voter();
  for (let round = 0; round < 8; round++) {
    for (let from = 0; from < 100_000; from += 500) {
      const scopes = Array.from({ length: 500 }, (_, i) => `orders/${from + i}`);
      const write = (scope: string) =>
        voter.change(scope, (n, version, state) => {
          if (round === 0) return granted(n, version, state);
          const { lockId } = state.holders[0]!;
          return { kind: 'extended', lockId, leaseMs: 30_000, leaseId: leaseOf(version) };
        });
      await store.commit({ registers: new Map(scopes.map((scope) => [scope, write(scope)])) });
    }
  }
  await store.close();
  const cpu = process.cpuUsage();
  const began = performance.now();
  store = await open(dir, registerCodec);
  const openMs = performance.now() - began;
  let held = 0;
  for (const _ of store.held()) held++;
  const allMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const cpuMs = (user + system) / 1000;
  await store.close();
  rmSync(dir, { recursive: true });
  console.log(
    `${name}: open ${openMs.toFixed(0)} ms, with ${held} held ${allMs.toFixed(0)} ms, cpu ${cpuMs.toFixed(0)} ms`,
  );
}

const stores = new Map<string, Open>([['this', openStore]]);
if (flags.other !== '') {
  const other: { openStore: Open } = await import(pathToFileURL(resolve(flags.other, 'store.ts')).href);
  stores.set(flags.other, other.openStore);
}
console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${flags.rounds} rounds of ${runMs} ms each, in ${flags.dir}`,
);
console.log('| store | scopes | votes/flush | votes/s | p50 ms | p99 ms | longest ms | cpu us/vote |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const scopes of flags.scopes.split(',')) {
  for (const size of flags.groups.split(',').map(Number)) await compare(stores, scopes, size);
}
for (const [name, open] of stores) await start(name, open);
