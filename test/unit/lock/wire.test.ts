import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { scopeText, UnknownKindError, WireError } from '../../../src/lock/plain.ts';
import { join, NOBODY } from '../../../src/lock/queue.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { set } from '../../../src/lock/tree.ts';
import {
  grantFromWire,
  grantToWire,
  stateFromWire,
  stateToWire,
  waiterFromWire,
  waiterToWire,
} from '../../../src/lock/wire.ts';
import {
  commandFromWire,
  commandToWire,
  outcomeFromWire,
  outcomeToWire,
} from '../../../src/lock/wire-commands.ts';
import { eventFromWire, eventToWire } from '../../../src/lock/wire-events.ts';
import { sessionIdFromWire } from '../../../src/lock/wire-words.ts';
import { command, event, grant, lockState, outcome, scope, sessionId, waiter } from '../arbitraries.ts';
import { roundTrip } from '../wire-properties.ts';

roundTrip('waiter', waiter, waiterToWire, waiterFromWire);
roundTrip('grant', grant, grantToWire, grantFromWire);
roundTrip('state', lockState, stateToWire, stateFromWire);
roundTrip('event', event, eventToWire, eventFromWire);
roundTrip('command', command, commandToWire, commandFromWire);
roundTrip('outcome', outcome, outcomeToWire, outcomeFromWire);
roundTrip(
  'scope',
  scope,
  (text) => text,
  (u) => scopeText(u, 'scope'),
);

roundTrip(
  'session',
  sessionId,
  (id) => id,
  (u) => sessionIdFromWire(u, 'session'),
);

describe('what is refused names its field', () => {
  test.each([
    ['an empty text', '', /scope: has 0 characters/],
    ['513 characters', 'x'.repeat(513), /scope: has 513 characters/],
    ['257 letters of two bytes', 'é'.repeat(257), /scope: has 514 bytes, at most 512/],
    ['171 letters of three bytes', '語'.repeat(171), /scope: has 513 bytes/],
    ['129 letters of four bytes', '😀'.repeat(129), /scope: has 516 bytes/],
    ['a control character', 'a\nb', /scope: has a control character/],
    ['half a letter', 'a\ud83d', /scope: is not well-formed/],
    ['the other half', '\ude00a', /scope: is not well-formed/],
    ['a number', 7, /scope: is no text/],
    ['the prefix of sessions alone', '\u0001', /scope: has a control character/],
    ['the prefix of sessions twice', '\u0001\u0001a', /scope: has a control character/],
    ['the prefix of sessions at the end', 'a\u0001', /scope: has a control character/],
    ['a session with a control character', '\u0001a\nb', /scope: has a control character/],
    ['a session with half a letter', '\u0001\ude00', /scope: is not well-formed/],
    ['another control character in front', '\u0002a', /scope: has a control character/],
    ['a session of 514 bytes', `\u0001${'é'.repeat(256)}a`, /scope: has 514 bytes/],
  ])('scope: %s', (_, value, why) => {
    expect(() => scopeText(value, 'scope')).toThrow(why);
  });

  test.each([
    ['', /session: has 0 characters/],
    ['x'.repeat(129), /session: has 129 characters/],
    ['a\u0001', /session: has a control character/],
    ['\u0001a', /session: has a control character/],
    ['\ud83d', /session: is not well-formed/],
  ])('session %j', (value, why) => {
    expect(() => sessionIdFromWire(value, 'session')).toThrow(why);
  });

  /** A state of one who reads (x), one who waits (w, arrival 3), one who is kept a place (k, 2), two of the ring. */
  const reader = ['x', '', true, 1, 1, 5, 0, 0, 'l', 0, null, null, 0, null];
  const second = ['y', ...reader.slice(1)];
  const unclaimed = (arrival: number) => [...reader.slice(0, 13), [0, 0, 'g', 0, 0, arrival]];
  const place = (id: string, arrival: number) => [
    id,
    '',
    true,
    0,
    1,
    0,
    0,
    'g',
    0,
    0,
    arrival,
    null,
    null,
    0,
  ];
  const valid = [
    [5, 2, [reader], 'a,b', [0, 4], [1, 1]],
    [[1, 'why'], 9, [place('w', 3)], [9, 4, 4], [place('k', 2)], ['x', 'g']],
  ].flat();
  const but = (changes: Record<number, unknown>) =>
    valid.map((value, i) => (i in changes ? changes[i] : value));
  const [TOKEN, RETIREMENTS, HOLDERS, IDS, ENDINGS, TOKENS] = [0, 1, 2, 3, 4, 5];
  const [NOTES, ARRIVALS, QUEUE, PASSED, KEPT, UPGRADE] = [6, 7, 8, 9, 10, 11];

  test('state: that one is taken', () => {
    expect(stateToWire(stateFromWire(valid))).toEqual(valid);
    expect(stateFromWire(but({ [QUEUE]: [], [PASSED]: [] })).queue).toBe(NOBODY);
  });

  test.each<[string, Record<number, unknown>, string]>([
    ['a holder with a newer token than the scope', { [TOKEN]: 4 }, 'token'],
    [
      'a writer beside another',
      { [HOLDERS]: [reader, [...second.slice(0, 3), 0, ...second.slice(4)]] },
      'holders',
    ],
    ['a lock id that holds twice', { [HOLDERS]: [reader, reader] }, 'queue'],
    ['a lock id that holds and waits', { [QUEUE]: [place('x', 3)] }, 'queue'],
    ['a lock id that waits twice', { [QUEUE]: [place('w', 3), place('w', 4)] }, 'queue'],
    ['a lock id that waits and is kept', { [KEPT]: [place('w', 2)] }, 'queue'],
    ['an arrival that is there twice', { [KEPT]: [place('k', 3)] }, 'arrivals'],
    ['an arrival of an unclaimed one that waits too', { [HOLDERS]: [unclaimed(3)] }, 'arrivals'],
    ['an arrival beyond all', { [ARRIVALS]: 2 }, 'arrivals'],
    ['who passed beyond all', { [PASSED]: [10] }, 'passed'],
    ['who passed out of order', { [PASSED]: [4, 5] }, 'passed'],
    ['too many who passed', { [PASSED]: Array(33).fill(9) }, 'passed'],
    ['who passed nobody', { [QUEUE]: [] }, 'passed'],
    ['an upgrade of a stranger', { [UPGRADE]: ['y', 'g'] }, 'upgrade'],
    ['an upgrade of a writer', { [HOLDERS]: [[...reader.slice(0, 3), 0, ...reader.slice(4)]] }, 'upgrade'],
    ['more retired than there were retirements', { [RETIREMENTS]: 1 }, 'endings'],
    ['fewer ids than endings', { [IDS]: 'a' }, 'ids'],
    ['an id too many, by a comma inside', { [IDS]: 'a,b,c' }, 'ids'],
    ['an empty id', { [IDS]: 'a,' }, 'ids'],
    ['fewer tokens than endings', { [TOKENS]: [1] }, 'endings'],
    ['a note without a text', { [NOTES]: [1] }, 'notes'],
    ['a note of nobody', { [NOTES]: [2, 'why'] }, 'notes'],
    ['notes out of order', { [NOTES]: [1, 'why', 0, 'why'] }, 'notes'],
    [
      'a ring that is too long',
      {
        [RETIREMENTS]: 65,
        [IDS]: Array(65).fill('a').join(),
        [ENDINGS]: Array(65).fill(0),
        [TOKENS]: Array(65).fill(0),
      },
      'endings',
    ],
    ['more who wait than any version admits', { [ARRIVALS]: 50_000, [QUEUE]: crowd(40_000) }, 'queue'],
  ])('state: %s', (_, changes, field) => {
    expect(() => stateFromWire(but(changes))).toThrow(WireError);
    expect(() => stateFromWire(but(changes))).toThrow(new RegExp(`^state\\.${field}: `));
  });

  /** One of a semaphore's permits, and a place in its queue; both as far as a lock goes, and then their own values. */
  const permit = (id: string, ...its: unknown[]) => [id, '', true, 2, ...reader.slice(4), ...its];
  const waits = (id: string, arrival: number, ...its: unknown[]) => {
    const lock = place(id, arrival);
    return [...lock.slice(0, 3), 2, ...lock.slice(4), ...its];
  };
  const semaphore = (changes: Record<number, unknown>) =>
    stateFromWire(but({ [HOLDERS]: [], [QUEUE]: [], [PASSED]: [], [KEPT]: [], [UPGRADE]: null, ...changes }));

  test('state: a semaphore is taken', () => {
    const its = {
      [HOLDERS]: [permit('x', 3, 2), permit('y', 3, 0)],
      [QUEUE]: [waits('w', 3, 3)],
      [KEPT]: [waits('k', 2, 3)],
    };
    const state = semaphore(its);
    expect(state.holders).toMatchObject([
      { mode: 'permit', permits: 3, slot: 2 },
      { mode: 'permit', permits: 3, slot: 0 },
    ]);
    const wire = stateToWire(state)!;
    expect([wire[HOLDERS], wire[QUEUE], wire[KEPT]]).toEqual([its[HOLDERS], its[QUEUE], its[KEPT]]);
  });

  test.each<[string, Record<number, unknown>, RegExp]>([
    ['a permit of none', { [HOLDERS]: [permit('x')] }, /^grant\.permits: /],
    ['a permit of 0', { [HOLDERS]: [permit('x', 0, 0)] }, /^grant\.permits: are none/],
    ['a permit of 1,025', { [HOLDERS]: [permit('x', 1_025, 0)] }, /^grant\.permits: is more than 1024/],
    ['a permit of half', { [HOLDERS]: [permit('x', 1.5, 0)] }, /^grant\.permits: /],
    ['a permit without a slot', { [HOLDERS]: [permit('x', 3)] }, /^grant\.slot: /],
    ['a slot beyond the permits', { [HOLDERS]: [permit('x', 3, 3)] }, /^grant\.slot: is more than 2/],
    ['a slot that is held twice', { [HOLDERS]: [permit('x', 3, 1), permit('y', 3, 1)] }, /^state\.holders: /],
    ['a mode of tomorrow', { [HOLDERS]: [[...reader.slice(0, 3), 3, ...reader.slice(4)]] }, /^grant\.mode: /],
    ['who waits for none', { [QUEUE]: [waits('w', 3)] }, /^waiter\.permits: /],
    ['who waits for one of 0', { [QUEUE]: [waits('w', 3, 0)] }, /^waiter\.permits: are none/],
    [
      'who waits for one of 1,025',
      { [QUEUE]: [waits('w', 3, 1_025)] },
      /^waiter\.permits: is more than 1024/,
    ],
    ['holders of two semaphores', { [HOLDERS]: [permit('x', 3, 0), permit('y', 2, 1)] }, /^state\.permits: /],
    ['a permit beside a reader', { [HOLDERS]: [reader, permit('y', 3, 1)] }, /^state\.permits: /],
    [
      'who waits for another semaphore',
      { [HOLDERS]: [permit('x', 3, 0)], [QUEUE]: [waits('w', 3, 2)] },
      /^state\.permits: /,
    ],
    [
      'who waits for a lock',
      { [HOLDERS]: [permit('x', 3, 0)], [QUEUE]: [place('w', 3)] },
      /^state\.permits: /,
    ],
    [
      'who is kept a place at another semaphore',
      { [QUEUE]: [waits('w', 3, 3)], [KEPT]: [waits('k', 2, 4)] },
      /^state\.permits: /,
    ],
    ['places of two semaphores', { [KEPT]: [waits('k', 2, 4), waits('l', 1, 5)] }, /^state\.permits: /],
    [
      'an upgrade of a permit',
      { [HOLDERS]: [permit('x', 3, 0)], [UPGRADE]: ['x', 'g'] },
      /^state\.upgrade: /,
    ],
  ])('semaphore: %s', (_, changes, why) => {
    expect(() => semaphore(changes)).toThrow(WireError);
    expect(() => semaphore(changes)).toThrow(why);
  });

  test('semaphore: no other array has a permit of none, or of too many', () => {
    const slot = (slot: unknown) => eventFromWire([2, 'x', 7, 'l', 'g', 0, slot]);
    expect(slot(1_023)).toMatchObject({ kind: 'promoted', slot: 1_023 });
    expect(() => slot(1_024)).toThrow(/^promoted\.slot: /);
    const acquire = (...its: unknown[]) => commandFromWire([...acquireOf(2), ...its]);
    expect(acquire(1_024)).toMatchObject({ mode: 'permit', permits: 1_024 });
    for (const permits of [undefined, 0, 1_025, '3'])
      expect(() => acquire(permits)).toThrow(/^acquire\.permits: /);
    expect(() => outcomeFromWire([21, 1_025])).toThrow(/^misfit\.permits: /);
  });

  test('arrays from before there were semaphores are of locks', () => {
    expect(grantFromWire(reader)).toMatchObject({ mode: 'read', permits: 0, slot: 0 });
    expect(grantFromWire(unclaimed(3)).unclaimed).toMatchObject({ mode: 'read', permits: 0 });
    expect(waiterFromWire(place('w', 3))).toMatchObject({ mode: 'write', permits: 0 });
    expect(commandFromWire(acquireOf(0))).toMatchObject({ kind: 'acquire', mode: 'write', permits: 0 });
    expect(eventFromWire([2, 'x', 7, 'l', 'g', 0])).toMatchObject({ kind: 'promoted', slot: 0 });
    expect(grantToWire(grantFromWire(reader))).toEqual(reader);
    expect(waiterToWire(waiterFromWire(place('w', 3)))).toEqual(place('w', 3));
    expect(commandToWire(commandFromWire(acquireOf(0)))).toEqual(acquireOf(0));
  });

  /** An acquire in this mode, as it was before there were semaphores. */
  function acquireOf(mode: number): unknown[] {
    return [0, 'x', '', true, mode, 1, 0, true, 0, 'g', 0, 0, 0, null, null, 0, false];
  }

  function crowd(size: number): unknown[] {
    return Array.from({ length: size }, (_, i) => place(`w${i}`, i + 3));
  }

  test('event: no lock becomes a permit', () => {
    const converted = (mode: number) => eventFromWire([5, 'x', mode, 7, null]);
    expect(converted(1)).toMatchObject({ kind: 'converted', mode: 'read' });
    expect(() => converted(2)).toThrow(/^converted\.mode: /);
  });

  test('a kind of tomorrow is told apart from garbage', () => {
    expect(() => eventFromWire([99, 'x'])).toThrow(UnknownKindError);
    expect(() => commandFromWire([99])).toThrow(UnknownKindError);
    expect(() => outcomeFromWire([99])).toThrow(UnknownKindError);
    expect(() => commandFromWire([-1])).not.toThrow(UnknownKindError);
  });
});

test('an untouched scope costs one byte, and is the one that everybody shares', () => {
  expect(stateToWire(EMPTY)).toBeNull();
  expect(stateFromWire(null)).toBe(EMPTY);
});

test('equal states give equal arrays, however they came about', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(waiter, { selector: ({ lockId }) => lockId }),
      fc.func(fc.nat()),
      (drawn, mix) => {
        const all = drawn.map((one, i) => ({ ...one, arrival: i + 1 }));
        const mixed = [...all].sort((a, b) => mix(a.arrival) - mix(b.arrival));
        const [one, other] = [all, mixed].map((waiters): LockState => {
          const parked = waiters.reduce<LockState['parked']>(
            (tree, kept) => set(tree, kept.lockId, kept),
            undefined,
          );
          return { ...EMPTY, queue: waiters.reduce(join, NOBODY), parked };
        });
        expect(stateToWire(other!)).toEqual(stateToWire(one!));
      },
    ),
  );
});
