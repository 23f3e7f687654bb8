import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RETIRED_RING, Ring } from '../../../src/lock/ring.ts';
import type { FencingToken, LockId, Retired } from '../../../src/lock/state.ts';

function entry(lockId: string, token = 1): Retired {
  return { lockId: lockId as LockId, ending: 'released', token: token as FencingToken, note: null };
}

function grown(ring: Ring, { lockId, ending, token, note }: Retired): Ring {
  return ring.with(lockId, ending, token, note);
}

/** Rings, each beside the list that it stands for. */
type Kept = readonly [ring: Ring, list: readonly Retired[]];

describe('a ring', () => {
  test('is a list of the newest, whatever is appended to which of its pasts', () => {
    const steps = fc.array(fc.record({ of: fc.nat(), times: fc.integer({ min: 1, max: 90 }) }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(steps, (drawn) => {
        const kept: Kept[] = [[Ring.EMPTY, []]];
        let made = 0;
        for (const { of, times } of drawn) {
          let [ring, list] = kept[of % kept.length]!;
          for (let i = 0; i < times; i++) {
            const next = entry(`id-${made++}`, made);
            ring = grown(ring, next);
            list = [...list, next].slice(-RETIRED_RING);
            kept.push([ring, list]);
          }
        }
        for (const [ring, list] of kept) {
          expect(ring.length).toBe(list.length);
          expect([...ring]).toEqual(list);
        }
        const [ring, list] = kept.at(-1)!;
        for (let i = 0; i < made; i++) {
          const lockId = `id-${i}` as LockId;
          expect(ring.find(lockId)).toEqual(list.find((one) => one.lockId === lockId));
        }
      }),
      { numRuns: 100 },
    );
  });

  test('tells ids with the same end apart', () => {
    const ring = Ring.of([entry('a-0000'), entry('b-0000'), entry('0000')]);
    expect(ring.find('b-0000' as LockId)).toEqual(entry('b-0000'));
    expect(ring.find('c-0000' as LockId)).toBeUndefined();
    expect(ring.find('0' as LockId)).toBeUndefined();
  });

  test('gives its newest', () => {
    const ring = Ring.of(['a', 'b', 'c'].map((id) => entry(id)));
    expect(ring.newest(2).map(({ lockId }) => lockId)).toEqual(['b', 'c']);
    expect(ring.newest(0)).toEqual([]);
    expect(ring.newest(9).length).toBe(3);
  });
});
