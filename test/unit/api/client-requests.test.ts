/** What clients ask at /client is what they would ask over HTTP, within the same bounds. */
import { describe, expect, test } from 'vitest';
import { actionOf, COUNTED, requestOf, unreadable } from '../../../src/api/client-requests.ts';
import { ANONYMOUS } from '../../../src/api/guard.ts';
import { Problem } from '../../../src/api/problems.ts';
import { WireError } from '../../../src/lock/plain.ts';
import type { LockId, SessionId } from '../../../src/lock/state.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import type {
  AcquireMessage,
  ExtendMessage,
  ReleaseMessage,
  RequestMessage,
} from '../../../src/protocol/messages.ts';
import { house } from './harness.ts';
import { decided, doorOf, grant, ID, ScriptedPeer } from './scripted.ts';
import { acquire } from './talk.ts';

const AT = 1_700_000_000_000;
const peer = new ScriptedPeer(() => decided({ kind: 'granted', grant: grant(), repeat: false }));
const door = doorOf(peer);

function asked(message: RequestMessage): ClientRequest {
  return requestOf(door, ANONYMOUS, message, AT);
}

/** What the core is asked when HTTP gets this. */
async function overHttp(body: object, headers: Record<string, string> = {}): Promise<object> {
  const { lock } = await house({ peer });
  peer.asked.length = 0;
  await lock({ scope: 'db', ...body }, headers);
  const request = peer.asked[0]!;
  return 'at' in request ? { ...request, at: AT } : request;
}

const lock = (fields: Partial<AcquireMessage> = {}) =>
  acquire({ id: 1, scope: 'db', lockId: ID, holder: 'me', ...fields });
const meant = { id: 1, scope: 'db', lockId: ID, holder: null };
const release = (fields: Partial<ReleaseMessage> = {}): ReleaseMessage => ({
  kind: 'release',
  ...meant,
  force: null,
  ...fields,
});
const extend = (fields: Partial<ExtendMessage> = {}): ExtendMessage => ({
  kind: 'extend',
  ...meant,
  leaseMs: 5_000,
  mode: null,
  token: null,
  waitMs: 0,
  ...fields,
});

describe('both doors ask the same', () => {
  const his = { action: 'lock', lock_id: ID, holder: 'me', timeout: '30s' };
  test.each<[string, object, RequestMessage]>([
    ['lock', his, lock()],
    ['auto', { ...his, timeout: 'auto' }, lock({ leaseMs: null })],
    ['no lease at all', { ...his, timeout: undefined }, lock({ leaseMs: null })],
    ['a lease without an end', { ...his, timeout: 'none' }, lock({ leaseMs: 0 })],
    ['a year', { ...his, timeout: '365d' }, lock({ leaseMs: 31_536_000_000 })],
    [
      'all that can be said',
      { ...his, lock_type: 'read', priority: 'high', reason: 'why', session: ID, wait: '7d', repeat: 3 },
      lock({
        mode: 'read',
        priority: 'high',
        reason: 'why',
        session: ID as string as SessionId,
        waitMs: 604_800_000,
        repeat: 3,
      }),
    ],
    ['a permit', { ...his, lock_type: 'permit', permits: 3 }, lock({ mode: 'permit', permits: 3 })],
    [
      'large letters',
      { ...his, lock_id: ID.toUpperCase(), session: ID.toUpperCase() },
      lock({ lockId: ID.toUpperCase() as LockId, session: ID.toUpperCase() as SessionId }),
    ],
    ['unlock by id', { action: 'unlock', lock_id: ID }, release()],
    ['unlock by holder', { action: 'unlock', holder: 'me' }, release({ lockId: null, holder: 'me' })],
    ['unlock by scope', { action: 'unlock' }, release({ lockId: null })],
    [
      'unlock by force',
      { action: 'unlock', force: true, reason: 'gone', holder: 'ann' },
      release({ lockId: null, holder: 'ann', force: 'gone' }),
    ],
    [
      'unlock by force, by nobody in particular',
      { action: 'unlock', force: true, reason: 'gone', lock_id: ID },
      release({ force: 'gone' }),
    ],
    ['extend', { action: 'extend', lock_id: ID, timeout: '5s' }, extend()],
    ['extend for ever', { action: 'extend', lock_id: ID, timeout: 'none' }, extend({ leaseMs: 0 })],
    [
      'convert',
      { action: 'extend', lock_id: ID, lock_type: 'write', wait: '1s', fencing_token: 4 },
      extend({ leaseMs: null, mode: 'write', waitMs: 1_000, token: 4 as never }),
    ],
    [
      'convert down',
      { action: 'extend', lock_id: ID, lock_type: 'read' },
      extend({ leaseMs: null, mode: 'read' }),
    ],
    [
      'an extension does not wait',
      { action: 'extend', lock_id: ID, timeout: '5s', wait: '1s' },
      extend({ waitMs: 1_000 }),
    ],
    ['cancel', { action: 'cancel', lock_id: ID }, { kind: 'cancel', ...meant }],
    ['status', { action: 'status' }, { kind: 'status', id: 1, scope: 'db' }],
  ])('%s', async (_, body, message) => {
    expect(asked(message)).toEqual(await overHttp(body));
  });

  test('a holder that is not named is made up, and known to be', () => {
    const first = asked(lock({ holder: null }));
    const second = asked(lock({ holder: null }));
    expect(first).toMatchObject({ named: false, holder: expect.stringMatching(/^p1-/) });
    expect((second as { holder: string }).holder).not.toBe((first as { holder: string }).holder);
  });

  test('sessions', () => {
    const session = ID.toUpperCase() as string as SessionId;
    expect(asked({ kind: 'open', id: 1, ttlMs: 300, holder: 'me' })).toEqual({
      op: 'open_session',
      session: expect.stringMatching(/^[0-9a-f-]{36}$/),
      holder: 'me',
      ttlMs: 300,
      list: false,
      at: AT,
    });
    const known = { session: ID, holder: '', ttlMs: 0, at: AT };
    expect(asked({ kind: 'beat', id: 1, session, list: true })).toEqual({
      op: 'beat_session',
      ...known,
      list: true,
    });
    expect(asked({ kind: 'close', id: 1, session, list: true })).toEqual({
      op: 'close_session',
      ...known,
      list: false,
    });
  });

  test('fractions of milliseconds are rounded up', () => {
    expect(asked(lock({ waitMs: 29_999.2, leaseMs: 0.1 }))).toMatchObject({ waitMs: 30_000, leaseMs: 1 });
  });
});

function refusalOf(message: RequestMessage): Problem {
  try {
    asked(message);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('was taken');
}

describe('out of bounds: the field is named, and what would be right', () => {
  test.each<[string, RequestMessage, string, RegExp]>([
    ['an empty scope', lock({ scope: '' }), 'scope', /is empty: give the name to lock: 1 to 512 bytes/],
    ['a long scope', lock({ scope: 'é'.repeat(257) }), 'scope', /is 514 bytes long, at most 512/],
    ['a control character', lock({ scope: 'a\nb' }), 'scope', /holds a control character/],
    ['a later control character', lock({ scope: 'a\u0085b' }), 'scope', /holds a control character/],
    ["a session's register", lock({ scope: '\u0001a' }), 'scope', /holds a control character/],
    ['half a letter', lock({ scope: 'a\ud83d' }), 'scope', /is no valid Unicode text/],
    ['an empty holder', lock({ holder: '' }), 'holder', /is empty: give who holds/],
    ['a long holder', lock({ holder: '語'.repeat(86) }), 'holder', /is 258 bytes long, at most 256/],
    ['an empty reason', lock({ reason: '' }), 'reason', /is empty/],
    ['a long reason', lock({ reason: 'é'.repeat(513) }), 'reason', /1026 bytes/],
    ['a lock id that is none', lock({ lockId: 'x' as LockId }), 'lock_id', /is no UUID: give a UUID/],
    ['a lock id with a tail', lock({ lockId: `${ID}-1` as LockId }), 'lock_id', /is no UUID/],
    [
      'a session that is none',
      lock({ session: 'p1/7' as SessionId }),
      'session',
      /is no session: give a UUID/,
    ],
    ['permits of a lock', lock({ permits: 2 }), 'permits', /is 2: give a whole number from 1 to 1024 with/],
    ['a semaphore of none', lock({ mode: 'permit' }), 'permits', /is 0/],
    [
      'a long lease',
      lock({ leaseMs: 31_536_000_001 }),
      'timeout',
      /is 31536000001: give milliseconds, 1 to 31536000000/,
    ],
    ['a long wait', lock({ waitMs: 604_800_001 }), 'wait', /0 to 604800000 \(7d\)/],
    ['a scope to release', release({ scope: '' }), 'scope', /is empty/],
    ['a lock id to release', release({ lockId: '' as LockId }), 'lock_id', /is no UUID/],
    ['a holder to release', release({ holder: '' }), 'holder', /is empty/],
    ['force without a reason', release({ force: '' }), 'reason', /is empty/],
    ['an extension of nothing', extend({ leaseMs: null }), 'timeout', /is missing: give milliseconds/],
    ['a long extension', extend({ leaseMs: 1e12 }), 'timeout', /is 1000000000000/],
    [
      'a token without a conversion',
      extend({ token: 3 as never }),
      'fencing_token',
      /only where lock_type is given/,
    ],
    ['a token of nothing', extend({ mode: 'read', token: 0 as never }), 'fencing_token', /is 0/],
    ['a conversion that waits long', extend({ mode: 'write', waitMs: 1e9 }), 'wait', /is 1000000000/],
    [
      'a cancel of nothing',
      { kind: 'cancel', ...meant, lockId: null },
      'lock_id',
      /needs the lock_id that waits/,
    ],
    [
      'a short ttl',
      { kind: 'open', id: 1, ttlMs: 298.5, holder: 'me' },
      'ttl',
      /is 298.5: give milliseconds, 300 to/,
    ],
    ['a long ttl', { kind: 'open', id: 1, ttlMs: 86_400_001, holder: 'me' }, 'ttl', /\(24h\)/],
    ['a nameless session', { kind: 'open', id: 1, ttlMs: 300, holder: '\n' }, 'holder', /control character/],
    [
      'a beat of no session',
      { kind: 'beat', id: 1, session: '\u0001' as SessionId, list: false },
      'session',
      /is no session/,
    ],
    [
      'the end of no session',
      { kind: 'close', id: 1, session: 'x' as SessionId, list: false },
      'session',
      /is no session/,
    ],
    ['a status of no scope', { kind: 'status', id: 1, scope: '' }, 'scope', /is empty/],
  ])('%s', (_, message, field, why) => {
    const { code, extra } = refusalOf(message);
    expect(code).toBe('invalid_request');
    expect(extra.errors).toEqual([{ field, detail: expect.stringMatching(why) }]);
  });

  test('what could not be read', () => {
    expect(unreadable(new WireError('wait', 'is no number of milliseconds')).extra.errors).toEqual([
      { field: 'wait', detail: 'is no number of milliseconds: give milliseconds, 0 to 604800000 (7d)' },
    ]);
    expect(unreadable(new WireError('other', 'is odd')).extra.errors).toEqual([
      { field: 'other', detail: 'is odd' },
    ]);
  });
});

test('who may do what is asked by the same names as over HTTP', () => {
  const session = ID as string as SessionId;
  const kinds: [RequestMessage, string, string][] = [
    [lock(), 'lock', 'lock'],
    [release(), 'unlock', 'unlock'],
    [release({ force: 'why' }), 'force', 'unlock'],
    [extend(), 'extend', 'extend'],
    [{ kind: 'cancel', ...meant }, 'cancel', 'cancel'],
    [{ kind: 'status', id: 1, scope: 'db' }, 'status', 'status'],
    [{ kind: 'open', id: 1, ttlMs: 300, holder: 'me' }, 'session', 'open_session'],
    [{ kind: 'beat', id: 1, session, list: false }, 'session', 'beat_session'],
    [{ kind: 'close', id: 1, session, list: false }, 'session', 'close_session'],
  ];
  for (const [message, action, counted] of kinds) {
    expect(actionOf(message)).toBe(action);
    expect(COUNTED[message.kind]).toBe(counted);
  }
});
