/**
 * A voter that freezes and forgets all that it may after every step, beside one that never does: whatever is done to
 * them, they say the same, write the same and hold the same.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import type { LockEvent } from '../../../src/lock/event.ts';
import { type LeaseId, type LockState, NO_EXPIRY, type SessionId } from '../../../src/lock/state.ts';
import type { Message, Verdict } from '../../../src/peer/messages.ts';
import { openingOf } from '../../../src/peer/own-session.ts';
import { Peer } from '../../../src/peer/peer.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import type { StoredRegister } from '../../../src/vote/acceptor.ts';
import { sameBallot } from '../../../src/vote/ballot.ts';
import { acquire, ended, held as grant, id, lease, scope as stateOf, waiter } from '../lock/scene.ts';
import { ballot, free, type Seat, seated } from './seat.ts';

/** `expect` only where it fails: it is slow. */
function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

// --- what others ask of a voter ---

const SESSION = scopeOfSession('s' as SessionId);
type What = 'prepare' | 'state' | 'events' | 'beat' | 'lacks' | 'probe' | 'ask';
interface Letter {
  readonly what: What | 'take' | 'land' | 'restart' | 'wait';
  readonly scope: string;
  /** How far above what it has promised, or below. */
  readonly above: number;
  readonly n: number;
}
const many = (what: Letter['what'], count: number) => new Array<Letter['what']>(count).fill(what);
const letter: fc.Arbitrary<Letter> = fc.record({
  what: fc.constantFrom<Letter['what'][]>(
    ...many('prepare', 2),
    ...many('state', 3),
    ...many('events', 6),
    ...many('beat', 2),
    ...many('lacks', 1),
    ...many('probe', 2),
    ...many('ask', 2),
    ...many('take', 5),
    ...many('land', 5),
    ...many('restart', 1),
    ...many('wait', 2),
  ),
  scope: fc.constantFrom('x', 'y', SESSION),
  above: fc.constantFrom(-1, 0, 0, 0, 1, 2),
  n: fc.nat(30),
});

const leaseMs = (n: number) => (n % 3 === 0 ? NO_EXPIRY : 3_600_000);
const reads = (n: number, of = `r${n}`) =>
  grant(id(of), 'read', n + 1, { leaseMs: leaseMs(n), leaseId: lease(`l${n}`) });

function stateFor(n: number): LockState {
  const held = { holders: [reads(n, 'a')] };
  if (n % 7 === 1) return stateOf({ ...held, waits: [waiter(id('w'), 91)] });
  if (n % 7 === 2) return stateOf({ ...held, parked: [waiter(id('w'), 91)] });
  return n % 7 === 3 ? free(50) : stateOf(held);
}

function eventFor({ holders, token }: LockState, n: number): LockEvent {
  const first = holders[0];
  if (first === undefined || n % 3 === 0) return { kind: 'granted', grant: reads(token, `g${token}`) };
  return n % 3 === 1 ? ended(first.lockId, 'released') : beatOf(first.lockId, n);
}

const beatOf = (lockId: string, n: number): LockEvent => {
  return { kind: 'extended', lockId: id(lockId), leaseMs: 7_200_000, leaseId: `beat ${n}` as LeaseId };
};

/** Does one thing to a voter. */
function send(seat: Seat, { what, scope, above, n }: Letter): void {
  const { promised, version, state, ...register } = seat.voter.register(scope);
  const leads = sameBallot(register.ballot, promised) && version > 0;
  const own = leads ? promised : ballot(promised.round + 1);
  const its = above === 0 ? own : ballot(Math.max(1, promised.round + above));
  switch (what) {
    case 'prepare':
      seat.prepare(scope, its, 2);
      return;
    case 'state':
      seat.accept(scope, its, version + 1, stateFor(n));
      return;
    case 'events':
      seat.change(scope, its, version + 1, [eventFor(state, n)]);
      return;
    case 'beat':
      if (state.holders.length > 0)
        seat.change(scope, its, version + 1, [beatOf(state.holders[0]!.lockId, n)]);
      return;
    case 'lacks':
      seat.change(scope, its, version + 2, [eventFor(state, n)]);
      return;
    case 'probe':
      seat.accept(scope, its, version, null, n);
      return;
    case 'ask':
      seat.hear(2, { kind: 'ask', scope, ask: n });
      return;
    case 'restart':
      seat.restart();
      return;
    case 'wait':
      seat.wait(n);
  }
}

test('as an acceptor: what it answers, what it gives to its disk, and what it holds in the end', () => {
  const met = { frozen: 0, answers: 0, writes: 0 };
  fc.assert(
    fc.property(fc.array(letter, { maxLength: 60, size: 'max' }), (letters) => {
      const [plain, cold] = [seated(), seated()];
      let underway = false;
      for (const one of letters) {
        if (one.what === 'take' && !underway && plain.voter.hasWrites) {
          const [batch, other] = [plain.take(), cold.take()];
          same(other, batch);
          met.writes += batch.registers.size;
          underway = true;
        } else if (one.what === 'land' && underway) {
          for (const seat of [plain, cold]) seat.land();
          underway = false;
        } else {
          for (const seat of [plain, cold]) send(seat, one);
          underway &&= one.what !== 'restart';
        }
        const said = plain.messages();
        met.answers += said.length;
        same(cold.messages(), said);
        same(cold.voter.hasWrites, plain.voter.hasWrites);
        met.frozen += freeze(cold);
      }
      for (const seat of [plain, cold]) seat.flush();
      for (const scope of ['x', 'y', SESSION]) {
        const { write: _, ...its } = cold.voter.register(scope);
        expect(plain.voter.register(scope)).toMatchObject(its);
      }
    }),
    { numRuns: 300, seed: 2 },
  );
  expect(Math.min(met.frozen, met.answers, met.writes)).toBeGreaterThan(300);
});

/** @returns how many of the registers are frozen by now. */
function freeze({ voter }: Seat): number {
  const scopes = ['x', 'y'];
  const before = scopes.map((scope) => voter.register(scope));
  voter.forgetFree();
  const after = scopes.map((scope) => voter.register(scope));
  voter.forgetFree();
  return after.filter((register, i) => register !== before[i] && register.state.holders.length > 0).length;
}

// --- what it does as the only voter of a mesh: decisions, leases, sessions, kept places ---

const FRAME = { mesh: 'm', epoch: 1 };
/** Whole milliseconds even with the margin: a voter that freezes notes whole milliseconds. */
const LEASES = [NO_EXPIRY, 300, 1_000, 4_000, 9_000, 20_000];

/** A mesh of one voter with its disk, and a gateway elsewhere that says what it is told to. */
class Alone {
  now = 0;
  readonly told: unknown[] = [];
  readonly disk = new Map<string, StoredRegister>();
  readonly peer: Peer;
  private number = 1;
  private readonly forgets: boolean;

  constructor(forgets: boolean) {
    this.forgets = forgets;
    const config = {
      ...FRAME,
      voters: ['p1'],
      me: 0,
      identity: 'p1',
      boot: 1,
      random: () => 0.5,
      wall: () => 9,
    };
    this.peer = new Peer(config, { horizon: 10_000, read: (scope) => this.disk.get(scope), held: [] }, 0);
  }

  forward(scope: string, command: Command): void {
    const message: Message = { kind: 'forward', request: this.number++, scope, command, waitMs: 1_000 };
    this.peer.receive(this.now, 1, { ...FRAME, messages: [message] });
    this.settle();
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.peer.nextWake <= end) {
      this.now = Math.max(this.now, this.peer.nextWake);
      this.peer.wake(this.now);
      this.settle();
    }
    this.now = end;
  }

  private settle(): void {
    while (this.peer.hasWrites) {
      const batch = this.peer.takeWrites();
      for (const [scope, { register }] of batch.registers) this.disk.set(scope, register);
      this.peer.flushed(this.now, batch.number);
    }
    for (const { messages } of this.peer.takeFrames().values()) {
      for (const message of messages) this.told.push([this.now, inWords(message)]);
    }
    if (this.forgets) this.peer.forgetFree();
  }
}

/** What is said, but for the names of leases, which tell who led when, and for figures, which a free scope forgets. */
function inWords(message: Message): unknown {
  const text = JSON.stringify(message.kind === 'answer' ? worded(message.verdict) : message);
  return text.replaceAll(/"leaseId":"[^"]*"/g, '');
}

function worded(verdict: Verdict): unknown {
  if (verdict.kind !== 'decided') return verdict;
  const { contention, ...view } = verdict.view;
  return { ...verdict, view: { ...view, waiters: contention.waiters } };
}

interface Step {
  readonly what: Command['kind'] | 'open' | 'beat' | 'close' | 'wait';
  readonly scope: string;
  readonly n: number;
  readonly session: SessionId | null;
  readonly gateway: SessionId;
  readonly leaseMs: number;
  readonly wait: boolean;
  readonly mode: 'read' | 'write';
  readonly ms: number;
}
const sessions = ['s1', 's2', 'g1', 'g2'] as SessionId[];
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom<Step['what'][]>(
    ...Array.from({ length: 5 }, () => 'acquire' as const),
    ...Array.from({ length: 5 }, () => 'wait' as const),
    ...([
      'release',
      'release',
      'extend',
      'convert',
      'cancel',
      'claim',
      'claim',
      'park',
      'read',
      'look',
    ] as const),
    ...(['open', 'open', 'open', 'beat', 'beat', 'close', 'sweep', 'reap'] as const),
  ),
  scope: fc.constantFrom('x', 'y', 'z'),
  n: fc.nat(12),
  session: fc.constantFrom<(SessionId | null)[]>(null, null, 's1' as SessionId, 's2' as SessionId),
  gateway: fc.constantFrom('g1' as SessionId, 'g2' as SessionId),
  leaseMs: fc.constantFrom(...LEASES),
  wait: fc.boolean(),
  mode: fc.constantFrom('read', 'write'),
  ms: fc.constantFrom(1, 50, 700, 2_500, 6_000, 31_000),
});

function take(mesh: Alone, one: Step): void {
  const { what, scope, n, session, gateway, leaseMs, wait, mode, ms } = one;
  const lockId = id(`${scope}${n}`);
  const its = sessions[n % sessions.length]!;
  const at = 9;
  switch (what) {
    case 'wait':
      mesh.wait(ms);
      return;
    case 'open':
      mesh.forward(scopeOfSession(its), openingOf(its, 6_000, 'holder', true, at));
      return;
    case 'beat':
      mesh.forward(scopeOfSession(its), { ...extendOf(its as string), list: true });
      return;
    case 'close':
      mesh.forward(scopeOfSession(its), { kind: 'release', lockId: id(its), gateway: null, force: null, at });
      return;
    case 'acquire':
      mesh.forward(
        scope,
        acquire({ lockId, holder: lockId, mode, leaseMs, wait, session, gateway, seen: 1e6 }),
      );
      return;
    case 'release':
      mesh.forward(scope, { kind: what, lockId, gateway: null, force: null, at });
      return;
    case 'extend':
      mesh.forward(scope, { ...extendOf(lockId), leaseMs });
      return;
    case 'convert':
      mesh.forward(scope, {
        kind: what,
        lockId,
        mode,
        token: tokenIn(mesh, scope, lockId),
        wait,
        gateway,
        at,
      });
      return;
    case 'cancel':
      mesh.forward(scope, { kind: what, lockId, gateway: null, token: 0 as never, at });
      return;
    case 'claim':
    case 'park':
      mesh.forward(scope, { kind: what, lockId, gateway, at });
      return;
    case 'look':
      mesh.forward(scope, { kind: what, gateway });
      return;
    case 'sweep':
      mesh.forward(scope, { kind: what, session: its, at });
      return;
    case 'reap':
      mesh.forward(scope, { kind: what, lockId, at });
      return;
    default:
      mesh.forward(scope, { kind: 'read' });
  }
}

const extendOf = (lockId: string) => {
  return { kind: 'extend', lockId: id(lockId), leaseMs: 1, replaces: null } as const;
};

function tokenIn(mesh: Alone, scope: string, lockId: string) {
  const holders = mesh.disk.get(scope)?.state.holders ?? [];
  return holders.find((held) => held.lockId === lockId)?.token ?? (1 as never);
}

test('as the only voter: what it decides and when, what it does unasked, and what is on its disk in the end', () => {
  const met = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const [plain, cold] = [new Alone(false), new Alone(true)];
      for (const one of steps) {
        for (const mesh of [plain, cold]) take(mesh, one);
        same(cold.told, plain.told);
        for (const told of plain.told) count(met, String(told));
        for (const mesh of [plain, cold]) mesh.told.length = 0;
      }
      for (const mesh of [plain, cold]) mesh.wait(120_000);
      same(cold.told, plain.told);
      same(onDisk(cold), onDisk(plain));
    }),
    { numRuns: 200, seed: 6 },
  );
  for (const what of ['granted', 'notice', 'expired', 'crashed']) {
    expect([what, (met.get(what) ?? 0) > 20]).toEqual([what, true]);
  }
});

function count(met: Map<string, number>, told: string): void {
  for (const what of ['granted', 'notice', 'expired', 'crashed']) {
    if (told.includes(what)) met.set(what, (met.get(what) ?? 0) + 1);
  }
}

/** States, but for the names of leases. */
function onDisk({ disk }: Alone): unknown[] {
  return [...disk].sort().map(([scope, { state }]) => {
    return [scope, { ...state, holders: state.holders.map((held) => ({ ...held, leaseId: '' })) }];
  });
}
