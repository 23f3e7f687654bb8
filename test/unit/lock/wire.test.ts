import { describe, expect, test } from 'vitest';
import { scopeText, UnknownKindError, WireError } from '../../../src/lock/plain.ts';
import { EMPTY } from '../../../src/lock/state.ts';
import {
  commandFromWire,
  commandToWire,
  eventFromWire,
  eventToWire,
  grantFromWire,
  grantToWire,
  outcomeFromWire,
  outcomeToWire,
  stateFromWire,
  stateToWire,
} from '../../../src/lock/wire.ts';
import { command, event, grant, lockState, outcome, scope } from '../arbitraries.ts';
import { roundTrip } from '../wire-properties.ts';

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
  ])('scope: %s', (_, value, why) => {
    expect(() => scopeText(value, 'scope')).toThrow(why);
  });

  test.each([
    ['a holder with a newer token than the scope', [1, 0, [['x', '', true, 0, 2, 0, 'l', 0]], '', [], []]],
    ['more retired than there were retirements', [1, 1, [], 'a,b', [0, 0], [1, 1]]],
    ['fewer ids than endings', [1, 2, [], 'a', [0, 0], [1, 1]]],
    ['an id too many, by a comma inside', [1, 2, [], 'a,b,c', [0, 0], [1, 1]]],
    ['an empty id', [1, 2, [], 'a,', [0, 0], [1, 1]]],
    ['fewer tokens than endings', [1, 2, [], 'a,b', [0, 0], [1]]],
    [
      'a ring that is too long',
      [1, 65, [], Array(65).fill('a').join(), Array(65).fill(0), Array(65).fill(0)],
    ],
  ])('state: %s', (_, value) => {
    expect(() => stateFromWire(value)).toThrow(WireError);
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
