import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError } from '../../../src/lock/plain.ts';
import { pack, unpack } from '../../../src/mesh/codec.ts';
import { type Control, controlFromWire, controlToWire, type Hello } from '../../../src/mesh/control.ts';
import { seenFromMeta, seenToMeta, storedFromMeta, storedToMeta } from '../../../src/mesh/memory.ts';
import type { Stored } from '../../../src/peer/formation.ts';
import type { Roster } from '../../../src/peer/roster.ts';
import type { SavedSeen } from '../../../src/peer/standing.ts';
import { headFromWire } from '../../../src/peer/wire.ts';
import { roundTrip } from '../wire-properties.ts';

const natural = fc.maxSafeNat();
const name = fc.constantFrom('a', 'p1', 'p2', 'zürich', 'a peer');
const names = fc.uniqueArray(name, { minLength: 1, maxLength: 5 }).map((some) => some.sort());
const identity = fc.constantFrom('0123456789abcdef', 'fedcba9876543210');
const roster: fc.Arbitrary<Roster> = fc
  .tuple(natural, names, identity)
  .map(([epoch, some, id]) => ({ epoch, voters: some.map((voter) => ({ name: voter, identity: id })) }));
const hello: fc.Arbitrary<Hello> = fc
  .record({
    name,
    identity,
    observer: fc.boolean(),
    configured: names,
    mesh: fc.option(fc.constant('0123456789abcdef0123456789abcdef')),
    roster: fc.option(roster),
    boot: natural,
    position: natural,
    address: fc.constantFrom('', '127.0.0.1:20194', '[::1]:20194'),
    incarnation: natural,
    lost: natural,
  })
  .map((drawn) => (drawn.mesh === null ? { ...drawn, roster: null } : drawn));
const control: fc.Arbitrary<Control> = fc.oneof(
  fc.record({ kind: fc.constant('hello' as const), hello }),
  fc.record({ kind: fc.constant('ping' as const), seq: natural, position: natural }),
  fc.record({ kind: fc.constant('pong' as const), seq: natural }),
  fc.record({ kind: fc.constant('question' as const), question: natural }),
  fc.record({ kind: fc.constant('answer' as const), question: natural, position: natural }),
  fc.record({
    kind: fc.constant('refusal' as const),
    refusal: fc.record({
      name,
      epoch: natural,
      reason: fc.constantFrom('identity' as const, 'behind' as const, 'twin' as const, 'stranger' as const),
      text: fc.constant('p1 does not vote'),
      mend: fc.constant('quorate roster replace p1'),
    }),
  }),
  fc.record({ kind: fc.constant('gossip' as const), payload: fc.constantFrom<unknown>(null, [0, 1, 'x']) }),
);

const decode = (u: unknown): Control => {
  const { kind } = headFromWire(u);
  const found = controlFromWire(kind, u as unknown[]);
  if (found === undefined) throw new WireError('kind', 'is of tomorrow');
  return found;
};

roundTrip('control', control, (value) => controlToWire('mesh', 7, value), decode);

test('the head says for which mesh and epoch', () => {
  fc.assert(
    fc.property(control, (value) => {
      expect(headFromWire(controlToWire('mesh', 7, value))).toMatchObject({ mesh: 'mesh', epoch: 7 });
    }),
  );
});

test('a kind of tomorrow is ignored', () => {
  expect(controlFromWire(99, [1, '', 0, 99, 'new'])).toBeUndefined();
});

describe('a hello is refused', () => {
  const good: Hello = {
    name: 'p1',
    identity: '0123456789abcdef',
    observer: false,
    configured: ['p1', 'p2'],
    mesh: 'm',
    roster: null,
    boot: 1,
    position: 0,
    address: '',
    incarnation: 1,
    lost: 0,
  };
  test.each<[string, Partial<Hello>, RegExp]>([
    ['without a name', { name: '' }, /hello\.name/],
    ['with a line break in its name', { name: 'p1\np2' }, /hello\.name: has a control character/],
    ['with a name that is too long', { name: 'x'.repeat(65) }, /hello\.name/],
    ['with names out of order', { configured: ['p2', 'p1'] }, /hello\.configured: is not sorted/],
    ['with a name twice', { configured: ['p1', 'p1'] }, /hello\.configured: is not sorted/],
    ['with too many names', { configured: Array.from({ length: 32 }, (_, i) => `p${100 + i}`) }, /has 32/],
    ['with a roster of nobody', { roster: { epoch: 1, voters: [] } }, /roster/],
    ['with a roster but no mesh', { mesh: null, roster: { epoch: 1, voters: [] } }, /roster/],
    ['with a boot that is no number', { boot: -1 }, /hello\.boot/],
  ])('%s', (_, wrong, why) => {
    const wire = controlToWire('', 0, { kind: 'hello', hello: { ...good, ...wrong } });
    expect(() => decode(wire)).toThrow(why);
    expect(() => decode(wire)).toThrow(WireError);
  });
});

describe('what is kept on disk', () => {
  const stored: fc.Arbitrary<Stored> = fc.oneof(
    fc.constant<Stored>({ kind: 'nothing' }),
    fc.record({
      kind: fc.constantFrom('stored' as const, 'counted' as const),
      mesh: fc.constant('m'),
      roster,
    }),
  );
  const seen: fc.Arbitrary<SavedSeen[]> = fc.array(
    fc.record({
      name,
      identity,
      boot: natural,
      position: natural,
      refused: fc.constantFrom(null, 'identity' as const, 'behind' as const, 'twin' as const),
    }),
  );
  test('comes back as it was', () => {
    fc.assert(
      fc.property(stored, seen, (one, all) => {
        expect(storedFromMeta(storedToMeta(one))).toEqual(one);
        expect(seenFromMeta(seenToMeta(all))).toEqual(all);
      }),
    );
  });
  test('is nothing on a new disk', () => {
    expect(storedFromMeta(undefined)).toEqual({ kind: 'nothing' });
    expect(seenFromMeta(undefined)).toEqual([]);
  });
  test('is an error that stops the peer if it cannot be read', () => {
    expect(() => storedFromMeta([2, 'm', [1, ['a'], ['b']]])).toThrow(/stored roster\.kind/);
    expect(() => seenFromMeta([['p1']])).toThrow(/seen/);
  });
});

test('bytes that are no msgpack are a WireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        unpack(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a record in one frame does not change how the next is read', () => {
  const numbers = pack(Array.from({ length: 128 }, (_, i) => i));
  const record = Uint8Array.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x07]);
  try {
    unpack(record);
  } catch {}
  expect(unpack(numbers)).toEqual(Array.from({ length: 128 }, (_, i) => i));
});
