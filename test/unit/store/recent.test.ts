/** What commits brought is merged, in their order. */
import { expect, test } from 'vitest';
import { Recent } from '../../../src/store/recent.ts';
import { grown, type ToyWrite, toy, toyCodec, whole } from './toy.ts';

const NO_SMALLS = new Map<string, Buffer>();

test('the newest write of each scope counts, and builds on what was there before the first', () => {
  const recent = new Recent<ToyWrite>(toyCodec, 5, 100);
  const was = toy('was');
  const one = grown(was, '+1');
  const two = grown(one.toy, '+2', true);
  recent.add(
    new Map([
      ['a', one],
      ['b', whole('b')],
    ]),
    NO_SMALLS,
    5,
  );
  recent.add(new Map([['a', two]]), NO_SMALLS, 9);
  expect(recent.writes.get('a')).toEqual({ toy: two.toy, added: { text: '+1+2', to: toyCodec.stamp(was) } });
  expect(recent.writes.get('b')).toEqual(whole('b'));
  expect([recent.horizon, recent.position]).toEqual([9, 102]);
});

test('a change of another past than what is there goes whole', () => {
  const recent = new Recent<ToyWrite>(toyCodec, 0, 0);
  const stray = grown(toy('another past'), '+');
  recent.put('a', grown(toy('was'), '+1'));
  recent.put('a', stray);
  expect(recent.writes.get('a')).toEqual(whole(stray.toy.text));
});

test('the newest of each small record counts', () => {
  const recent = new Recent<ToyWrite>(toyCodec, 0, 0);
  const none = new Map<string, ToyWrite>();
  recent.add(
    none,
    new Map([
      ['roster', Buffer.from('1')],
      ['seen', Buffer.from('2')],
    ]),
    0,
  );
  recent.add(none, new Map([['seen', Buffer.from('3')]]), 0);
  expect([...recent.smalls]).toEqual([
    ['roster', Buffer.from('1')],
    ['seen', Buffer.from('3')],
  ]);
});
