/**
 * A process that commits, until it is refused three times or has done its rounds, and says so: one line
 * `commit POSITION ROUND` after each flush. Arguments: data directory, first round, how many. What it knows of the
 * former rounds it reads from the store; most of what it writes are changes (see rounds.ts).
 */
import { writeSync } from 'node:fs';
import { openStore } from '../../../src/store/store.ts';
import { addedIn, BEGINNING, beginsAnew, isHeldAfter, ROUND_LIMITS, scopesOf } from './rounds.ts';
import { grown, type Toy, type ToyWrite, toyCodec, whole } from './toy.ts';

const [dir, first, count] = process.argv.slice(2);
const end = Number(first) + Number(count);
const store = await openStore(dir!, toyCodec, ROUND_LIMITS);
writeSync(1, `open ${store.boot} ${store.identity}\n`);

const memory = new Map<string, Toy>();
let refusals = 0;
for (let round = Number(first); round < end && refusals < 3; round++) {
  const registers = new Map<string, ToyWrite>();
  for (const scope of scopesOf(round)) {
    const before = beginsAnew(round) ? undefined : (memory.get(scope) ?? store.read(scope));
    const write =
      before === undefined
        ? whole(BEGINNING + addedIn(round), isHeldAfter(round))
        : grown(before, addedIn(round), isHeldAfter(round));
    memory.set(scope, write.toy);
    registers.set(scope, write);
  }
  try {
    const position = await store.commit({ registers, meta: { round }, horizon: round });
    writeSync(1, `commit ${position} ${round}\n`);
  } catch (error) {
    refusals += 1;
    writeSync(1, `refused ${(error as { code: string }).code} ${(error as Error).message}\n`);
  }
}
process.exit(refusals === 0 ? 0 : 7);
