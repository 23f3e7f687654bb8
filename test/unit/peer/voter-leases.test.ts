/** Which leases a voter watches, when it acts on them, what it tells of them; and that its own vote is no exception. */
import { describe, expect, test } from 'vitest';
import { HORIZON_STRIDE_ROUNDS } from '../../../src/vote/limits.ts';
import { acquire } from '../vote/host.ts';
import { ballot, free, held, seated, task } from './seat.ts';

const B1 = ballot(1);

describe('leases', () => {
  test('a restart watches what is held, from now on; the i-th in line asks i seconds later', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.flush();
    seat.now = 700;
    seat.restart();
    expect(seat.voter.nextWake).toBe(700 + 1_010);
    seat.rank = 2;
    seat.wait(3_009);
    expect(seat.said()).toEqual([]);
    seat.wait(1);
    expect(seat.said()).toEqual([0, 1, 2].map((to) => `prepare ${HORIZON_STRIDE_ROUNDS + 2}.p1 -> ${to}`));
  });

  test('an extension moves the watch, a release ends it', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held('first'));
    seat.wait(900);
    seat.accept('s', B1, 2, held('second', 5_000));
    seat.wait(5_049);
    expect(seat.said()).toEqual([]);
    seat.accept('s', B1, 3, free(1));
    seat.wait(60_000);
    expect([seat.said(), seat.voter.nextWake]).toEqual([[], Number.POSITIVE_INFINITY]);
  });

  test('what is left of a lease is told by this voter clock, in whole milliseconds', () => {
    const seat = seated();
    seat.accept('s', B1, 1, held());
    seat.wait(250.7);
    const view = (state = held()) =>
      seat.voter.view(
        's',
        { kind: 'read' },
        { kind: 'decided', outcome: { kind: 'state' }, state, events: [], votes: 2 },
      );
    expect(view()).toMatchObject({ token: 1, retirements: 0, leftMs: [749], holders: [{ holder: 'alice' }] });
    expect(view(held('unknown here')).leftMs).toEqual([1_000]);
    expect(view(held('lease', 0)).leftMs).toEqual([-1]);
    expect(view(free(4))).toMatchObject({ token: 4, leftMs: [], holders: [] });
    seat.accept('s', B1, 2, free(1));
    expect(view().contention).toEqual({ acquires: 0, conflicts: 0, holds: 1, heldMs: 250.7, waiters: 0 });
  });
});

test('its own vote counts like any other: once it is flushed', () => {
  const seat = seated();
  seat.voter.submit('s', task(acquire('a', 'alice')));
  expect(seat.said()).toEqual([0, 1, 2].map((to) => `prepare 1.p1 -> ${to}`));
  const mine = ballot(1, 'p1');
  for (const from of [0, 1]) {
    const nothing = { accepted: ballot(0, ''), version: 0, state: free(0) };
    seat.hear(from, { kind: 'promised', scope: 's', ballot: mine, ...nothing });
  }
  expect(seat.said()).toEqual([0, 1, 2].map((to) => `accept 1.p1 -> ${to}`));
  seat.hear(0, { kind: 'accept', scope: 's', ballot: mine, version: 1, seq: 1, events: null, state: held() });
  seat.hear(1, { kind: 'accepted', scope: 's', ballot: mine, seq: 1 });
  expect([seat.said(), seat.settlements()]).toEqual([[], []]);
  seat.flush();
  expect(seat.said()).toEqual(['accepted s #1 -> 0']);
  seat.hear(0, { kind: 'accepted', scope: 's', ballot: mine, seq: 1 });
  expect(seat.settlements()).toEqual(['acquire granted, held by alice']);
});
