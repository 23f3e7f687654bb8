/**
 * A process that commits, until it is refused three times or has done its rounds, and says so: one line `commit POSITION ROUND` after each flush.
 * Arguments: data directory, first round, how many. Round n writes n into eight of forty scopes; `held` follows the parity of n.
 */
import { writeSync } from 'node:fs';
import { openStore } from '../../../src/store/store.ts';
import { scopesOf } from './rounds.ts';
import { type Toy, toy, toyCodec } from './toy.ts';

const [dir, first, count] = process.argv.slice(2);
const end = Number(first) + Number(count);
const store = await openStore(dir!, toyCodec);
writeSync(1, `open ${store.boot} ${store.identity}\n`);

let refusals = 0;
for (let round = Number(first); round < end && refusals < 3; round++) {
  const registers = new Map<string, Toy>();
  for (const scope of scopesOf(round)) registers.set(scope, toy(`${round}`, round % 2 === 0));
  try {
    const position = await store.commit({ registers, meta: { round }, horizon: round });
    writeSync(1, `commit ${position} ${round}\n`);
  } catch (error) {
    refusals += 1;
    writeSync(1, `refused ${(error as { code: string }).code} ${(error as Error).message}\n`);
  }
}
process.exit(refusals === 0 ? 0 : 7);
