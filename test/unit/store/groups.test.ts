/** What one commit brings comes back from its group; other bytes are refused. */
import fc from 'fast-check';
import { pack } from 'msgpackr';
import { expect, test } from 'vitest';
import { packGroup, unpackGroup } from '../../../src/store/groups.ts';
import { GROUP_HEAD_BYTES } from '../../../src/store/segment.ts';
import { grown, type Toy, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

const registers = fc
  .dictionary(fc.string({ maxLength: 20 }), fc.tuple(fc.string({ maxLength: 300 }), fc.boolean()), {
    maxKeys: 30,
  })
  .map((all) => new Map(Object.entries(all).map(([scope, [text, held]]) => [scope, whole(text, held)])));
const smalls = fc
  .dictionary(fc.string({ maxLength: 8 }), fc.uint8Array({ maxLength: 50 }), { maxKeys: 3 })
  .map((all) => new Map(Object.entries(all).map(([name, value]) => [name, Buffer.from(value)])));

const NOTHING = () => undefined;

test('what was packed comes back', () => {
  fc.assert(
    fc.property(registers, smalls, fc.maxSafeNat(), (writes, records, horizon) => {
      const group = packGroup(toyCodec, writes, records, horizon, NOTHING);
      const content = unpackGroup(group.subarray(GROUP_HEAD_BYTES));
      expect(content.horizon).toBe(horizon);
      expect(new Map(content.smalls)).toEqual(records);
      const back = content.writes.map(([scope, plain]): [string, ToyWrite] => [
        scope,
        toyCodec.fromPlain(plain, undefined),
      ]);
      expect(new Map(back)).toEqual(writes);
    }),
  );
});

test('what is packed next touches no group before it, nor the room for its head', () => {
  const one = packGroup(toyCodec, new Map([['a', whole('x'.repeat(50))]]), new Map(), 7, NOTHING);
  one.fill(1, 0, GROUP_HEAD_BYTES);
  const before = Buffer.from(one);
  for (let n = 0; n < 500; n++) {
    const size = 50 + (n % 7) * 900;
    packGroup(toyCodec, new Map([['b', whole('y'.repeat(size))]]), new Map(), n, NOTHING).fill(
      2,
      0,
      GROUP_HEAD_BYTES,
    );
    pack(['z'.repeat(size)]);
  }
  expect(one.equals(before)).toBe(true);
});

test('a change goes as one only if it builds on what was written last', () => {
  const before = toy('before', true);
  const write = grown(before, '+');
  const plain = (newest: Toy | undefined) => {
    const group = packGroup(toyCodec, new Map([['a', write]]), new Map(), 0, () => newest);
    return unpackGroup(group.subarray(GROUP_HEAD_BYTES)).writes[0]![1];
  };
  expect(toyCodec.link(plain(before)).from).toBe(toyCodec.stamp(before));
  for (const newest of [toy('another past'), undefined]) {
    expect(toyCodec.link(plain(newest)).from).toBeNull();
    expect(toyCodec.fromPlain(plain(newest), undefined).toy).toEqual(write.toy);
  }
});

test.each([
  ['no array', 7],
  ['nothing', []],
  ['a horizon that is none', [-1, null]],
  ['small records that are none', [0, 'x']],
  ['a small record without bytes', [0, ['a', 'b']]],
  ['a scope without a write', [0, null, 'a']],
  ['a write without a scope', [0, null, 1, 2]],
])('%s is refused', (_, values) => {
  expect(() => unpackGroup(Buffer.from(pack(values)))).toThrow();
});
