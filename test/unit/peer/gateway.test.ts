/**
 * The stages of gateway.ts: whom it asks and when, what it tells, and that it tells it once (the gate sees to that).
 */
import { describe, expect, test } from 'vitest';
import {
  acquire,
  BUSY,
  CANCELLED,
  extend,
  Gate,
  grant,
  granted,
  RELEASED,
  release,
  STATE,
  STATUS,
} from './gate.ts';

describe('act', () => {
  test.each([
    ['acquire', acquire('a'), granted('a'), 'acquire a -> 0', 'granted a 2/3'],
    ['release', release('a'), RELEASED, 'release a -> 0', 'released a 2/3'],
    [
      'extend',
      extend('a'),
      { kind: 'extended', grant: grant('a') } as const,
      'extend a -> 0',
      'extended a 2/3',
    ],
    ['status', STATUS, STATE, 'read -> 0', 'state  2/3'],
  ])('%s: the home is asked, and its answer told', (_, request, outcome, question, answer) => {
    const gate = new Gate();
    const id = gate.ask(request);
    expect(gate.asked()).toEqual([question]);
    expect([gate.told(id), gate.gateway.size]).toEqual([undefined, 1]);
    gate.decide(0, outcome);
    expect([gate.told(id), gate.gateway.size]).toEqual([answer, 0]);
    gate.decide(0, outcome); // a duplicate
    gate.wait(60_000);
    expect(gate.asked()).toEqual([]);
  });

  test('no answer for 400 ms: the next in line, round and round, until the client gives up', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'), 1_700);
    gate.wait(399);
    expect(gate.asked()).toEqual(['acquire a -> 0']);
    gate.wait(1);
    expect(gate.asked()).toEqual(['acquire a -> 1']);
    gate.wait(1_299);
    expect(gate.asked()).toEqual(['acquire a -> 2', 'acquire a -> 0', 'acquire a -> 1']);
    expect(gate.told(id)).toBeUndefined();
    gate.wait(1);
    expect(gate.told(id)).toBe('unknown without anybody');
    expect(gate.asked()).toEqual([]);
  });

  test('every copy of an acquire says which permit is wanted, or that none is', () => {
    const gate = new Gate();
    gate.ask(acquire('a', { mode: 'permit', permits: 3 }));
    gate.wait(400);
    gate.ask(acquire('b'));
    const wants = [0, 1, 2].map((i) => gate.copy(i).command);
    expect(wants).toMatchObject([
      { lockId: 'a', mode: 'permit', permits: 3 },
      { lockId: 'a', mode: 'permit', permits: 3 },
      { lockId: 'b', mode: 'write', permits: 0 },
    ]);
  });

  test('the answer to any copy will do, and later ones are not heard', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    gate.wait(800);
    gate.decide(1, granted('a'));
    expect(gate.told(id)).toBe('granted a 2/3');
    gate.decide(0, granted('a', true));
    gate.noQuorum(2);
  });

  test('a copy is given nine tenths of the time that is left', () => {
    const gate = new Gate();
    gate.ask(acquire('a'), 1_000);
    gate.wait(400);
    expect([gate.copy(0).waitMs, gate.copy(1).waitMs]).toEqual([900, 540]);
  });

  test('a peer that looks dead is passed over, and one that dies meanwhile is left at once', () => {
    const gate = new Gate(5);
    gate.dead.add(0);
    gate.ask(acquire('a'));
    gate.wait(100);
    gate.die(3);
    expect(gate.asked()).toEqual(['acquire a -> 1']);
    gate.die(1);
    expect(gate.asked()).toEqual(['acquire a -> 2']);
  });

  test('without a majority in sight it asks nobody, and says who is missing (M3)', () => {
    const gate = new Gate(4);
    gate.dead.add(1).add(3);
    const id = gate.ask(acquire('a'));
    expect([gate.asked(), gate.told(id)]).toEqual([[], 'no_quorum without 13']);
    gate.dead.delete(1);
    gate.ask(acquire('b'));
    expect(gate.asked()).toEqual(['acquire b -> 0']);
  });
});

describe('no quorum, or unknown (V10)', () => {
  test('"no quorum" is passed on once every copy said so, with all that were missing', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    gate.noQuorum(0, 0b100);
    gate.noQuorum(1, 0b010);
    expect(gate.asked()).toEqual(['acquire a -> 0', 'acquire a -> 1', 'acquire a -> 2']);
    expect(gate.told(id)).toBeUndefined();
    gate.noQuorum(2);
    expect(gate.told(id)).toBe('no_quorum without 12');
  });

  test.each([
    ['was silent', (gate: Gate) => gate.wait(400)],
    ['said "unknown"', (gate: Gate) => gate.unknown(0)],
  ])('one copy %s: it may yet happen', (_, first) => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'), 700);
    first(gate);
    gate.noQuorum(1);
    gate.noQuorum(2);
    expect(gate.asked()).toEqual(['acquire a -> 0', 'acquire a -> 1', 'acquire a -> 2']);
    gate.wait(700);
    expect(gate.told(id)).toMatch(/^unknown/);
  });

  test('"no quorum" twice from one peer does not speak for the other copy', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'), 1_000);
    gate.wait(800);
    for (const index of [0, 0, 0, 1]) gate.noQuorum(index);
    gate.wait(199);
    expect(gate.told(id)).toBeUndefined();
    gate.wait(1);
    expect(gate.told(id)).toMatch(/^unknown/);
  });

  test('a read cannot have happened', () => {
    const gate = new Gate();
    const ids = [gate.ask(STATUS, 1_000), gate.ask(release(null), 1_000)];
    gate.wait(1_000);
    expect(ids.map((id) => gate.told(id))).toEqual([
      'no_quorum without anybody',
      'no_quorum without anybody',
    ]);
  });
});

describe('cancel (L4)', () => {
  test('one copy of a fresh acquire: its refusal is told at once', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    gate.decide(0, BUSY);
    expect([gate.asked().length, gate.told(id)]).toEqual([1, 'busy a 2/3']);
  });

  const two = () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    gate.wait(400);
    gate.asked();
    return { gate, id };
  };

  test.each([
    ['busy', BUSY],
    ['already held', { kind: 'already_held', grant: grant('b') } as const],
    ['a misfit', { kind: 'misfit', permits: 3 } as const],
  ])('two copies: %s is told only after the cancel is chosen', (_, refusal) => {
    const { gate, id } = two();
    gate.decide(1, refusal);
    expect([gate.asked(), gate.told(id)]).toEqual([['cancel a -> 0'], undefined]);
    gate.decide(0, granted('a')); // the other copy: of a stage that is over, the cancel will tell
    expect(gate.told(id)).toBeUndefined();
    gate.decide(2, CANCELLED);
    expect(gate.told(id)).toBe(`${refusal.kind} a 2/3`);
  });

  test('one copy of what the client marks as a repeat: likewise', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a', { repeat: 1 }));
    gate.decide(0, BUSY);
    expect(gate.asked()).toEqual(['acquire a -> 0', 'cancel a -> 0']);
    gate.decide(1, CANCELLED);
    expect(gate.told(id)).toBe('busy a 2/3');
  });

  test('granted meanwhile by the other copy: the grant is told', () => {
    const { gate, id } = two();
    gate.decide(1, BUSY);
    gate.decide(2, granted('a', true));
    expect(gate.told(id)).toBe('granted again a 2/3');
  });

  test('granted and ended meanwhile: that is told', () => {
    const { gate, id } = two();
    gate.decide(1, BUSY);
    gate.decide(2, { kind: 'ended', ending: 'expired', token: 7 as never, note: null });
    expect(gate.told(id)).toBe('ended a 2/3');
  });

  test('granted, mismatch and ended need no cancel', () => {
    for (const outcome of [
      granted('a'),
      { kind: 'mismatch' },
      { kind: 'ended', ending: 'released', token: 7, note: null },
    ]) {
      const { gate, id } = two();
      gate.decide(1, outcome as never);
      expect([gate.asked(), gate.told(id)]).toEqual([[], `${outcome.kind} a 2/3`]);
    }
  });

  test('the cancel goes down the line too; without it, nothing is sure', () => {
    const { gate, id } = two();
    gate.decide(1, BUSY);
    gate.wait(400);
    expect(gate.asked()).toEqual(['cancel a -> 0', 'cancel a -> 1']);
    for (const index of [2, 3, 4]) gate.noQuorum(index);
    expect(gate.told(id)).toBe('unknown without anybody');
  });
});

describe('stale (L4)', () => {
  test('an acquire carries the count that was seen last; a stale one goes again, to the same peer', () => {
    const gate = new Gate();
    const id = gate.ask(acquire('a'));
    expect(gate.copy(0).command).toMatchObject({ seen: 0 });
    gate.decide(0, { kind: 'stale' }, { retirements: 200 });
    expect([gate.asked(), gate.told(id)]).toEqual([['acquire a -> 0', 'acquire a -> 0'], undefined]);
    expect(gate.copy(1).command).toMatchObject({ seen: 200 });
    gate.decide(1, granted('a'), { retirements: 200 });
    expect(gate.told(id)).toBe('granted a 2/3');
    gate.decide(gate.ask(acquire('b')), BUSY, { retirements: 150 }); // an older answer, come late
    gate.ask(acquire('c'));
    expect([gate.copy(2).command, gate.copy(3).command]).toMatchObject([{ seen: 200 }, { seen: 200 }]);
  });
});
