/** What clients are told at /client is what HTTP tells. */
import { describe, expect, test } from 'vitest';
import { answerOf, noteIfForced, refused } from '../../../src/api/client-answers.ts';
import { Problem, problemBody } from '../../../src/api/problems.ts';
import { EMPTY, type FencingToken, type SessionId } from '../../../src/lock/state.ts';
import type { Standing } from '../../../src/mesh/types.ts';
import type { ClientReply, ClientRequest } from '../../../src/peer/request.ts';
import type { PeerMessage } from '../../../src/protocol/messages.ts';
import { peerMessageFromWire, peerMessageToWire } from '../../../src/protocol/wire.ts';
import { house, type Json } from './harness.ts';
import { decided, doorOf, grant, ID, OTHER, ScriptedPeer, view, waiter } from './scripted.ts';
import { packr } from './talk.ts';

const which = { scope: 'db', lockId: ID, holder: null };
const ACQUIRE: ClientRequest = {
  op: 'acquire',
  scope: 'db',
  lockId: ID,
  made: false,
  holder: 'w',
  named: true,
  mode: 'write',
  permits: 0,
  priority: 'normal',
  reason: null,
  session: null,
  leaseMs: 30_000,
  waitMs: 0,
  pollMs: null,
  repeat: 0,
  at: 0,
};
const EXTEND: ClientRequest = {
  op: 'extend',
  ...which,
  leaseMs: 30_000,
  replaces: null,
  mode: null,
  token: null,
  waitMs: 0,
  at: 0,
};
const RELEASE: ClientRequest = { op: 'release', ...which, force: null, at: 0 };
const CANCEL: ClientRequest = { op: 'cancel', ...which, at: 0 };
const STATUS: ClientRequest = { op: 'status', scope: 'db' };

/** The same over HTTP. */
const BODIES: Partial<Record<ClientRequest['op'], object>> = {
  acquire: { action: 'lock', lock_id: ID, holder: 'w', timeout: '30s' },
  extend: { action: 'extend', lock_id: ID, timeout: '30s' },
  release: { action: 'unlock', lock_id: ID },
  cancel: { action: 'cancel', lock_id: ID },
  status: { action: 'status' },
};

/** What a client is told, once through bytes. */
function told(request: ClientRequest, reply: ClientReply, standing?: Standing): PeerMessage {
  const peer = Object.assign(new ScriptedPeer(() => reply), standing === undefined ? {} : { standing });
  let message: PeerMessage;
  try {
    message = answerOf(doorOf(peer), 9, request, reply);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    message = refused(9, error);
  }
  return peerMessageFromWire(packr.unpack(packr.pack(peerMessageToWire(message))));
}

async function overHttp(request: ClientRequest, reply: ClientReply): Promise<Json> {
  const { lock } = await house({ peer: new ScriptedPeer(() => reply) });
  return (await lock({ scope: 'db', ...BODIES[request.op] })).json;
}

const granted = grant({ reason: 'why', at: 1_700_000_000_000 });
const REPLIES: [string, ClientReply][] = [
  ['granted', decided({ kind: 'granted', grant: granted, repeat: false })],
  [
    'granted after a wait',
    decided({ kind: 'granted', grant: granted, repeat: false }, { countFromMs: 12.7 }),
  ],
  ['granted before', decided({ kind: 'granted', grant: granted, repeat: true }, { countFromMs: 12.7 })],
  ['granted for ever', decided({ kind: 'granted', grant: grant({ leaseMs: 0 }), repeat: false })],
  ['another lock of his', decided({ kind: 'already_held', grant: grant({ lockId: OTHER, holder: 'v' }) })],
  [
    'a permit',
    decided({ kind: 'granted', grant: grant({ mode: 'permit', permits: 3, slot: 2 }), repeat: false }),
  ],
  ['extended', decided({ kind: 'extended', grant: granted })],
  ['converted', decided({ kind: 'converted', grant: grant({ mode: 'read' }), repeat: false })],
  ['released', decided({ kind: 'released', token: 7 as FencingToken, repeat: false })],
  [
    'released, found by its holder',
    decided({ kind: 'released', token: 7 as FencingToken, repeat: false }, { lockId: OTHER }),
  ],
  ['cancelled', decided({ kind: 'cancelled' })],
  ['state', decided({ kind: 'state' }, { view: view([granted], { waiters: [waiter({ at: Date.now() })] }) })],
  ['busy', decided({ kind: 'busy', position: 3 }, { view: view([granted]) })],
  ['queued', decided({ kind: 'queued', position: 2 }, { view: view([granted]) })],
  ['upgrading', decided({ kind: 'upgrading', grant: granted })],
  ['deadlock', decided({ kind: 'deadlock', grant: granted })],
  ['mismatch', decided({ kind: 'mismatch' }, { view: view([granted]) })],
  ['misfit', decided({ kind: 'misfit', permits: 3 })],
  ['full', decided({ kind: 'full' })],
  ['ended', decided({ kind: 'ended', ending: 'forced', token: 3 as FencingToken, note: 'ann: why' })],
  ['outdated', decided({ kind: 'outdated', grant: granted })],
  ['not found', decided({ kind: 'not_found' })],
  ['waiting', { kind: 'waiting', position: 4, votes: 2, voters: 3, view: view([granted]) }],
  [
    'not the holder',
    {
      kind: 'not_holder',
      votes: 2,
      voters: 3,
      view: view([grant({ lockId: OTHER })], { waiters: [waiter()] }),
    },
  ],
  ['no session', { kind: 'no_session', session: ID as string as SessionId }],
  ['overloaded', { kind: 'overloaded', limit: '3 of 3' }],
  ['no quorum', { kind: 'no_quorum', missing: [1, 2] }],
  ['unknown', { kind: 'unknown', missing: [] }],
];

describe.each([ACQUIRE, EXTEND, RELEASE, CANCEL, STATUS])('both doors say the same of $op', (request) => {
  test.each(REPLIES)('%s', async (_, reply) => {
    const http = await overHttp(request, reply);
    const message = told(request, reply);
    expect('id' in message && message.id).toBe(9);
    switch (message.kind) {
      case 'refused': {
        const { retry_after_s: _retry, ...body } = message.body;
        expect(body).toEqual(http);
        break;
      }
      case 'status':
        expect(http).toEqual({ ...message.body, waiters: expect.anything() });
        break;
      case 'locked':
        expect(http).toMatchObject({
          status: 'locked',
          fencing_token: message.token,
          lock_type: message.mode,
          timeout_ms: message.leaseMs === 0 ? null : message.leaseMs,
          expires_in_ms: message.leftMs < 0 ? null : message.leftMs,
          acquired_at: new Date(message.at).toISOString(),
          waited_ms: message.waitedMs,
          quorum: `${message.votes}/${message.voters} nodes agreed`,
          contention: { waiters: message.waiters },
          lock_id: message.lockId ?? ID,
          holder: message.holder ?? (request.op === 'acquire' ? 'w' : 'nobody was named'),
        });
        expect(http.already_held).toBe(message.sets ? undefined : true);
        expect(http.slot ?? 0).toBe(message.slot);
        break;
      case 'unlocked':
        expect(http).toMatchObject({
          status: 'unlocked',
          fencing_token: message.token,
          lock_id: message.lockId ?? ID,
          quorum: `${message.votes}/${message.voters} nodes agreed`,
        });
        break;
      case 'cancelled':
        expect(http).toMatchObject({
          status: 'cancelled',
          quorum: `${message.votes}/${message.voters} nodes agreed`,
        });
        break;
      default:
        throw new Error(`told ${message.kind}`);
    }
  });
});

test('what the request named is not told again', () => {
  const reply = decided({ kind: 'granted', grant: grant(), repeat: false });
  expect(told(ACQUIRE, reply)).toMatchObject({ kind: 'locked', lockId: null, holder: null });
  expect(told({ ...ACQUIRE, named: false }, reply)).toMatchObject({ lockId: null, holder: 'w' });
  expect(told({ ...EXTEND, lockId: null, holder: 'w' }, reply)).toMatchObject({ lockId: ID, holder: null });
});

test('a release by force is written down, if it was one', () => {
  const forced: object[] = [];
  const reply = decided({ kind: 'released', token: 7 as FencingToken, repeat: false }, { lockId: OTHER });
  const door = doorOf(new ScriptedPeer(() => reply), forced);
  const request: ClientRequest = { ...RELEASE, lockId: null, force: { by: 'ann', reason: 'gone' } };
  expect(answerOf(door, 1, request, reply)).toMatchObject({ kind: 'unlocked', lockId: OTHER });
  noteIfForced(door, request, decided({ kind: 'not_found' }));
  noteIfForced(door, request, { kind: 'unknown', missing: [] });
  noteIfForced(door, RELEASE, reply);
  expect(forced).toEqual([]);
  noteIfForced(door, request, reply);
  expect(forced).toEqual([{ scope: 'db', lock_id: OTHER, by: 'ann', reason: 'gone', token: 7 }]);
});

test('a peer that is refused says so, where it could ask nobody', () => {
  const standing: Standing = { kind: 'refused', reason: 'Its disk was wiped.', mend: 'readmit p1' };
  expect(told(STATUS, { kind: 'no_quorum', missing: [] }, standing)).toMatchObject({
    kind: 'refused',
    body: { code: 'no_quorum', detail: expect.stringMatching(/Its disk was wiped.*readmit p1/) },
  });
});

test('what HTTP says in Retry-After is in the body', () => {
  const problem = new Problem('busy', 'It is held.', { retryAfterS: 3 });
  expect(refused(2, problem)).toEqual({
    kind: 'refused',
    id: 2,
    body: { ...problemBody(problem), retry_after_s: 3 },
  });
  expect(refused(2, new Problem('not_found', 'No.')).body).not.toHaveProperty('retry_after_s');
});

describe('sessions', () => {
  const session = OTHER as string as SessionId;
  const known = { session, holder: '', ttlMs: 0, list: true, at: 0 };
  const beat: ClientRequest = { op: 'beat_session', ...known };

  test('open, beaten, closed', () => {
    const lease = grant({ leaseMs: 9_000 });
    const open: ClientRequest = { ...known, op: 'open_session', ttlMs: 9_000 };
    expect(told(open, decided({ kind: 'granted', grant: lease, repeat: false }))).toEqual({
      kind: 'session',
      id: 9,
      session,
      ttlMs: 9_000,
      locks: [],
    });
    const entries = [
      { scope: 'a', lockId: ID, token: 3 as FencingToken },
      { scope: 'b', lockId: OTHER, token: EMPTY.token },
    ];
    expect(told(beat, decided({ kind: 'extended', grant: lease }, { view: view([], { entries }) }))).toEqual({
      kind: 'session',
      id: 9,
      session,
      ttlMs: 9_000,
      locks: entries,
    });
    const closed = decided({ kind: 'released', token: 1 as FencingToken, repeat: false });
    expect(told({ ...known, op: 'close_session' }, closed)).toMatchObject({
      kind: 'session',
      ttlMs: 0,
      locks: [],
    });
  });

  test('a dead one is not found', () => {
    const ended = decided({ kind: 'ended', ending: 'expired', token: 1 as FencingToken, note: null });
    expect(told(beat, ended)).toMatchObject({ kind: 'refused', body: { code: 'not_found', session } });
  });
});
