import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Crossing, rowOfCrossing, survivor } from '../../../src/mesh/crossing.ts';

describe('the table', () => {
  test.each<[string, Crossing, Crossing, boolean, 'old' | 'fresh']>([
    ['A', { dialed: true, lost: 0 }, { dialed: false, lost: 1 }, true, 'fresh'],
    ['A', { dialed: true, lost: 0 }, { dialed: true, lost: 1 }, true, 'fresh'],
    ['B', { dialed: true, lost: 1 }, { dialed: false, lost: 1 }, true, 'old'],
    ['B', { dialed: true, lost: 1 }, { dialed: false, lost: 1 }, false, 'fresh'],
    ['B', { dialed: false, lost: 1 }, { dialed: true, lost: 1 }, true, 'fresh'],
    ['B', { dialed: false, lost: 1 }, { dialed: true, lost: 1 }, false, 'old'],
    ['C', { dialed: true, lost: 1 }, { dialed: true, lost: 1 }, true, 'old'],
    ['C', { dialed: false, lost: 2 }, { dialed: false, lost: 1 }, false, 'old'],
  ])('row %s', (row, old, fresh, lower, stays) => {
    expect(rowOfCrossing(old, fresh)).toBe(row);
    expect(survivor(old, fresh, lower)).toBe(stays);
  });
});

test('links that cross: both sides keep the same one, in whichever order they see the two', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.boolean(),
      fc.nat(3),
      fc.nat(3),
      (lowFirst, highFirst, lowLost, highLost) => {
        // Link x was dialed by the side with the lower identity, link y by the other.
        const low = { x: { dialed: true, lost: highLost }, y: { dialed: false, lost: highLost } };
        const high = { x: { dialed: false, lost: lowLost }, y: { dialed: true, lost: lowLost } };
        const keeps = (side: typeof low, xFirst: boolean, lower: boolean) => {
          const stays = xFirst ? survivor(side.x, side.y, lower) : survivor(side.y, side.x, lower);
          return (stays === 'old') === xFirst ? 'x' : 'y';
        };
        expect(keeps(low, lowFirst, true)).toBe('x');
        expect(keeps(high, highFirst, false)).toBe('x');
      },
    ),
  );
});
