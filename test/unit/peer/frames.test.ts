/**
 * What is kept of a name that came in a frame: the name, and not the frame that it was cut out of (flat in plain.ts).
 * A frame may be of megabytes, and what is kept may be kept for days.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { LockEvent } from '../../../src/lock/event.ts';
import { flat } from '../../../src/lock/plain.ts';
import { EMPTY, type LockId, type SessionId } from '../../../src/lock/state.ts';
import { Scopes } from '../../../src/peer/scopes.ts';
import { Sessions } from '../../../src/peer/sessions.ts';
import { held as grant, id, scope as stateOf, waiter } from '../lock/scene.ts';
import { ballot } from './seat.ts';
import { Shelf } from './shelf.ts';

const FRAME_BYTES = 1_000_000;
const FRAMES = 40;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** How many bytes of the heap are kept for each frame that was read. */
function keptOf(read: (cut: (name: string) => string, i: number) => void): number {
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < FRAMES; i++) {
    read((name) => {
      const text = `${name} ${i} `.padEnd(36, '-');
      const frame = Buffer.from(text + 'x'.repeat(FRAME_BYTES)).toString('latin1');
      return frame.slice(0, text.length);
    }, i);
  }
  gc();
  return (process.memoryUsage().heapUsed - before) / FRAMES;
}

test('a name that is cut out keeps its frame, unless it is made flat', () => {
  const names: string[] = [];
  expect(keptOf((cut) => names.push(cut('name')))).toBeGreaterThan(FRAME_BYTES / 2);
  expect(keptOf((cut) => names.push(flat(cut('name'))))).toBeLessThan(FRAME_BYTES / 10);
  expect(names[FRAMES]).toBe(names[0]);
});

describe('the index of sessions', () => {
  const session = (cut: (name: string) => string) => cut('session') as SessionId;
  const lock = (cut: (name: string) => string) => cut('lock') as LockId;
  const granted = (lockId: LockId, of: SessionId): LockEvent => {
    return { kind: 'granted', grant: grant(lockId, 'read', 1, { session: of }) };
  };

  test.each<readonly [string, (sessions: Sessions, cut: (name: string) => string, i: number) => void]>([
    ['a session', (sessions, cut, i) => sessions.noteEvents('x', [granted(id(`${i}`), session(cut))])],
    ['a lock id', (sessions, cut, i) => sessions.noteEvents(`x${i}`, [granted(lock(cut), id('s') as never)])],
    [
      'a lock id beside others',
      (sessions, cut, i) => {
        const of = `s${i}` as SessionId;
        sessions.noteEvents('x', [granted(id('a'), of), granted(lock(cut), of), granted(lock(cut), of)]);
      },
    ],
    [
      'a gateway',
      (sessions, cut, i) => {
        const waits = waiter(id(`${i}`), 1, { gateway: session(cut) });
        sessions.noteState('x', stateOf({ waits: [waits] }));
      },
    ],
  ])('keeps nothing else of %s', (_, note) => {
    const sessions = new Sessions({
      now: 0,
      state: () => undefined,
      ownCopyUntil: () => undefined,
      rank: () => 0,
      lookUp: () => {},
      sweep: () => {},
    });
    expect(keptOf((cut, i) => note(sessions, cut, i))).toBeLessThan(FRAME_BYTES / 10);
    expect(sessions.nextWake).toBe(0);
  });
});

test('a scope in memory keeps its name only, and once frozen nothing else of what it holds', () => {
  const scopes = new Scopes(new Shelf());
  const kept = keptOf((cut) => {
    const holder = grant(cut('lock') as LockId, 'write', 1, {
      holder: cut('holder'),
      session: null,
      leaseMs: 0,
    });
    const state = { ...EMPTY, token: holder.token, holders: [holder] };
    scopes.begin(cut('scope'), { ballot: ballot(1), version: 1, state });
    scopes.forgetFree();
  });
  expect(kept).toBeLessThan(FRAME_BYTES / 10);
  expect(scopes.size).toBe(FRAMES);
});
