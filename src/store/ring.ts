/**
 * One small record per group that goes to the library, in the group itself: slot (number mod size) holds the number.
 * Always true: of the newest `size` groups, none is missing. The library under us replays its log on opening and
 * leaves out, without a word, what fails its checksum; votes lost so would be forgotten, and show as a gap here. A
 * loss at the very end sets the shelf's position back, and the vote log shows that, if it has gone on since.
 * Two of the library's logs of 4 MiB hold fewer than 32768 groups of 256 bytes, and no group is smaller: the record
 * makes up for what its group lacks. In format 2 each commit was such a group, so the numbers go on from there.
 */

import type { Engine, Group } from './engine.ts';
import { damaged } from './errors.ts';

export const RING_SIZE = 32_768;
/** Keys and values of one group weigh at least that; the library adds a few bytes for each. */
export const GROUP_BYTES = 256;
const NUMBER_BYTES = 8;
const PREFIX = 'p';

/** To be called last in the group. */
export function noteGroup(group: Group, number: number): void {
  const key = PREFIX + (number % RING_SIZE).toString(36);
  const value = Buffer.alloc(Math.max(NUMBER_BYTES, GROUP_BYTES - group.bytes - key.length));
  value.writeDoubleLE(number);
  group.put(key, value);
}

/** The number of the last group; 0 for a new store. */
export async function lastGroup(engine: Engine): Promise<number> {
  const seen = new Set<number>();
  let last = 0;
  for await (const entries of engine.scan(PREFIX)) {
    for (const [key, value] of entries) {
      const number = value.length >= NUMBER_BYTES ? value.readDoubleLE() : Number.NaN;
      if (key !== PREFIX + (number % RING_SIZE).toString(36))
        throw damaged(engine.dir, `record ${key} is no number of a group`);
      seen.add(number);
      if (number > last) last = number;
    }
  }
  for (let number = Math.max(1, last - RING_SIZE + 1); number <= last; number++) {
    if (!seen.has(number)) throw damaged(engine.dir, `group ${number} of ${last} is missing`);
  }
  return last;
}
