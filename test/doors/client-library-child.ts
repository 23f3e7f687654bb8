/**
 * A process of its own that uses the client library, to be stopped, killed or watched as it ends.
 * Always true: what it says goes out at once, one JSON object a line.
 *
 *   hold    acquires a scope and asks whether it holds it, again and again
 *   leave   acquires and releases, and then has nothing left to do: it must end by itself, without a close
 */
import { writeSync } from 'node:fs';
import { LockLostError, Quorate } from '../../src/client/index.ts';

export interface ChildConfig {
  readonly mode: 'hold' | 'leave';
  readonly servers: readonly string[];
  readonly transport: 'ws' | 'http';
  readonly scope: string;
  readonly ttl: string;
}

const ASK_EVERY_MS = 20;

const { mode, servers, transport, scope, ttl }: ChildConfig = JSON.parse(process.argv[2]!);

function say(event: string, more: object = {}): void {
  writeSync(1, `${JSON.stringify({ event, ...more })}\n`);
}

const mesh = new Quorate({ servers, transport, ttl });
const lock = await mesh.acquire(scope);
say('held', { token: lock.fencingToken });
if (mode === 'leave') await lock.release();
else {
  lock.signal.addEventListener('abort', () => say('aborted', { why: lock.signal.reason.message }));
  const asking = setInterval(() => {
    try {
      lock.assertHeld();
      say('works');
    } catch (error) {
      clearInterval(asking);
      say('lost', { lost: error instanceof LockLostError, aborted: lock.signal.aborted, held: lock.held });
      void lock.release().catch((reason) => say('told', { code: reason.code }));
      void mesh.close();
    }
  }, ASK_EVERY_MS);
}
