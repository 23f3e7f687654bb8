/**
 * A voter whose scopes are frozen (G2, T2, T3): it answers, promises, writes and acts as if they were not. What is
 * frozen by hand here is what rests beyond a bound (scopes.ts).
 */
import { describe, expect, test } from 'vitest';
import type { LockEvent } from '../../../src/lock/event.ts';
import { EMPTY, type LeaseId, type LockState, type SessionId } from '../../../src/lock/state.ts';
import { FREEZE_EVERY_MS, FREEZE_SCOPES, WARM_SCOPES } from '../../../src/peer/limits.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import { ended, held as grant, id, session } from '../lock/scene.ts';
import { acquire } from '../vote/host.ts';
import { ballot, free, held, type Seat, seated, task } from './seat.ts';

const B1 = ballot(1);
const B2 = ballot(2);
const B3 = ballot(3);
const HOUR = 3_600_000;
const S = scopeOfSession('s' as SessionId);
const granted = (lockId: string, token: number): LockEvent => {
  return { kind: 'granted', grant: grant(id(lockId), 'read', token) };
};
const extended = (leaseId: string): LockEvent => {
  return { kind: 'extended', lockId: id('a'), leaseMs: 1_000, leaseId: leaseId as LeaseId };
};

/** A voter that has frozen this scope: on its disk, accepted at 0 under ballot 1. */
function frozen(state: LockState = held(), scope = 's'): Seat {
  const seat = seated();
  seat.accept(scope, B1, 1, state);
  seat.flush();
  seat.said();
  freeze(seat, scope);
  return seat;
}

/** It has no object of that register any more: whoever asks gets another one. */
function freeze(seat: Seat, scope: string): void {
  const before = seat.voter.register(scope);
  seat.voter.forgetFree();
  seat.reads = 0;
  const after = seat.voter.register(scope);
  expect(after).not.toBe(before);
  expect([after, seat.reads]).toEqual([{ ...before, write: 0 }, 0]);
  seat.voter.forgetFree();
}

describe('votes', () => {
  test('events build on what was frozen: answered once they are on disk, as a change since then', () => {
    const seat = frozen();
    seat.change('s', B1, 2, [ended(id('a'), 'released')]);
    expect([seat.said(), seat.reads]).toEqual([[], 0]);
    const write = seat.take().registers.get('s');
    expect(write).toMatchObject({ events: [ended(id('a'), 'released')], from: 1, register: { version: 2 } });
    seat.land();
    expect(seat.said()).toEqual(['accepted s #2 -> 1']);
    expect(seat.voter.register('s').state.holders).toEqual([]);
  });

  test('a state replaces it, and is written whole', () => {
    const seat = frozen();
    seat.accept('s', B2, 2, held('other'));
    expect(seat.take().registers.get('s')).toMatchObject({
      events: null,
      register: { ballot: B2, version: 2 },
    });
    seat.land();
    expect(seat.said()).toEqual(['accepted s #2 -> 1']);
  });

  test('what it lacks is a gap; what it has already is answered at once', () => {
    const seat = frozen();
    seat.change('s', B1, 3, [granted('b', 2)]);
    seat.accept('s', B1, 1, null, 7);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([['gap s #3 -> 1', 'accepted s #7 -> 1'], false]);
  });

  test('a promise tells what was accepted', () => {
    const seat = frozen();
    seat.prepare('s', B2, 2);
    expect(seat.said()).toEqual(['promised 2.p2 (v1) -> 2']);
    seat.accept('s', B1, 2, held());
    expect(seat.said()).toEqual(['nack 1.p2: 2.p2 -> 1']);
  });

  test.each([
    ['to a prepare', (seat: Seat) => seat.prepare('s', B3, 2), 'promised 3.p2 (v1) -> 2'],
    ['to an accept that it could not follow', (seat: Seat) => seat.accept('s', B3, 9, null), 'gap s #9 -> 1'],
  ])('what it had promised (%s) when it froze it has promised still', (_, happens, said) => {
    const seat = frozen();
    happens(seat);
    expect(seat.said()).toEqual([said]);
    freeze(seat, 's');
    seat.accept('s', B1, 2, held());
    seat.prepare('s', B3);
    seat.accept('s', B2, 5, held());
    const nack = (round: number) => `nack ${round}.p2: 3.p2 -> 1`;
    expect(seat.said()).toEqual([nack(1), nack(3), nack(2)]);
    seat.accept('s', B3, 2, held());
    expect(seat.flush()).toBe(1);
  });

  test('a start has promised all of its horizon for what it begins with frozen', () => {
    const seat = seated();
    for (let i = 0; i < WARM_SCOPES + 5; i++) seat.accept(`s${i}`, B1, 1, held('lease', HOUR));
    seat.flush();
    seat.restart();
    const last = `s${WARM_SCOPES + 4}`;
    seat.reads = 0;
    seat.accept(last, B1, 2, held());
    expect([seat.said(), seat.reads]).toEqual([['nack 1.p2: end of 10001 -> 1'], 0]);
  });

  test('a start has nothing left to freeze, however much is held on its disk', () => {
    const seat = seated();
    for (let i = 0; i < WARM_SCOPES + 2 * FREEZE_SCOPES; i++)
      seat.accept(`s${i}`, B1, 1, held('lease', HOUR));
    seat.flush();
    seat.restart();
    seat.wait(FREEZE_EVERY_MS);
    expect(seat.voter.nextWake).toBeGreaterThanOrEqual(HOUR);
  });

  test('a question is answered: on disk, what is over, and when the next one is', () => {
    const seat = seated();
    seat.now = 100;
    const state = { ...EMPTY, token: 2 as never, holders: [] as LockState['holders'] };
    state.holders = [
      grant(id('a'), 'read', 1, { leaseMs: 10_000, leaseId: 'first' as LeaseId }),
      grant(id('b'), 'read', 2, { leaseMs: 20_000, leaseId: 'second' as LeaseId }),
    ];
    seat.accept('s', B1, 1, state);
    seat.flush();
    freeze(seat, 's');
    seat.said();
    seat.now = 10_250;
    seat.hear(2, { kind: 'ask', scope: 's', ask: 5 });
    expect(seat.messages()).toEqual([
      {
        kind: 'report',
        scope: 's',
        ask: 5,
        promised: B1,
        accepted: { ballot: B1, version: 1 },
        flushed: true,
        overdue: [['a', 'first']],
        dueMs: 100 + 20_200 - 10_250,
      },
    ]);
  });

  test('late answers to what was asked before it froze change nothing', () => {
    const seat = frozen();
    const mine = ballot(2, 'p1');
    const nothing = { accepted: B1, version: 1, state: held() };
    seat.hear(1, { kind: 'promised', scope: 's', ballot: mine, ...nothing });
    seat.hear(1, { kind: 'accepted', scope: 's', ballot: mine, seq: 1 });
    seat.hear(1, { kind: 'gap', scope: 's', ballot: mine, seq: 1 });
    seat.hear(1, { kind: 'nack', scope: 's', ballot: mine, promised: B3 });
    seat.hear(1, { kind: 'chosen', scope: 's', ballot: mine, version: 1 });
    expect([seat.said(), seat.settlements(), seat.voter.hasWrites]).toEqual([[], [], false]);
  });

  test('a command of its own is proposed above all that was promised', () => {
    const seat = frozen();
    seat.prepare('s', ballot(7), 2);
    freeze(seat, 's');
    seat.said();
    seat.voter.submit('s', task(acquire('b', 'bob')));
    expect(seat.said()).toEqual([0, 1, 2].map((to) => `prepare 8.p1 -> ${to}`));
  });
});

describe('time', () => {
  test('an age goes on: a lease that is accepted again is as old as before', () => {
    const seat = frozen(held('lease', 5_000));
    seat.now = 4_000;
    seat.accept('s', B2, 1, held('lease', 5_000));
    expect(seat.voter.register('s').noted).toEqual([0]);
    seat.accept('s', B2, 2, held('new', 5_000));
    expect(seat.voter.register('s').noted).toEqual([4_000]);
  });

  test('a lease that is over is asked about to the millisecond, by the i-th in line i seconds later', () => {
    for (const rank of [0, 2]) {
      const seat = frozen(held('lease', 5_000));
      seat.rank = rank;
      seat.wait(5_050 + rank * 1_000 - 1);
      expect(seat.said()).toEqual([]);
      seat.wait(1);
      expect(seat.said()).toContain('prepare 2.p1 -> 0');
    }
  });

  test('an endless one never wakes it, nor does anything else', () => {
    const seat = frozen(held('lease', 0));
    expect(seat.voter.nextWake).toBe(Number.POSITIVE_INFINITY);
  });

  test('10,000 that rest: it sleeps until the first lease is due', () => {
    const seat = seated();
    for (let i = 0; i < 10_000; i++) seat.accept(`s${i}`, B1, 1, held('lease', HOUR + i * 1_000));
    seat.flush();
    seat.said();
    seat.wait(60_000);
    expect([seat.voter.scopes, seat.said()]).toEqual([10_001, []]); // and the one that warmed it up
    expect(seat.voter.nextWake).toBeGreaterThanOrEqual(HOUR);
    expect(seat.voter.nextWake).toBeLessThanOrEqual(HOUR * 1.01);
    seat.wait(HOUR * 1.01 - 60_000 - 1);
    expect(seat.said()).toEqual([]);
    seat.wait(1);
    expect(seat.said()).toEqual([0, 1, 2].map((to) => `prepare 2.p1 -> ${to}`));
  });
});

describe('sessions', () => {
  const living = (leaseMs = 0) => {
    const state = held('lease', leaseMs);
    return { ...state, holders: [{ ...state.holders[0]!, session: session('s') }] };
  };

  test('a beat of a frozen one needs no flush, and what was not written is not frozen', () => {
    const seat = frozen(held('first'), S);
    seat.change(S, B1, 2, [extended('second')]);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([[`accepted ${S} #2 -> 1`], false]);
    const register = seat.voter.register(S);
    seat.voter.forgetFree();
    expect(seat.voter.register(S)).toBe(register);
    seat.change(S, B1, 3, [ended(id('a'), 'released')]);
    expect(seat.take().registers.get(S)).toMatchObject({ events: null, register: { version: 3 } });
  });

  test('its death sweeps a frozen scope', () => {
    const seat = frozen(living());
    seat.said();
    seat.voter.duties.died(session('s'));
    seat.wait(0);
    expect(seat.said()).toContain('prepare 2.p1 -> 0');
  });

  test('what it has in frozen scopes is told, and they stay frozen', () => {
    const seat = frozen(living());
    expect(seat.voter.duties.entriesOf(S)).toEqual([{ scope: 's', lockId: 'a', token: 1 }]);
  });

  test('one that is frozen itself is alive until its ttl is over here, and closed when it was closed', () => {
    const ttl = (seat: Seat) => seat.voter.duties.ttlHere(session('s'));
    const seat = frozen(held('first', 5_000), S);
    seat.wait(5_049);
    expect(ttl(seat)).toBe(5_000);
    seat.wait(1);
    expect(ttl(seat)).toBeUndefined();
    const closed = frozen(held('first', 5_000), S);
    closed.change(S, B1, 2, [ended(id('a'), 'released')]);
    expect(ttl(closed)).toBeUndefined();
    expect(ttl(seated())).toBeUndefined();
  });

  test('it is not looked up while its frozen copy is young', () => {
    const seat = frozen(held('first', 5_000), S);
    seat.accept('x', B1, 1, living());
    seat.flush();
    seat.voter.forgetFree();
    seat.said();
    seat.wait(5_000);
    expect(seat.said()).toEqual([]);
  });
});

test('what is free leaves for the disk, and what is held is frozen, by one call', () => {
  const seat = frozen();
  seat.accept('f', B1, 1, free(3));
  seat.flush();
  seat.said();
  expect(seat.voter.forgetFree()).toBe(1);
  const left = [...seat.voter.known()].map(([scope, { state }]) => [scope, state.holders.length]);
  expect([seat.voter.scopes, left]).toEqual([
    2,
    [
      ['warm-up', 0],
      ['s', 1],
    ],
  ]); // that one's promise is on no disk
  seat.reads = 0;
  seat.hear(1, { kind: 'ask', scope: 's', ask: 1 });
  seat.hear(1, { kind: 'ask', scope: 'f', ask: 2 });
  expect([seat.said(), seat.reads]).toEqual([['report 1: v1 flushed -> 1', 'report 2: v1 flushed -> 1'], 1]);
});

test('while a message waits for the horizon nothing is frozen', () => {
  const seat = frozen();
  seat.prepare('other', ballot(1e6));
  const register = seat.voter.register('s');
  seat.voter.forgetFree();
  expect(seat.voter.register('s')).toBe(register);
  seat.flush();
  seat.voter.forgetFree();
  expect(seat.voter.register('s')).not.toBe(register);
});
