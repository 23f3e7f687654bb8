/**
 * A voter where somebody watches: it begins with what is chosen, tells what is chosen since, and nothing else, and
 * asks the others when it may have missed something.
 */
import { describe, expect, test } from 'vitest';
import type { LockEvent } from '../../../src/lock/event.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { SURE_EVERY_MS, SURE_MS, UNTOLD_MAX } from '../../../src/peer/limits.ts';
import { type Ballot, NO_BALLOT } from '../../../src/vote/ballot.ts';
import { ended, held as grantOf, id } from '../lock/scene.ts';
import { inWords } from './retold.ts';
import { ballot, type Seat, seated } from './seat.ts';

const B1 = ballot(1);
const B2 = ballot(2);

const granted = (name: string, token: number): LockEvent => ({
  kind: 'granted',
  grant: grantOf(id(name), 'read', token, { leaseMs: 0 }),
});
const holding = (...names: string[]): LockState => ({
  ...EMPTY,
  token: names.length as never,
  holders: names.map((name, i) => grantOf(id(name), 'read', i + 1, { leaseMs: 0 })),
});

/** What was told since the last call. */
function news(seat: Seat): string[] {
  return seat.voter.watching.take().map(({ version, facts, compared, begins }) => {
    if (begins !== null) return `v${version} begins with ${begins.holders.length}`;
    return `v${version} ${compared ? 'compared: ' : ''}${inWords(facts).join(', ')}`;
  });
}

function chosen(seat: Seat, b: Ballot, version: number): void {
  seat.hear(1, { kind: 'chosen', scope: 's', ballot: b, version });
}

/** These voters hold this, flushed. @param more what of it is otherwise. */
function reported(
  seat: Seat,
  ask: number,
  from: readonly number[],
  b: Ballot,
  version: number,
  more = {},
): void {
  for (const voter of from) {
    seat.hear(voter, {
      kind: 'report',
      scope: 's',
      ask,
      promised: b,
      accepted: { ballot: b, version },
      flushed: true,
      overdue: [],
      dueMs: -1,
      ...more,
    });
  }
}

/** The numbers of the questions that were asked since the last call, in their order. */
function questions(seat: Seat): number[] {
  const asks = seat.said().flatMap((line) => /^ask (\d+)/.exec(line)?.[1] ?? []);
  return [...new Set(asks)].map(Number);
}

/** The number of the first of them, which is the watch's own. */
function asked(seat: Seat): number {
  const [first] = questions(seat);
  expect(first).toBeDefined();
  return first!;
}

/** Watches a scope in which (B1, 1) is chosen: alice reads. */
function watching(): Seat {
  const seat = seated();
  seat.accept('s', B1, 1, holding('a'));
  seat.flush();
  seat.voter.watch('s');
  seat.wait(0);
  reported(seat, asked(seat), [0, 1], B1, 1);
  expect(news(seat)).toEqual(['v1 begins with 1']);
  seat.said();
  return seat;
}

describe('a watch begins', () => {
  test('with what a majority holds, for which it asks at once', () => {
    const seat = seated();
    seat.accept('s', B1, 1, holding('a'));
    seat.flush();
    seat.said();
    seat.voter.watch('s');
    seat.wait(0);
    const ask = asked(seat);
    reported(seat, ask, [0], B1, 1);
    expect(news(seat)).toEqual([]);
    reported(seat, ask, [2], B1, 1);
    expect(news(seat)).toEqual(['v1 begins with 1']);
  });

  test('with nothing, where nobody ever touched the scope', () => {
    const seat = seated();
    seat.voter.watch('s');
    seat.wait(0);
    reported(seat, asked(seat), [0, 1], NO_BALLOT, 0);
    expect(news(seat)).toEqual(['v0 begins with 0']);
  });

  test('with no more than is chosen: what is only here comes later', () => {
    const seat = seated();
    seat.accept('s', B1, 1, holding('a'));
    seat.voter.watch('s');
    seat.change('s', B1, 2, [granted('b', 2)]);
    chosen(seat, B1, 1);
    expect(news(seat)).toEqual(['v1 begins with 1']);
    chosen(seat, B1, 2);
    expect(news(seat)).toEqual(['v2 granted b 2']);
  });

  test('and once more for whoever comes later', () => {
    const seat = watching();
    seat.voter.watch('s');
    expect(news(seat)).toEqual(['v1 begins with 1']);
    expect(seat.said()).toEqual([]);
  });

  test('not with what is not flushed, or is no majority, or answers another question', () => {
    const seat = seated();
    seat.accept('s', B1, 1, holding('a'));
    seat.voter.watch('s');
    seat.wait(0);
    const ask = asked(seat);
    reported(seat, ask, [0], B1, 1, { flushed: false });
    reported(seat, ask, [1], B1, 1);
    reported(seat, ask, [1], B1, 1);
    reported(seat, ask + 1, [2], B1, 1);
    expect(news(seat)).toEqual([]);
  });
});

describe('what is told', () => {
  test('a change, once it is chosen; the answers say that somebody watches', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    expect(news(seat)).toEqual([]);
    seat.flush();
    expect(seat.said()).toEqual(['accepted s #2, watching -> 1']);
    chosen(seat, B1, 2);
    expect(news(seat)).toEqual(['v2 granted b 2']);
    chosen(seat, B1, 2);
    expect(news(seat)).toEqual([]);
  });

  test('all changes up to the chosen one, in order, one by one', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    seat.change('s', B1, 3, [ended(id('a'), 'released'), granted('c', 3)]);
    seat.change('s', B1, 4, [ended(id('b'), 'released')]);
    chosen(seat, B1, 3);
    expect(news(seat)).toEqual(['v2 granted b 2', 'v3 released a 1, granted c 3']);
    chosen(seat, B1, 4);
    expect(news(seat)).toEqual(['v4 released b 2']);
  });

  test('what was chosen before it came, when it comes', () => {
    const seat = watching();
    chosen(seat, B1, 3);
    seat.change('s', B1, 2, [granted('b', 2)]);
    expect(news(seat)).toEqual(['v2 granted b 2']);
    seat.change('s', B1, 3, [granted('c', 3)]);
    expect(news(seat)).toEqual(['v3 granted c 3']);
    seat.change('s', B1, 4, [granted('d', 4)]);
    expect(news(seat)).toEqual([]);
  });

  test('a new ballot: the difference, without what it did not take over', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('lost', 2)]);
    seat.accept('s', B2, 2, holding('a', 'kept'));
    seat.change('s', B2, 3, [granted('c', 3)]);
    chosen(seat, B2, 3);
    expect(news(seat)).toEqual(['v2 compared: granted kept 2', 'v3 granted c 3']);
    chosen(seat, B1, 2);
    expect(news(seat)).toEqual([]);
  });

  test('a change of the ballot before, when it turns out that it was chosen', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    seat.accept('s', B2, 3, holding('a', 'b'));
    chosen(seat, B1, 2);
    expect(news(seat)).toEqual(['v2 granted b 2']);
    chosen(seat, B2, 3);
    expect(news(seat)).toEqual([]);
    seat.change('s', B2, 4, [granted('c', 3)]);
    chosen(seat, B2, 4);
    expect(news(seat)).toEqual(['v4 granted c 3']);
  });

  test('a gap that was filled by a whole state: the difference', () => {
    const seat = watching();
    seat.accept('s', B1, 4, holding('a', 'b', 'c'));
    chosen(seat, B1, 4);
    expect(news(seat)).toEqual(['v4 compared: granted b 2, granted c 3']);
  });

  test('too many changes that nobody confirms are told as a difference', () => {
    const seat = watching();
    for (let i = 0; i <= UNTOLD_MAX; i++) {
      const extended = {
        kind: 'extended',
        lockId: id('a'),
        leaseMs: i + 1,
        leaseId: `${i}` as never,
      } as const;
      seat.change('s', B1, 2 + i, [extended]);
    }
    chosen(seat, B1, 2 + UNTOLD_MAX);
    expect(news(seat)).toEqual([`v${2 + UNTOLD_MAX} compared: extended a 1`]);
  });
});

describe('making sure', () => {
  test('what nobody confirms is asked for after a while, and told if a majority has it', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    seat.flush();
    seat.said();
    seat.wait(SURE_MS - 1);
    expect(seat.said()).toEqual([]);
    seat.wait(1);
    const ask = asked(seat);
    reported(seat, ask, [0, 2], B1, 2);
    expect(news(seat)).toEqual(['v2 granted b 2']);
    seat.wait(SURE_EVERY_MS - 1);
    expect(seat.said()).toEqual([]);
  });

  test('if that does not help, the scope is read by a vote', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    seat.flush();
    seat.wait(SURE_MS);
    reported(seat, asked(seat), [1, 2], B1, 1);
    expect(news(seat)).toEqual([]);
    seat.wait(SURE_MS);
    // It asks like any other read first, then takes the lead.
    const [again, read] = questions(seat);
    reported(seat, again!, [0, 1, 2], B1, 1);
    expect(seat.said()).toEqual([]);
    reported(seat, read!, [0, 1, 2], B1, 1);
    expect(seat.said().map((line) => line.split(' ')[0])).toEqual(['prepare', 'prepare', 'prepare']);
  });

  test('where nothing happens it asks now and then, and finds what it never heard of', () => {
    const seat = watching();
    seat.wait(SURE_EVERY_MS);
    const ask = asked(seat);
    reported(seat, ask, [0], B1, 1);
    // A majority holds at least what it holds, but one of them holds more.
    reported(seat, ask, [1], B1, 3);
    seat.wait(SURE_MS);
    const again = asked(seat);
    expect(again).toBeGreaterThan(ask);
    reported(seat, again, [1, 2], B1, 3);
    expect(news(seat)).toEqual([]);
    seat.accept('s', B1, 3, holding('a', 'b', 'c'));
    expect(news(seat)).toEqual(['v3 compared: granted b 2, granted c 3']);
  });

  test('a leader that goes on telling is not asked', () => {
    const seat = watching();
    for (let version = 2; version < 40; version++) {
      seat.change('s', B1, version, [granted(`x${version}`, version)]);
      seat.flush();
      chosen(seat, B1, version);
      seat.said();
      seat.wait(SURE_MS / 2);
      expect(seat.said()).toEqual([]);
    }
    expect(news(seat).length).toBe(38);
  });

  test('an answer after the question is settled is no answer', () => {
    const seat = watching();
    seat.wait(SURE_EVERY_MS);
    const ask = asked(seat);
    reported(seat, ask, [0, 1, 2], B1, 1);
    expect([news(seat), seat.settlements()]).toEqual([[], []]);
  });
});

describe('nobody watches any more', () => {
  test('nothing is told, not even what was under way; nothing is asked', () => {
    const seat = watching();
    seat.change('s', B1, 2, [granted('b', 2)]);
    chosen(seat, B1, 2);
    seat.voter.unwatch('s');
    expect(news(seat)).toEqual([]);
    seat.flush();
    expect(seat.said()).toEqual(['accepted s #2, watching -> 1']);
    seat.change('s', B1, 3, [granted('c', 3)]);
    seat.flush();
    expect(seat.said()).toEqual(['accepted s #3 -> 1']);
    chosen(seat, B1, 3);
    seat.wait(10 * SURE_EVERY_MS);
    expect([news(seat), seat.said()]).toEqual([[], []]);
    seat.voter.unwatch('s');
    seat.voter.unwatch('never');
  });

  test('news of other scopes stay', () => {
    const seat = watching();
    seat.voter.watch('other');
    seat.change('s', B1, 2, [granted('b', 2)]);
    chosen(seat, B1, 2);
    seat.voter.unwatch('other');
    expect(news(seat)).toEqual(['v2 granted b 2']);
  });

  test('a scope that is watched stays in memory, and may leave it afterwards', () => {
    const seat = watching();
    seat.accept('s', B1, 2, EMPTY);
    seat.flush();
    expect(seat.voter.forgetFree()).toBe(0);
    seat.voter.unwatch('s');
    expect(seat.voter.forgetFree()).toBeGreaterThan(0);
  });
});
