import { describe, expect, test } from 'vitest';
import { SESSION_SCOPE_PREFIX } from '../../../src/lock/plain.ts';
import { isCalm, isCalmFrame } from '../../../src/mesh/calm.ts';
import type { Frame, Message } from '../../../src/peer/messages.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';

const SESSION = `${SESSION_SCOPE_PREFIX}s1`;
const ballot = { round: 1, peer: 'p', boot: 1 };

function accept(scope: string, ...kinds: readonly string[]): Message {
  const events = kinds.length === 0 ? null : kinds.map((kind) => ({ kind }));
  return { kind: 'accept', scope, ballot, version: 1, seq: 1, events, state: null } as Message;
}

function accepted(scope: string): Message {
  return { kind: 'accepted', scope, ballot, seq: 1 };
}

function frame(...messages: readonly Message[]): Frame {
  return { mesh: 'm', epoch: 1, messages };
}

describe('in a frame, only heartbeats may wait for others', () => {
  test.each([
    ['beats', [accept(SESSION, 'extended'), accept(SESSION, 'extended', 'extended')], true],
    ['an opening', [accept(SESSION, 'granted')], false],
    ['a beat beside an end', [accept(SESSION, 'extended', 'ended')], false],
    ['a beat beside a lock', [accept(SESSION, 'extended'), accept('a', 'granted')], false],
    ['the extension of a lock', [accept('a', 'extended')], false],
    ['a whole state', [accept(SESSION)], false],
    ['the death of a session', [{ kind: 'obituary', session: 's1' } as Message], false],
  ])('%s', (_, messages, calm) => {
    expect(isCalmFrame(frame(...messages), false)).toBe(calm);
    expect(isCalmFrame(frame(...messages), true)).toBe(calm);
  });

  test('answers for sessions do if something waits already, for one may be for an opening', () => {
    expect(isCalmFrame(frame(accepted(SESSION)), false)).toBe(false);
    expect(isCalmFrame(frame(accepted(SESSION)), true)).toBe(true);
    expect(isCalmFrame(frame(accepted(SESSION), accepted('a')), true)).toBe(false);
  });
});

test('of requests only the heartbeat of a session', () => {
  const session = { session: 's1', holder: 'h', ttlMs: 1_000, at: 0 };
  expect(isCalm({ op: 'beat_session', ...session } as unknown as ClientRequest)).toBe(true);
  expect(isCalm({ op: 'open_session', ...session } as unknown as ClientRequest)).toBe(false);
  expect(isCalm({ op: 'heartbeat', scope: 'a', lockId: null, holder: 'h' })).toBe(false);
});
