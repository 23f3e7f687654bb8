/** A register comes back from its bytes, and from its changes; what is damaged is never taken for a register. */
import { describe, expect, test } from 'vitest';
import { evolveAll, type LockEvent } from '../../../src/lock/event.ts';
import { everybody, nextOf } from '../../../src/lock/queue.ts';
import {
  EMPTY,
  type FencingToken,
  type Grant,
  isFree,
  type LeaseId,
  type LockId,
  type LockState,
  type SessionId,
  type Waiter,
} from '../../../src/lock/state.ts';
import { values } from '../../../src/lock/tree.ts';
import { registerCodec } from '../../../src/store/registers.ts';
import type { RegisterWrite, StoredRegister } from '../../../src/vote/acceptor.ts';
import { registerToWire } from '../../../src/vote/wire.ts';

const lockId = (n: number) => `c0ffee00-0000-7000-8000-${n.toString(16).padStart(12, '0')}` as LockId;
const gateway = (n: number) => `session-${n}` as SessionId;
const lease = (n: number) => `12.aabbccddeeff0011.1048577.${n}` as LeaseId;

const waiter = (n: number, arrival: number): Waiter => ({
  lockId: lockId(n),
  holder: 'p1-7f3a',
  named: true,
  priority: (['high', 'normal', 'low'] as const)[n % 3]!,
  reason: n % 2 === 0 ? 'deploying' : null,
  session: n % 5 === 0 ? gateway(9) : null,
  ttlMs: n % 5 === 0 ? 10_000 : 0,
  mode: n % 4 === 0 ? 'read' : 'write',
  leaseMs: 30_000,
  claimMs: 2000,
  gateway: gateway(n % 3),
  repeat: 0,
  at: 1_700_000_000_000,
  arrival,
});

const grantOf = (n: number, token: number, mode: Grant['mode'] = 'write'): Grant => {
  const { holder, named, priority, reason, session, ttlMs, leaseMs, at } = waiter(n, 0);
  const claimant = { lockId: lockId(n), holder, named, priority, reason, session, ttlMs };
  const former = 0 as FencingToken;
  return {
    ...claimant,
    mode,
    token: token as FencingToken,
    former,
    leaseMs,
    leaseId: lease(n),
    at,
    unclaimed: null,
  };
};

const ballot = { round: 12, peer: 'aabbccddeeff0011', boot: 2 ** 20 + 1 };
const free: StoredRegister = { ballot, version: 3, state: EMPTY };
const held: StoredRegister = {
  ballot,
  version: 4,
  state: evolveAll(EMPTY, [{ kind: 'granted', grant: grantOf(1, 7) }]),
};

/** The write of these events on top of a register. */
function change(before: StoredRegister, events: readonly LockEvent[], steps = 1): RegisterWrite {
  const register = {
    ballot: before.ballot,
    version: before.version + steps,
    state: evolveAll(before.state, events),
  };
  return { register, events, from: before.version };
}

/** A repeatable generator. */
function draw(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Something that may happen to a scope; `n` is new each time. */
function happening(state: LockState, n: number, next: (below: number) => number): LockEvent {
  const waiting = [...everybody(state.queue)];
  const parked = [...values(state.parked)];
  const anybody = [...state.holders, ...waiting, ...parked][next(20)]?.lockId ?? lockId(n);
  const token = (state.token + 1) as FencingToken;
  const alone = state.holders.length === 0;
  const readers = state.holders.every(({ mode }) => mode === 'read');
  switch (next(10)) {
    case 0:
      if (alone) return { kind: 'granted', grant: grantOf(n, token, n % 2 === 0 ? 'read' : 'write') };
      if (readers) return { kind: 'granted', grant: grantOf(n, token, 'read') };
      return { kind: 'extended', lockId: anybody, leaseMs: 60_000, leaseId: lease(n) };
    case 1: {
      const first = nextOf(state.queue);
      if (!alone || first === undefined)
        return { kind: 'claimed', lockId: anybody, leaseId: lease(n), at: n };
      const { lockId: id, gateway: where } = first;
      return { kind: 'promoted', lockId: id, token, leaseId: lease(n), gateway: where, at: n };
    }
    case 2:
      return { kind: 'moved', lockId: parked[0]?.lockId ?? anybody, gateway: gateway(next(3)), repeat: n };
    case 3:
      return { kind: 'parked', lockId: anybody };
    case 4:
      if (next(4) > 0) return { kind: 'parked', lockId: anybody };
      return { kind: 'deserted', gateway: gateway(next(3)) };
    case 5:
      // An unclaimed lock is never converted.
      if (state.holders.length === 1 && readers && state.holders[0]!.unclaimed === null)
        return { kind: 'converted', lockId: state.holders[0]!.lockId, mode: 'write', token, gateway: null };
      return { kind: 'ended', lockId: state.holders[0]?.lockId ?? anybody, ending: 'expired', note: null };
    case 6:
      return { kind: 'ended', lockId: anybody, ending: 'forced', note: 'by ops: stuck' };
    default:
      return { kind: 'queued', waiter: waiter(n, state.arrivals + 1) };
  }
}

describe('the codec of registers', () => {
  test.each([
    ['free', free],
    ['held', held],
  ])('a %s register comes back', (_, register) => {
    expect(registerCodec.decode(registerCodec.encode(register))).toEqual(register);
  });

  test('a register is held while somebody holds, waits or is kept a place', () => {
    const waits = change(free, [{ kind: 'queued', waiter: waiter(2, 1) }]).register;
    const kept = change(waits, [{ kind: 'parked', lockId: lockId(2) }]).register;
    const left = change(kept, [
      { kind: 'ended', lockId: lockId(2), ending: 'cancelled', note: null },
    ]).register;
    expect([free, held, waits, kept, left].map(registerCodec.held)).toEqual([false, true, true, true, false]);
  });

  test('one register’s bytes survive the encoding of the next', () => {
    const first = registerCodec.encode(held);
    const delta = registerCodec.encodeDelta(change(free, []));
    registerCodec.encode(free);
    expect(registerCodec.decode(first)).toEqual(held);
    expect(registerCodec.apply(free, delta)).toEqual({ ...free, version: 4 });
  });

  test('other bytes are refused', () => {
    const bytes = registerCodec.encode(held);
    expect(() => registerCodec.decode(bytes.subarray(0, bytes.length - 1))).toThrow();
    expect(() => registerCodec.decode(Buffer.from([0x93, 1, 2, 3]))).toThrow();
    expect(() => registerCodec.apply(held, bytes)).toThrow();
  });
});

describe('changes of registers', () => {
  test('a stamp names ballot and version', () => {
    expect(registerCodec.stamp(held)).toBe('12.aabbccddeeff0011.1048577.4');
    expect(registerCodec.from(change(held, [], 5))).toBe(registerCodec.stamp(held));
    expect(registerCodec.from({ ...change(held, []), events: null })).toBeNull();
  });

  test('whatever happens, changes in order lead to the same register as it was in memory', () => {
    let crowd = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const next = draw(seed);
      let memory = free;
      let disk = registerCodec.decode(registerCodec.encode(free));
      let n = 0;
      for (let flush = 0; flush < 120; flush++) {
        const events: LockEvent[] = [];
        let state = memory.state;
        for (let count = next(5); count >= 0; count--) {
          events.push(happening(state, ++n, next));
          state = evolveAll(state, events.slice(-1));
        }
        const write = change(memory, events, 1 + next(3));
        disk = registerCodec.apply(disk, registerCodec.encodeDelta(write));
        memory = write.register;
        expect(registerToWire(disk)).toEqual(registerToWire(memory));
        crowd = Math.max(crowd, [...everybody(memory.state.queue)].length);
        expect(isFree(disk.state)).toBe(isFree(memory.state));
        if (next(20) === 0) disk = registerCodec.decode(registerCodec.encode(disk));
      }
    }
    expect(crowd).toBeGreaterThan(20);
  });

  test('a change of another ballot or version is refused', () => {
    const delta = registerCodec.encodeDelta(change(held, [{ kind: 'queued', waiter: waiter(2, 1) }]));
    expect(registerCodec.apply(held, delta).version).toBe(5);
    for (const other of [
      { ...held, version: 3 },
      { ...held, version: 5 },
      { ...held, ballot: { ...ballot, round: 13 } },
      { ...held, ballot: { ...ballot, boot: 1 } },
      { ...held, ballot: { ...ballot, peer: '' } },
    ])
      expect(() => registerCodec.apply(other, delta)).toThrow(/delta: builds on 12\..*\.4, not on/);
  });

  test('a change whose events are not all that happened is refused', () => {
    const events: LockEvent[] = [
      { kind: 'ended', lockId: lockId(1), ending: 'released', note: null },
      { kind: 'granted', grant: grantOf(2, 8) },
      { kind: 'queued', waiter: waiter(3, 1) },
    ];
    const write = change(held, events);
    for (const left of [events.slice(1), events.slice(0, 2), [...events, ...events]]) {
      const delta = registerCodec.encodeDelta({ ...write, events: left });
      expect(() => registerCodec.apply(held, delta)).toThrow(/delta.summary: leads to/);
    }
  });
});
