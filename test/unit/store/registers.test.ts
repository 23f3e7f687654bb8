/** A register comes back from its bytes, and from its changes; what is damaged is never taken for a register. */
import { pack, unpack } from 'msgpackr';
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
  permits: 0,
  mode: n % 4 === 0 ? 'read' : 'write',
  leaseMs: 30_000,
  claimMs: 2000,
  gateway: gateway(n % 3),
  repeat: 0,
  at: 1_700_000_000_000,
  arrival,
});

const grantOf = (n: number, token: number, mode: Grant['mode'] = 'write'): Grant => {
  const { holder, named, priority, reason, session, ttlMs, permits, leaseMs, at } = waiter(n, 0);
  const claimant = { lockId: lockId(n), holder, named, priority, reason, session, ttlMs, permits };
  const former = 0 as FencingToken;
  return {
    ...claimant,
    mode,
    token: token as FencingToken,
    slot: 0,
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

/** The same, of a semaphore; of none if there are no permits. */
function of<T extends Waiter | Grant>(permits: number, one: T): T {
  return permits === 0 ? one : { ...one, mode: 'permit', permits };
}

/** Something that may happen to a scope, which is a semaphore if there are permits; `n` is new each time. */
function happening(state: LockState, n: number, next: (below: number) => number, permits: number): LockEvent {
  const waiting = [...everybody(state.queue)];
  const parked = [...values(state.parked)];
  const anybody = [...state.holders, ...waiting, ...parked][next(20)]?.lockId ?? lockId(n);
  const token = (state.token + 1) as FencingToken;
  const alone = state.holders.length === 0;
  const readers = state.holders.every(({ mode }) => mode === 'read');
  const slot = [...Array(permits).keys()].find((i) => state.holders.every((grant) => grant.slot !== i));
  switch (next(10)) {
    case 0:
      if (slot !== undefined) return { kind: 'granted', grant: { ...of(permits, grantOf(n, token)), slot } };
      if (alone) return { kind: 'granted', grant: grantOf(n, token, n % 2 === 0 ? 'read' : 'write') };
      if (readers) return { kind: 'granted', grant: grantOf(n, token, 'read') };
      return { kind: 'extended', lockId: anybody, leaseMs: 60_000, leaseId: lease(n) };
    case 1: {
      const first = nextOf(state.queue);
      if (!(alone || slot !== undefined) || first === undefined)
        return { kind: 'claimed', lockId: anybody, leaseId: lease(n), at: n };
      const promoted = { kind: 'promoted', lockId: first.lockId, token, slot: slot ?? 0 } as const;
      return { ...promoted, leaseId: lease(n), gateway: first.gateway, at: n };
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
      return { kind: 'queued', waiter: of(permits, waiter(n, state.arrivals + 1)) };
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

  test.each([
    ['a lock', 0],
    ['a semaphore', 3],
  ])(
    'whatever happens to %s, changes in order lead to the same register as it was in memory',
    (_, permits) => {
      let crowd = 0;
      let most = 0;
      for (let seed = 1; seed <= 30; seed++) {
        const next = draw(seed);
        let memory = free;
        let disk = registerCodec.decode(registerCodec.encode(free));
        let n = 0;
        for (let flush = 0; flush < 120; flush++) {
          const events: LockEvent[] = [];
          let state = memory.state;
          for (let count = next(5); count >= 0; count--) {
            events.push(happening(state, ++n, next, permits));
            state = evolveAll(state, events.slice(-1));
          }
          const write = change(memory, events, 1 + next(3));
          disk = registerCodec.apply(disk, registerCodec.encodeDelta(write));
          memory = write.register;
          expect(registerToWire(disk)).toEqual(registerToWire(memory));
          crowd = Math.max(crowd, [...everybody(memory.state.queue)].length);
          most = Math.max(most, ...memory.state.holders.map(({ slot }) => slot));
          expect(isFree(disk.state)).toBe(isFree(memory.state));
          if (next(20) === 0) disk = registerCodec.decode(registerCodec.encode(disk));
        }
      }
      expect(crowd).toBeGreaterThan(20);
      expect(most).toBe(Math.max(0, permits - 1));
    },
  );

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
      expect(() => registerCodec.apply(held, delta)).toThrow(/change.summary: leads to/);
    }
  });
});

/** What comes back from the plain values of a write, given what was there before it. */
function logged(write: RegisterWrite, before: StoredRegister | undefined): RegisterWrite {
  const asChange = registerCodec.isChange(write);
  expect(registerCodec.follows(write, before)).toBe(asChange);
  const plain = unpack(pack(registerCodec.toPlain(write, asChange)));
  expect(registerCodec.link(plain)).toEqual({
    from: registerCodec.from(write),
    to: registerCodec.stamp(write.register),
  });
  return registerCodec.fromPlain(plain, before);
}

describe('writes in the log', () => {
  test('a whole and a change come back', () => {
    const whole: RegisterWrite = { register: held, events: null, from: 0 };
    expect(logged(whole, undefined)).toEqual(whole);
    const write = change(held, [{ kind: 'queued', waiter: waiter(3, 1) }], 2);
    expect(logged(write, held)).toEqual(write);
    const nothing = change(held, []);
    expect(logged(nothing, held)).toEqual(nothing);
  });

  test('a change whose events are not all that happened is refused', () => {
    const write = change(held, [
      { kind: 'ended', lockId: lockId(1), ending: 'released', note: null },
      { kind: 'queued', waiter: waiter(3, 1) },
    ]);
    expect(() => logged({ ...write, events: write.events!.slice(1) }, held)).toThrow(/leads to/);
    expect(() => registerCodec.fromPlain([1, 2], held)).toThrow();
    expect(() => registerCodec.link('x')).toThrow();
  });
});

test('a change follows only the register that it builds on', () => {
  const write = change(held, []);
  expect(registerCodec.follows(write, held)).toBe(true);
  for (const other of [
    undefined,
    { ...held, version: held.version + 1 },
    { ...held, ballot: { ...ballot, round: 13 } },
    { ...held, ballot: { ...ballot, boot: 1 } },
  ])
    expect(registerCodec.follows(write, other)).toBe(false);
});

describe('two writes as one', () => {
  const queued = (n: number): LockEvent => ({ kind: 'queued', waiter: waiter(n, n) });
  const first = change(held, [queued(2)]);
  const second = change(first.register, [queued(3), queued(4)], 3);

  test('two changes in a row are one change', () => {
    const both = registerCodec.join(first, second);
    expect(both.register).toBe(second.register);
    expect(both.from).toBe(held.version);
    expect(both.events).toEqual([queued(2), queued(3), queued(4)]);
    expect(registerCodec.from(both)).toBe(registerCodec.stamp(held));
    expect(registerCodec.apply(held, registerCodec.encodeDelta(both))).toEqual(second.register);
    expect([first.events, second.events]).toEqual([[queued(2)], [queued(3), queued(4)]]);
  });

  test('many of them are still one, and lead where they lead one by one', () => {
    let joined = first;
    for (let n = 3; n < 60; n++) joined = registerCodec.join(joined, change(joined.register, [queued(n)]));
    expect(joined.events).toHaveLength(58);
    expect(registerCodec.apply(held, registerCodec.encodeDelta(joined))).toEqual(joined.register);
  });

  test('what follows a whole is whole, and what does not follow, or is more than the whole, is', () => {
    const whole = { register: second.register, events: null, from: 0 };
    const other = { ...ballot, round: 13 };
    expect(registerCodec.join({ ...first, events: null }, second)).toEqual(whole);
    expect(registerCodec.join(first, { ...second, events: null })).toEqual(whole);
    expect(registerCodec.join(first, { ...second, from: second.from + 1 })).toEqual(whole);
    const elsewhere = { ...second.register, ballot: other };
    expect(registerCodec.join(first, { ...second, register: elsewhere })).toEqual({
      ...whole,
      register: elsewhere,
    });
    let joined = change(held, [{ kind: 'extended', lockId: lockId(1), leaseMs: 1, leaseId: lease(1) }]);
    for (let n = 2; n < 30; n++) {
      const extended: LockEvent = { kind: 'extended', lockId: lockId(1), leaseMs: n, leaseId: lease(n) };
      joined = registerCodec.join(joined, change(joined.register, [extended]));
    }
    expect(joined.events).toBeNull();
  });
});
