/**
 * One small record per commit, written in the commit itself: slot (position mod size) holds the position.
 * Always true: of the newest `size` commits, none is missing. The library under us replays its log on opening and
 * leaves out, without a word, what fails its checksum; a commit lost so is a vote forgotten, and shows as a gap here.
 * A loss at the very end only sets the position back, which the other peers notice, for they have seen a higher one.
 * Two logs of 4 MiB hold fewer than 32768 commits of 256 bytes, and no commit is smaller: a lone delta, or a new
 * horizon, may weigh half of that, so the record makes up for what its commit lacks. A page of the disk is written
 * in any case, so this costs nothing; in a commit of several registers nothing is lacking.
 */

import type { Engine, Group } from './engine.ts';
import { damaged } from './errors.ts';

export const RING_SIZE = 32_768;
/** Keys and values of one commit weigh at least that; the library adds a few bytes for each. */
export const COMMIT_BYTES = 256;
const POSITION_BYTES = 8;
const PREFIX = 'p';

/** To be called last in the group of a commit. */
export function noteCommit(group: Group, position: number): void {
  const key = PREFIX + (position % RING_SIZE).toString(36);
  const value = Buffer.alloc(Math.max(POSITION_BYTES, COMMIT_BYTES - group.bytes - key.length));
  value.writeDoubleLE(position);
  group.put(key, value);
}

/** The position of the last commit; 0 for a new store. */
export async function lastCommit(engine: Engine): Promise<number> {
  const seen = new Set<number>();
  let last = 0;
  for await (const entries of engine.scan(PREFIX)) {
    for (const [key, value] of entries) {
      const position = value.length >= POSITION_BYTES ? value.readDoubleLE() : Number.NaN;
      if (key !== PREFIX + (position % RING_SIZE).toString(36))
        throw damaged(engine.dir, `commit record ${key} is no position`);
      seen.add(position);
      if (position > last) last = position;
    }
  }
  for (let position = Math.max(1, last - RING_SIZE + 1); position <= last; position++) {
    if (!seen.has(position)) throw damaged(engine.dir, `commit ${position} of ${last} is missing`);
  }
  return last;
}
