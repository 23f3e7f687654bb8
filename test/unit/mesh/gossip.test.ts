import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeGossip,
  encodeGossip,
  type Gossip,
  INCARNATION_MAX,
  type MemberState,
  RUMOURS_MAX,
  type Rumour,
} from '../../../src/mesh/gossip.ts';
import { isNews, type Member, rumourOf, unheard } from '../../../src/mesh/member.ts';
import { Rumours } from '../../../src/mesh/rumours.ts';

const state = fc.constantFrom<MemberState>('alive', 'suspect', 'dead', 'left');
const name = fc.string({ minLength: 1, maxLength: 64 });
const rumour: fc.Arbitrary<Rumour> = fc.record({
  name,
  address: fc.string({ maxLength: 200 }),
  state,
  incarnation: fc.integer({ min: 0, max: INCARNATION_MAX }),
});
const rumours = fc.array(rumour, { maxLength: 12 });
const seq = fc.nat();
const gossip: fc.Arbitrary<Gossip> = fc.oneof(
  fc.record({ kind: fc.constantFrom('ping' as const, 'ack' as const, 'nack' as const), seq, rumours }),
  fc.record({ kind: fc.constant('request' as const), seq, rumours, target: name }),
  fc.record({ kind: fc.constant('news' as const), seq: fc.constant(0 as const), rumours }),
);

describe('on the wire', () => {
  test('comes back as it went', () => {
    fc.assert(
      fc.property(gossip, (said) => {
        expect(decodeGossip(JSON.parse(JSON.stringify(encodeGossip(said))))).toEqual(said);
      }),
    );
  });

  test.each([
    ['gossip: is no array', { kind: 'ping' }],
    ['gossip: has 2 of 3 values', [0, 1]],
    ['gossip.kind: kind 5 is unknown', [5, 1, []]],
    ['gossip.kind: is no natural number', ['ping', 1, []]],
    ['gossip.seq: is no natural number', [0, -1, []]],
    ['gossip.rumours: is no array', [0, 1, 'p1']],
    ['gossip.rumours: has more than', [0, 1, Array.from({ length: RUMOURS_MAX + 1 }, () => ['p', '', 0, 1])]],
    ['gossip.target: is no text', [2, 1, []]],
    ['gossip.target: has 0 characters', [2, 1, [], '']],
    ['rumour: has 3 of 4 values', [0, 1, [['p1', '', 0]]]],
    ['rumour.name: has 65 characters', [0, 1, [['p'.repeat(65), '', 0, 1]]]],
    ['rumour.address: is no text', [0, 1, [['p1', null, 0, 1]]]],
    ['rumour.state: kind 4 is unknown', [0, 1, [['p1', '', 4, 1]]]],
    ['rumour.incarnation: is more than', [0, 1, [['p1', '', 0, INCARNATION_MAX + 1]]]],
  ])('refuses what does not fit: %s', (why, payload) => {
    expect(() => decodeGossip(payload)).toThrow(why);
  });

  test('takes longer arrays, of a later version', () => {
    const payload = [0, 7, [['p1', 'a:1', 1, 3, 'more']], 'more'];
    const heard = { name: 'p1', address: 'a:1', state: 'suspect', incarnation: 3 };
    expect(decodeGossip(payload)).toEqual({ kind: 'ping', seq: 7, rumours: [heard] });
  });

  test('garbage is refused or valid, never else', () => {
    fc.assert(
      fc.property(fc.anything(), (payload) => {
        try {
          encodeGossip(decodeGossip(payload));
        } catch (error) {
          expect((error as Error).name).toBe('WireError');
        }
      }),
    );
  });
});

describe('which rumour is news', () => {
  const about = fc.record({
    name: fc.constant('p1'),
    address: fc.constant(''),
    state,
    incarnation: fc.nat(3),
  });
  const hear = (member: Member, heard: Rumour) => {
    if (isNews(heard, member)) Object.assign(member, { state: heard.state, incarnation: heard.incarnation });
  };

  test('the order in which rumours come does not matter, and a record only climbs', () => {
    const several = fc.array(about, { minLength: 1 });
    const orders = several.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
    );
    fc.assert(
      fc.property(orders, ([first, second]) => {
        const [a, b] = [unheard('p1', '', true), unheard('p1', '', true)];
        for (const heard of first) {
          hear(a, heard);
          expect(isNews(heard, a)).toBe(false);
        }
        for (const heard of second) hear(b, heard);
        expect(rumourOf(a)).toEqual(rumourOf(b));
      }),
    );
  });

  test.each([
    ['a suspicion of the same incarnation', 'alive', 3, 'suspect', 3, true],
    ['an older suspicion', 'alive', 3, 'suspect', 2, false],
    ['a refutation', 'suspect', 3, 'alive', 4, true],
    ['an alive that refutes nothing', 'suspect', 3, 'alive', 3, false],
    ['a death', 'suspect', 3, 'dead', 3, true],
    ['a return', 'dead', 3, 'alive', 4, true],
    ['a farewell of one that is taken for dead', 'dead', 3, 'left', 3, true],
    ['a death of one that has left', 'left', 3, 'dead', 3, false],
  ] as const)('%s', (_, was, at, said, incarnation, news) => {
    const member = { ...unheard('p1', '', true), state: was, incarnation: at };
    expect(isNews({ name: 'p1', address: '', state: said, incarnation }, member)).toBe(news);
  });
});

describe('rumours that wait', () => {
  const about = (of: string, incarnation: number): Rumour => ({
    name: of,
    address: '',
    state: 'alive',
    incarnation,
  });

  test('each is told so often and no more, the least told and newest first', () => {
    const waiting = new Rumours();
    for (const of of ['a', 'b', 'c']) waiting.add(about(of, 1));
    const told = Array.from({ length: 5 }, () =>
      waiting
        .take(2, 3)
        .map((of) => of.name)
        .join(''),
    );
    expect(told).toEqual(['cb', 'ac', 'ba', 'cb', 'a']);
    expect(waiting.size).toBe(0);
    expect(waiting.take(2, 3)).toEqual([]);
  });

  test('a newer one about the same member takes its place, and starts anew', () => {
    const waiting = new Rumours();
    waiting.add(about('a', 1));
    waiting.take(1, 3);
    waiting.add(about('a', 2));
    expect(waiting.size).toBe(1);
    const told = Array.from({ length: 4 }, () => waiting.take(8, 3).map((of) => of.incarnation));
    expect(told).toEqual([[2], [2], [2], []]);
  });
});
