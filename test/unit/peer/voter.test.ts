/**
 * What a voter may say, and when: the horizon of promises (V8), flushes in groups (V2), what a restart knows, and
 * what may be forgotten (G2).
 */
import { describe, expect, test } from 'vitest';
import { FREE_SCOPES_MAX } from '../../../src/peer/limits.ts';
import { HORIZON_STRIDE_ROUNDS } from '../../../src/vote/limits.ts';
import { ballot, free, held, Seat, seated, task } from './seat.ts';

const B1 = ballot(1);
const B2 = ballot(2);

describe('the horizon (V8)', () => {
  test('a prepare beyond it waits for the flush of a higher one', () => {
    const seat = new Seat();
    expect(seat.voter.hasWrites).toBe(false);
    seat.prepare('s', B1);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([[], true]);
    const { horizon, registers } = seat.take();
    expect([horizon, registers.size]).toEqual([1 + HORIZON_STRIDE_ROUNDS, 0]);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([[], false]);
    seat.land();
    expect(seat.said()).toEqual(['promised 1.p2 (v0) -> 1']);
  });

  test('so does an accept, and what waits is taken in the order of its coming', () => {
    const seat = new Seat();
    seat.accept('s', B1, 1, held());
    seat.prepare('s', B2, 2);
    seat.accept('s', B1, 2, held());
    seat.flush();
    expect(seat.said()).toEqual(['promised 2.p2 (v1) -> 2', 'nack 1.p2: 2.p2 -> 1']);
    seat.flush();
    expect(seat.said()).toEqual(['accepted s #1 -> 1']);
  });

  test('a flush that began before does not raise it', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.take();
    seat.prepare('t', ballot(1e6));
    seat.land();
    expect(seat.said()).toEqual(['accepted s #1 -> 1']);
    seat.flush();
    expect(seat.said()).toEqual(['promised 1000000.p2 (v0) -> 1']);
  });

  test('one flush serves many ballots of all scopes', () => {
    const seat = seated();
    for (let round = 1; round < HORIZON_STRIDE_ROUNDS / 2; round += 7)
      seat.prepare(`s${round}`, ballot(round));
    expect(seat.voter.hasWrites).toBe(false);
    expect(seat.said().every((line) => line.startsWith('promised'))).toBe(true);
  });

  test('it is raised ahead of need: past the half of it, a promise leaves at once and the disk works meanwhile', () => {
    const seat = seated();
    const past = HORIZON_STRIDE_ROUNDS / 2 + 2;
    seat.prepare('s', ballot(past));
    expect(seat.said()).toEqual([`promised ${past}.p2 (v0) -> 1`]);
    expect(seat.take().horizon).toBe(past + HORIZON_STRIDE_ROUNDS);
    seat.prepare('s', ballot(past + 1));
    expect(seat.voter.hasWrites).toBe(false);
  });

  test('a restart has promised all of it, for every scope, known or not', () => {
    const seat = seated();
    seat.prepare('s', ballot(7));
    seat.prepare('t', B1);
    seat.accept('t', B1, 1, free(3));
    seat.flush();
    seat.restart();
    const H = 1 + HORIZON_STRIDE_ROUNDS;
    seat.accept('s', ballot(7), 1, held());
    seat.accept('t', B1, 2, held());
    seat.prepare('u', ballot(H));
    expect(seat.said()).toEqual([
      `nack 7.p2: end of ${H} -> 1`,
      `nack 1.p2: end of ${H} -> 1`,
      `nack ${H}.p2: end of ${H} -> 1`,
    ]);
    seat.prepare('t', ballot(H + 1));
    expect(seat.said()).toEqual([]);
    seat.flush();
    expect(seat.said()).toEqual([`promised ${H + 1}.p2 (v1) -> 1`]);
  });

  test('a horizon whose flush did not land is none: what it would have allowed was never said', () => {
    const seat = new Seat();
    seat.prepare('s', B1);
    seat.take();
    seat.restart();
    expect(seat.disk.horizon).toBe(0);
    seat.prepare('s', B1, 2);
    seat.flush();
    expect(seat.said()).toEqual(['promised 1.p2 (v0) -> 2']);
  });
});

describe('flushes in groups (V2)', () => {
  test('nothing is "accepted" before its batch landed; what comes meanwhile goes into the next', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.accept('t', B1, 1, held());
    expect([...seat.take().registers.keys()]).toEqual(['s', 't']);
    seat.accept('s', B1, 2, free(1));
    seat.accept('u', B1, 1, held());
    expect(seat.said()).toEqual([]);
    seat.land();
    expect(seat.said()).toEqual(['accepted s #1 -> 1', 'accepted t #1 -> 1']);
    expect(seat.disk.registers.get('s')).toMatchObject({ version: 1, state: held() });
    expect(seat.flush()).toBe(2);
    expect(seat.said()).toEqual(['accepted s #2 -> 1', 'accepted u #1 -> 1']);
  });

  test('many versions of one scope in one batch are one write, the newest', () => {
    const seat = seated();
    for (let version = 1; version <= 5; version++) seat.accept('s', B1, version, free(version));
    expect(seat.flush()).toBe(1);
    expect(seat.said().length).toBe(5);
    expect(seat.disk.registers.get('s')).toEqual({ ballot: B1, version: 5, state: free(5) });
  });

  test('a probe waits for the flush of what it asks about, and is answered at once after that', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.accept('s', B1, 1, null, 2);
    expect(seat.said()).toEqual([]);
    seat.flush();
    expect(seat.said()).toEqual(['accepted s #1 -> 1', 'accepted s #2 -> 1']);
    seat.accept('s', B1, 1, null, 3);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([['accepted s #3 -> 1'], false]);
  });

  test('a promise tells what is not flushed yet (V1), a report says that it is not (V7)', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.hear(2, { kind: 'ask', scope: 's', ask: 5 });
    seat.prepare('s', B2, 2);
    expect(seat.said()).toEqual(['report 5: v1 -> 2', 'promised 2.p2 (v1) -> 2']);
    seat.flush();
    seat.hear(2, { kind: 'ask', scope: 's', ask: 6 });
    // The ballot is gone, but what was accepted under it counts: a rival will find it.
    expect(seat.said()).toEqual(['accepted s #1 -> 1', 'report 6: v1 flushed -> 2']);
  });

  test('a crash before the flush: nothing was said, and nothing is known', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.take();
    expect(seat.said()).toEqual([]);
    seat.restart();
    seat.hear(2, { kind: 'ask', scope: 's', ask: 1 });
    expect(seat.said()).toEqual(['report 1: v0 flushed -> 2']);
  });

  test('a gap is told without a flush, and changes no state', () => {
    const seat = seated();
    seat.accept('s', B1, 4, null);
    expect([seat.said(), seat.voter.hasWrites]).toEqual([['gap s #4 -> 1'], false]);
  });
});

describe('forgetting (G2)', () => {
  /** A scope that is free, flushed and promised no more than accepted. */
  const settledScope = () => {
    const seat = seated();
    seat.voter.forgetFree();
    seat.prepare('s', B1);
    seat.accept('s', B1, 1, free(3));
    seat.flush();
    seat.said();
    return seat;
  };

  test('a free scope leaves memory and comes back whole, promised no less', () => {
    const seat = settledScope();
    expect(seat.voter.forgetFree()).toBe(1);
    seat.reads = 0;
    seat.prepare('s', ballot(1, 'p0'));
    seat.accept('s', B1, 1, null, 9);
    seat.prepare('s', B2);
    expect(seat.said()).toEqual(['nack 1.p0: 1.p2 -> 1', 'accepted s #9 -> 1', 'promised 2.p2 (v1) -> 1']);
    expect(seat.reads).toBe(1);
  });

  test.each([
    [
      'it is held',
      (seat: Seat) => {
        seat.accept('s', B1, 2, held());
        seat.flush();
      },
    ],
    ['it is not flushed', (seat: Seat) => seat.accept('s', B1, 2, free(4))],
    [
      'its flush has not landed',
      (seat: Seat) => {
        seat.accept('s', B1, 2, free(4));
        seat.take();
      },
    ],
    ['it has promised more than it accepted', (seat: Seat) => seat.prepare('s', B2)],
    ['a gap made it promise more', (seat: Seat) => seat.accept('s', B2, 2, null)],
    ['a message waits for the horizon', (seat: Seat) => seat.prepare('s', ballot(1e6))],
    ['a command waits here', (seat: Seat) => seat.voter.submit('s', task({ kind: 'read' }))],
  ])('it stays: %s', (_, happens) => {
    const seat = settledScope();
    happens(seat);
    expect(seat.voter.forgetFree()).toBe(0);
  });

  test('a scope that was only asked about is forgotten; one that promised within the horizon of this start is not', () => {
    const seat = settledScope();
    seat.hear(1, { kind: 'ask', scope: 'x', ask: 1 });
    seat.prepare('y', B1);
    expect(seat.voter.forgetFree()).toBe(2); // s and x
    seat.prepare('y', B1, 2);
    expect(seat.said().at(-1)).toBe('nack 1.p2: 1.p2 -> 2');
  });

  test('beyond a bound, free scopes that were not used lately leave by themselves', () => {
    const seat = settledScope();
    const accept = (scope: string) => seat.accept(scope, B1, 1, free(1));
    for (let i = 0; i < FREE_SCOPES_MAX; i++) accept(`s${i}`);
    seat.flush();
    for (let i = 0; i < 3_000; i++) {
      accept(`more${i}`);
      if (i % 100 === 0) seat.flush();
    }
    expect(seat.voter.scopes).toBeGreaterThanOrEqual(FREE_SCOPES_MAX);
    expect(seat.voter.scopes).toBeLessThan(FREE_SCOPES_MAX + 1_500);
  });
});
