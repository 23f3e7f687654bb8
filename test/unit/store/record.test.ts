/** A frame gives back its payload, or says that it was damaged. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, unframe } from '../../../src/store/record.ts';

const payloads = fc.uint8Array({ maxLength: 300 });

test('what was framed comes back', () => {
  fc.assert(
    fc.property(fc.string(), payloads, (key, payload) => {
      expect(unframe(key, frame(key, payload))).toEqual(Buffer.from(payload));
    }),
  );
});

test('one changed bit anywhere is damage', () => {
  fc.assert(
    fc.property(fc.string(), payloads, fc.nat(), fc.nat(7), (key, payload, at, bit) => {
      const bytes = frame(key, payload);
      bytes[at % bytes.length]! ^= 1 << bit;
      expect(unframe(key, bytes)).toBeTypeOf('string');
    }),
  );
});

test('a cut frame is damage', () => {
  fc.assert(
    fc.property(fc.string(), payloads, fc.nat(), (key, payload, at) => {
      const bytes = frame(key, payload);
      expect(unframe(key, bytes.subarray(0, at % bytes.length))).toBeTypeOf('string');
    }),
  );
});

test('the same bytes under another key are damage', () => {
  expect(unframe('rb', frame('ra', Buffer.from('x')))).toBe('its checksum does not match');
});

test('a version of the future is named', () => {
  const bytes = frame('ra', Buffer.from('x'));
  bytes[0] = 9;
  expect(unframe('ra', bytes)).toBe('its version byte is 9, not 1');
});
