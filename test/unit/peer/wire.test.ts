import { expect, test } from 'vitest';
import { type UnknownKindError, WireError } from '../../../src/lock/plain.ts';
import type { Frame } from '../../../src/peer/messages.ts';
import {
  FRAME_VERSION,
  frameFromWire,
  frameToWire,
  headFromWire,
  messageFromWire,
  messageToWire,
} from '../../../src/peer/wire.ts';
import { frame, message } from '../arbitraries.ts';
import { roundTrip } from '../wire-properties.ts';

roundTrip('message', message, messageToWire, messageFromWire);
roundTrip('frame', frame, frameToWire, frameFromWire);

const plain: Frame = { mesh: 'm', epoch: 3, messages: [{ kind: 'ask', scope: 'a', ask: 1 }] };

test('the head is read without the rest', () => {
  expect(headFromWire(frameToWire(plain))).toEqual({ mesh: 'm', epoch: 3, kind: 0 });
  expect(headFromWire([FRAME_VERSION, 'm', 3, 7, 'what a link says'])).toEqual({
    mesh: 'm',
    epoch: 3,
    kind: 7,
  });
});

test('a frame of another format version is refused', () => {
  expect(() => frameFromWire([FRAME_VERSION + 1, 'm', 3, 0, []])).toThrow(/frame\.version: is 2/);
});

test('a message of tomorrow is left out, and the others are taken', () => {
  const wire = frameToWire(plain);
  const mixed = [[40, 'a', 1], ...(wire[4] as unknown[]), [99, 'new'], [64, 1, 'a', [77], 5]];
  const skipped: UnknownKindError[] = [];
  expect(frameFromWire([...wire.slice(0, 4), mixed], (why) => skipped.push(why))).toEqual(plain);
  expect(skipped.map((why) => why.field)).toEqual(['kind', 'message.kind', 'command.kind']);
});

test('one bad message refuses the frame', () => {
  const wire = frameToWire(plain);
  expect(() => frameFromWire([...wire.slice(0, 4), [[6, 'a', -1]]])).toThrow(WireError);
});
