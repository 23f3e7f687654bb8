/** What a round of the committing child writes: each round other scopes, and each scope again and again. */
import { LIMITS, type Limits } from '../../../src/store/store.ts';
import type { Toy } from './toy.ts';

/** Segments that are full after some ten rounds, and go to the shelf in several groups. */
export const ROUND_LIMITS: Limits = { ...LIMITS, segmentBytes: 24 * 1024, groupBytes: 2000 };

export function scopesOf(round: number): string[] {
  return Array.from({ length: 8 }, (_, n) => `orders/${(round * 7 + n * 5) % 40}`);
}

/** What a round adds to each of its scopes: enough for some bases to be replaced within a test. */
export const addedIn = (round: number): string => `${round},`.padEnd(150, '.');

/** What a scope begins with: enough for a base of its own. */
export const BEGINNING = '='.repeat(1100);

/** Every now and then a scope begins anew. */
export const beginsAnew = (round: number): boolean => round % 61 === 0;

export const isHeldAfter = (round: number): boolean => round % 2 === 0;

/** The register of each scope after that round, told by no more than the rules above. */
export function registersAfter(upTo: number): Map<string, Toy> {
  const registers = new Map<string, Toy>();
  for (let round = 1; round <= upTo; round++) {
    for (const scope of scopesOf(round)) {
      const before = beginsAnew(round) ? undefined : registers.get(scope);
      registers.set(scope, {
        text: (before?.text ?? BEGINNING) + addedIn(round),
        held: isHeldAfter(round),
      });
    }
  }
  return registers;
}
