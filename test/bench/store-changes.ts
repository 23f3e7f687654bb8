/**
 * What does one change of a register cost on disk? `npx tsx test/bench/store-changes.ts [--ms 300] [--queues 10,10000] [--dir DIR]`
 *
 * queue N:  N wait for a scope; in turn one more comes to wait and one leaves, one change per commit.
 * own lock: nobody waits; in turn granted and released, one change per commit, with the full ring of ended lock ids.
 * whole:    each commit is handed the register without the change, as if it were not known.
 * A commit is timed from its call to its flush; `turn` is the part in which the event loop stands still. Bytes are what
 * the process has written to files, bases included, the library's own tidying only as far as it happened meanwhile.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { evolveAll, type LockEvent } from '../../src/lock/event.ts';
import { RETIRED_RING } from '../../src/lock/ring.ts';
import type { FencingToken, Grant, LeaseId, LockId, SessionId, Waiter } from '../../src/lock/state.ts';
import { EMPTY } from '../../src/lock/state.ts';
import { registerCodec } from '../../src/store/registers.ts';
import { openStore } from '../../src/store/store.ts';
import type { RegisterWrite, StoredRegister } from '../../src/vote/acceptor.ts';

const { values: flags } = parseArgs({
  options: {
    ms: { type: 'string', default: '300' },
    queues: { type: 'string', default: '10,10000' },
    dir: { type: 'string', default: tmpdir() },
  },
});
const SCOPE = 'orders/4711';
const runMs = Number(flags.ms);

const lockId = (n: number) => `0194d2a1-7c3e-7000-8000-${n.toString(16).padStart(12, '0')}` as LockId;

const claimant = (n: number) => ({
  lockId: lockId(n),
  holder: `worker-${n % 50}`,
  named: true,
  priority: 'normal' as const,
  reason: null,
  session: null,
  ttlMs: 0,
  permits: 0,
});

const waiter = (n: number): Waiter => ({
  ...claimant(n),
  mode: 'write',
  leaseMs: 30_000,
  claimMs: 2000,
  gateway: 'aabbccddeeff0011.1048577' as SessionId,
  repeat: 0,
  at: 1_763_700_000_000,
  arrival: n,
});

const grant = (n: number): Grant => ({
  ...claimant(n),
  mode: 'write',
  token: n as FencingToken,
  slot: 0,
  former: 0 as FencingToken,
  leaseMs: 30_000,
  leaseId: `12.aabbccddeeff0011.1048577.${n}` as LeaseId,
  at: 1_763_700_000_000,
  unclaimed: null,
});

const end = (n: number): LockEvent => ({ kind: 'ended', lockId: lockId(n), ending: 'released', note: null });

/** Grants and releases, until the ring is full. */
const ringOf = (first: number): LockEvent[] =>
  Array.from({ length: 2 * RETIRED_RING }, (_, i) =>
    i % 2 === 0 ? { kind: 'granted', grant: grant(first + i) } : end(first + i - 1),
  );

interface Scene {
  readonly name: string;
  readonly before: readonly LockEvent[];
  /** The nth change. */
  change(n: number): LockEvent;
}

const queueOf = (length: number): Scene => ({
  name: `queue ${length}`,
  before: [
    { kind: 'granted', grant: grant(1) },
    ...Array.from({ length }, (_, i): LockEvent => ({ kind: 'queued', waiter: waiter(i + 2) })),
  ],
  change: (n) =>
    n % 2 === 0 ? { kind: 'queued', waiter: waiter(length + 2 + n / 2) } : end(2 + (n - 1) / 2),
});

const own: Scene = {
  name: 'own lock',
  before: ringOf(1),
  change: (n) => (n % 2 === 0 ? { kind: 'granted', grant: grant(1000 + n) } : end(1000 + n - 1)),
};

function written(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

const at = (sorted: number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!.toFixed(3);

async function measure({ name, before, change }: Scene, whole: boolean): Promise<void> {
  const dir = mkdtempSync(join(flags.dir, 'quorate-bench-'));
  let store = await openStore(dir, registerCodec);
  const ballot = { round: 12, peer: 'aabbccddeeff0011', boot: 2 ** 20 + 1 };
  let register: StoredRegister = { ballot, version: 1, state: evolveAll(EMPTY, before) };
  const put = (write: RegisterWrite) => store.commit({ registers: new Map([[SCOPE, write]]) });
  await put({ register, events: null, from: 0 });

  const bytes = written();
  const cpu = process.cpuUsage();
  const waits: number[] = [];
  const turns: number[] = [];
  const began = performance.now();
  for (let n = 0; performance.now() - began < runMs || n < 40; n++) {
    const events = [change(n)];
    const { version, state } = register;
    register = { ballot, version: version + 1, state: evolveAll(state, events) };
    const sent = performance.now();
    const commit = put({ register, events: whole ? null : events, from: version });
    turns.push(performance.now() - sent);
    await commit;
    waits.push(performance.now() - sent);
  }
  const { user, system } = process.cpuUsage(cpu);
  const count = waits.length;
  const perCommit = (written() - bytes) / count;
  await store.close();
  store = await openStore(dir, registerCodec);
  const asked = performance.now();
  if (store.read(SCOPE)?.version !== register.version)
    throw new Error(`${name}: what was read is not the last`);
  const readMs = performance.now() - asked;
  await store.close();
  rmSync(dir, { recursive: true, force: true });
  for (const list of [waits, turns]) list.sort((a, b) => a - b);
  const columns = [
    count,
    Math.round(perCommit),
    at(waits, 0.5),
    at(waits, 0.99),
    at(turns, 0.5),
    at(turns, 1),
    ((user + system) / 1000 / count).toFixed(3),
    readMs.toFixed(1),
  ];
  console.log(`| ${name} | ${whole ? 'whole' : 'change'} | ${columns.join(' | ')} |`);
}

console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, ${runMs} ms each, in ${flags.dir}`,
);
console.log(
  '| register | written | commits | bytes/commit | p50 ms | p99 ms | turn p50 ms | turn longest ms | cpu ms/commit | read ms |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |');
for (const scene of [own, ...flags.queues.split(',').map((length) => queueOf(Number(length)))]) {
  for (const whole of [true, false]) await measure(scene, whole);
}
