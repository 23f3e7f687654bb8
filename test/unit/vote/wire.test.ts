import { expect, test } from 'vitest';
import { list, UnknownKindError } from '../../../src/lock/plain.ts';
import { EMPTY } from '../../../src/lock/state.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import type { Accept } from '../../../src/vote/messages.ts';
import { registerFromWire, registerToWire, voteFromWire, voteToWire } from '../../../src/vote/wire.ts';
import { register, voteMessage } from '../arbitraries.ts';
import { roundTrip } from '../wire-properties.ts';

roundTrip('register', register, registerToWire, registerFromWire);
roundTrip('vote message', voteMessage, voteToWire, (u) => voteFromWire(list(u, 1, 'message')));

test('an accept of the empty state is no probe', () => {
  const accept: Accept = {
    kind: 'accept',
    scope: 'a',
    ballot: NO_BALLOT,
    version: 1,
    seq: 1,
    events: null,
    state: EMPTY,
  };
  expect(voteFromWire(voteToWire(accept))).toEqual(accept);
  expect(voteFromWire(voteToWire({ ...accept, state: null }))).toEqual({ ...accept, state: null });
});

test('a kind of tomorrow is told apart from garbage', () => {
  expect(() => voteFromWire([63, 'a'])).toThrow(UnknownKindError);
  expect(() => voteFromWire([0, ''])).not.toThrow(UnknownKindError);
});
