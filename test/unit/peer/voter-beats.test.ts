/**
 * A session's sign of life may stay unflushed (T5), and nothing else may: what is answered without a write is no more
 * than a lease that was set anew, in a register whose all else is on disk.
 */
import { describe, expect, test } from 'vitest';
import type { LockEvent } from '../../../src/lock/event.ts';
import type { LeaseId, SessionId } from '../../../src/lock/state.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import { ended, id } from '../lock/scene.ts';
import { ballot, free, held, type Seat, seated } from './seat.ts';

const B1 = ballot(1);
const S = scopeOfSession('s' as SessionId);

const beat = (leaseId: string): LockEvent => {
  return { kind: 'extended', lockId: id('a'), leaseMs: 1_000, leaseId: leaseId as LeaseId };
};
const RELEASED = ended(id('a'), 'released');

/** A voter whose disk holds the open session, in the state of its first lease. */
const open = (): Seat => {
  const seat = seated();
  seat.accept(S, B1, 1, held('first'));
  seat.flush();
  seat.said();
  return seat;
};

test('a beat is answered at once, and nothing is to be written', () => {
  const seat = open();
  seat.change(S, B1, 2, [beat('second')]);
  expect([seat.said(), seat.voter.hasWrites]).toEqual([[`accepted ${S} #2 -> 1`], false]);
  seat.change(S, B1, 3, [beat('third'), beat('fourth')]);
  expect([seat.said(), seat.voter.hasWrites]).toEqual([[`accepted ${S} #3 -> 1`], false]);
  expect(seat.disk.registers.get(S)).toMatchObject({ version: 1 });
});

test('it is counted all the same: promised, reported, and noted as a new lease', () => {
  const seat = open();
  seat.wait(900);
  seat.change(S, B1, 2, [beat('second')]);
  seat.hear(2, { kind: 'ask', scope: S, ask: 5 });
  seat.prepare(S, ballot(2), 2);
  expect(seat.said()).toEqual([
    `accepted ${S} #2 -> 1`,
    'report 5: v2 flushed -> 2',
    'promised 2.p2 (v2) -> 2',
  ]);
  seat.wait(1_000);
  expect(seat.said()).toEqual([]);
  seat.wait(10); // 900 + 1,000 x 1.01
  expect(seat.said()).toContain('prepare 3.p1 -> 0');
});

describe('not before all else in that register is flushed', () => {
  test('what it builds on has not been given to the disk: both leave with that flush, and it is written whole', () => {
    const seat = seated();
    seat.accept(S, B1, 1, held('first'));
    seat.change(S, B1, 2, [beat('second')]);
    expect(seat.said()).toEqual([]);
    const { registers } = seat.take();
    expect(registers.get(S)).toMatchObject({ register: { version: 2 }, events: null });
    seat.land();
    expect(seat.said()).toEqual([`accepted ${S} #1 -> 1`, `accepted ${S} #2 -> 1`]);
  });

  test('what it builds on is on its way to the disk: it waits for that, and for no other', () => {
    const seat = seated();
    seat.accept(S, B1, 1, held('first'));
    seat.take();
    seat.accept('x', B1, 1, held());
    seat.change(S, B1, 2, [beat('second')]);
    expect(seat.said()).toEqual([]);
    seat.land();
    expect(seat.said()).toEqual([`accepted ${S} #1 -> 1`, `accepted ${S} #2 -> 1`]);
  });

  test('events that are on their way likewise', () => {
    const seat = open();
    seat.change(S, B1, 2, [RELEASED]);
    seat.take();
    seat.change(S, B1, 3, [beat('late')]);
    expect(seat.said()).toEqual([]);
    seat.land();
    expect(seat.said()).toEqual([`accepted ${S} #2 -> 1`, `accepted ${S} #3 -> 1`]);
  });
});

describe('what is no beat is written', () => {
  test.each([
    ['a beat beside something else', S, [beat('second'), RELEASED]],
    ['something else', S, [RELEASED]],
    ['an extension of a lock', 'orders/1', [beat('second')]],
  ])('%s', (_, scope, events) => {
    const seat = seated();
    seat.accept(scope, B1, 1, held('first'));
    seat.flush();
    seat.said();
    seat.change(scope, B1, 2, events);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([[], true]);
    seat.flush();
    expect(seat.said()).toEqual([`accepted ${scope} #2 -> 1`]);
  });

  test('the state whole, were it only of a beat: the ballot may be new', () => {
    const seat = open();
    seat.accept(S, ballot(2), 2, held('second'));
    expect([seat.said(), seat.voter.hasWrites]).toEqual([[], true]);
  });
});

test('the next real change after a beat is written whole: the disk lacks what it builds on', () => {
  const seat = open();
  seat.change(S, B1, 2, [beat('second')]);
  seat.change(S, B1, 3, [RELEASED]);
  const write = seat.take().registers.get(S)!;
  expect(write.events).toBeNull();
  expect(write.register).toMatchObject({ version: 3, state: { holders: [], retirements: 1 } });
});

test('after a crash the former lease is back, noted anew: the session lives longer, not shorter', () => {
  const seat = open();
  seat.wait(900);
  seat.change(S, B1, 2, [beat('second')]);
  seat.wait(50);
  seat.restart();
  expect(seat.voter.register(S)).toMatchObject({ version: 1, noted: [950] });
  expect(seat.voter.nextWake).toBe(950 + 1_010);
});

test('a register with an unflushed beat is not forgotten: it is held', () => {
  const seat = open();
  seat.change(S, B1, 2, [beat('second')]);
  seat.voter.forgetFree();
  seat.reads = 0;
  seat.hear(2, { kind: 'ask', scope: S, ask: 1 });
  expect([seat.reads, seat.said().at(-1)]).toEqual([0, 'report 1: v2 flushed -> 2']);
  seat.accept(S, B1, 3, free(1));
});
