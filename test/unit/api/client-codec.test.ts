import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { packFrame, unpackFrame } from '../../../src/api/client-codec.ts';
import { WireError } from '../../../src/lock/plain.ts';
import { PEER_FRAME_BYTES_MAX } from '../../../src/protocol/limits.ts';

const packr = new Packr({ useRecords: false });

function frames(messages: readonly unknown[]): Buffer[] {
  const sent: Buffer[] = [];
  packFrame(messages, (bytes) => sent.push(bytes));
  return sent;
}

test('what is small is one frame; what is large is split, in its order', () => {
  expect(frames([[1, 2], [3]])).toHaveLength(1);
  const large = Array.from({ length: 1_000 }, (_, i) => [4, i, { text: 'x'.repeat(1_000) }]);
  const sent = frames(large);
  expect(sent.length).toBeGreaterThan(1);
  expect(Math.max(...sent.map(({ length }) => length))).toBeLessThanOrEqual(PEER_FRAME_BYTES_MAX);
  expect(sent.flatMap((bytes) => unpackFrame(bytes))).toEqual(large);
});

test('one message may be larger', () => {
  expect(frames([['x'.repeat(2 * PEER_FRAME_BYTES_MAX)]])).toHaveLength(1);
});

describe('texts are UTF-8', () => {
  const frame = (text: Buffer, more = '') =>
    Buffer.concat([
      Buffer.from([0x92, 0x93, 0x06, 0x05, 0xa0 + text.length]),
      text,
      packr.pack([6, 6, more]),
    ]);

  test.each([
    ['Latin-1', Buffer.from('café', 'latin1')],
    ['half a letter', Buffer.from([0x61, 0xc3])],
    ['the second half', Buffer.from([0x61, 0xa9, 0x62])],
    ['no byte of UTF-8', Buffer.from([0xff])],
    ['a long é', Buffer.from([0xe0, 0x83, 0xa9])],
    ['half a pair', Buffer.from([0xed, 0xa0, 0xbd])],
  ])('%s is refused, in short frames and in long ones', (_, text) => {
    for (const more of ['', 'x'.repeat(300)]) {
      expect(() => unpackFrame(frame(text, more))).toThrow(/^frame: /);
    }
  });

  test('and whatever is, is taken', () => {
    const letters = fc.string({
      unit: fc.constantFrom('a', 'é', '語', '😀', '\ufffd', '\u00ff'),
      maxLength: 80,
    });
    const messages = fc.array(fc.array(letters, { maxLength: 4 }), { maxLength: 20 });
    fc.assert(
      fc.property(messages, (some) => {
        expect(unpackFrame(packr.pack(some))).toEqual(some);
      }),
    );
  });
});

test('numbers of 64 bits are numbers, as far as they are safe', () => {
  const long = Buffer.from([0x93, 0xd3, 0, 0, 0, 0, 0, 0, 0x75, 0x30, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 0xcb]);
  const frame = Buffer.concat([long, Buffer.from([0x40, 0xdd, 0x4c, 0, 0, 0, 0, 0])]);
  expect(unpackFrame(frame)).toEqual([30_000, 2 ** 32, 30_000]);
});

test('what one frame says of records does not reach the next', () => {
  const record = Buffer.from([0x91, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x05]);
  expect(unpackFrame(record)).toEqual([{ a: 5 }]);
  expect(unpackFrame(packr.pack([0x40, 0x41]))).toEqual([0x40, 0x41]);
});

test('a short frame claims no large memory', () => {
  for (const head of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
    const before = process.memoryUsage.rss();
    expect(() => unpackFrame(Buffer.from([head, 0x7f, 0xff, 0xff, 0xff, 1]))).toThrow(WireError);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  }
});

test('garbage is an array, or a WireError', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(fc.constantFrom(0x91, 0x81, 0xdc, 0xd4, 0x72, 0x40, 0xc7, 0xa1, 0x00, 0xff), { maxLength: 60 }),
    fc.nat(200_000).map((depth) => Buffer.alloc(depth, 0x91)),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      try {
        expect(Array.isArray(unpackFrame(Buffer.from(some)))).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
    { numRuns: 1_000 },
  );
});
