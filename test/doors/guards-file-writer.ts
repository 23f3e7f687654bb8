/**
 * A process that writes a file through its guard: `PATH TOKEN...`, each token once. Prints `took T` or `stale T`.
 * With the one token `for-ever` it goes on writing under token 1 until it is killed.
 */
import { StaleTokenError } from '../../deploy/guards/fence.ts';
import { FileGuard } from '../../deploy/guards/file/guard.ts';
import { contentOf } from './guards.ts';

const [path, ...tokens] = process.argv.slice(2);
const guard = new FileGuard(path!, 60_000);

if (tokens[0] === 'for-ever') {
  console.log('writing');
  for (;;) await guard.write({ scope: 'file', fencingToken: 1 }, contentOf(1));
}
for (const token of tokens.map(Number)) {
  try {
    await guard.write({ scope: 'file', fencingToken: token }, contentOf(token));
    console.log(`took ${token}`);
  } catch (error) {
    if (!(error instanceof StaleTokenError)) throw error;
    console.log(`stale ${token}`);
  }
}
