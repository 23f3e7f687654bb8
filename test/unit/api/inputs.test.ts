/** Bad input is refused by name, with what would be right. */
import { beforeEach, describe, expect, test } from 'vitest';
import { problem } from '../../../src/api/answers.ts';
import { type House, house } from './harness.ts';

let at: House;
beforeEach(async () => {
  at = await house();
});

const SESSION = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';

/** What the quorum-locking document posts. */
const DOCUMENT_LOCK = '{\n"scope": "db-migration",\n"action": "lock"\n}';
const DOCUMENT_UNLOCK = '{\n"scope": "db-migration",\n"action": "unlock"\n}';

describe('the bodies of the document work under the content type that curl -d sends', () => {
  test.each([
    'application/x-www-form-urlencoded',
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    undefined,
  ])('%s', async (type) => {
    const headers = type === undefined ? {} : { 'content-type': type };
    const locked = await at.lock(DOCUMENT_LOCK, headers);
    expect(locked.status).toBe(200);
    expect(locked.json).toMatchObject({
      status: 'locked',
      scope: 'db-migration',
      holder: expect.any(String),
    });
    const unlocked = await at.lock(DOCUMENT_UNLOCK, headers);
    expect(unlocked.json).toMatchObject({ status: 'unlocked', scope: 'db-migration' });
  });
});

describe('a bad field is named, with what would be right', () => {
  const rows: [object, string, RegExp][] = [
    [{ scope: undefined }, 'scope', /is missing: give the name to lock: 1 to 512 bytes/],
    [{ scope: 7 }, 'scope', /must be the name to lock: 1 to 512 bytes/],
    [{ scope: null }, 'scope', /must be/],
    [{ scope: '' }, 'scope', /is empty: give/],
    [{ scope: 'x'.repeat(513) }, 'scope', /is 513 bytes long, at most 512/],
    [{ scope: 'é'.repeat(257) }, 'scope', /is 514 bytes long/],
    [{ scope: 'a\nb' }, 'scope', /holds a control character/],
    [{ scope: 'a\u0000' }, 'scope', /holds a control character/],
    [{ scope: 'a\u009f' }, 'scope', /holds a control character/],
    [{ scope: 'a\ud800' }, 'scope', /is no valid Unicode text/],
    [
      { action: undefined },
      'action',
      /is missing: give one of lock, unlock, status, extend, heartbeat, cancel/,
    ],
    [{ action: 'steal' }, 'action', /must be one of lock, unlock, status, extend, heartbeat, cancel/],
    [{ lock_type: 'permit' }, 'permits', /is missing: "permit" needs a whole number from 1 to 1024/],
    [{ lock_type: 'permit', permits: 0 }, 'permits', /must be a whole number from 1 to 1024/],
    [{ lock_type: 'permit', permits: 1_025 }, 'permits', /must be a whole number from 1 to 1024/],
    [{ action: 'extend', lock_type: 'permit' }, 'lock_type', /a permit cannot be converted/],
    [{ lock_type: 'shared' }, 'lock_type', /must be "write", "read" or "permit"/],
    [{ lock_type: null }, 'lock_type', /must be "write", "read" or "permit"/],
    [{ holder: '' }, 'holder', /is empty/],
    [{ holder: null }, 'holder', /must be who holds/],
    [{ holder: 'x'.repeat(257) }, 'holder', /is 257 bytes long, at most 256/],
    [{ lock_id: 'mine' }, 'lock_id', /must be a UUID such as/],
    [{ lock_id: '01998b4e7d1c7a1e9c435a0f3f0f4a11' }, 'lock_id', /must be a UUID/],
    [{ lock_id: 1 }, 'lock_id', /must be a UUID/],
    [{ timeout: '5 minutes' }, 'timeout', /is no duration: write "250ms".*"auto".*"none"/],
    [{ timeout: '0' }, 'timeout', /must be longer than 0/],
    [{ timeout: 0 }, 'timeout', /must be longer than 0/],
    [{ timeout: -1 }, 'timeout', /is no duration/],
    [{ timeout: '2000d' }, 'timeout', /longer than a year/],
    [{ timeout: true }, 'timeout', /must be "auto", "none" or a duration/],
    [{ timeout: null }, 'timeout', /must be "auto", "none" or a duration/],
    [{ min_timeout: 'x' }, 'min_timeout', /is no duration/],
    [{ max_timeout: [] }, 'max_timeout', /must be a duration/],
    [{ max_timeout: '0' }, 'max_timeout', /must be longer than 0/],
    [{ min_timeout: '10m' }, 'min_timeout', /is longer than max_timeout \(5m\)/],
    [{ min_timeout: '2s', max_timeout: '1s' }, 'min_timeout', /is longer than max_timeout \(1s\)/],
    [{ learning_window: 'long' }, 'learning_window', /is no duration/],
    [{ operation: '' }, 'operation', /is empty/],
    [{ complexity: 0 }, 'complexity', /must be a number above 0/],
    [{ complexity: '3' }, 'complexity', /must be a number above 0/],
    [{ repeat: -1 }, 'repeat', /must be a whole number, 0 or more/],
    [{ repeat: 1.5 }, 'repeat', /must be a whole number, 0 or more/],
    [{ wait: 'long' }, 'wait', /is no duration: write "250ms"/],
    [{ wait: '8d' }, 'wait', /must be at most 7d/],
    [{ wait: true }, 'wait', /must be a duration/],
    [{ poll: '5s' }, 'poll', /only goes with wait: say with `wait` how long to wait in all/],
    [{ poll: '5s', wait: '0' }, 'poll', /only goes with wait/],
    [{ poll: '25h', wait: '7d' }, 'poll', /must be at most 24h/],
    [{ action: 'extend', poll: '5s', wait: '1m' }, 'poll', /only goes with lock: leave it out/],
    [{ heartbeat: '99ms' }, 'heartbeat', /must be at least 100ms, at most 24h/],
    [{ heartbeat: '0' }, 'heartbeat', /must be at least 100ms/],
    [{ heartbeat: '2d' }, 'heartbeat', /must be at least 100ms, at most 24h/],
    [{ session: 'x' }, 'session', /must be a UUID, the `session` that POST \/api\/v1\.0\/sessions answered/],
    [{ session: SESSION, heartbeat: '5s' }, 'heartbeat', /does not go with session: .*leave session out/],
    [{ priority: 'urgent' }, 'priority', /must be "high", "normal" or "low"/],
    [{ priority: 1 }, 'priority', /must be "high", "normal" or "low"/],
    [{ reason: '' }, 'reason', /is empty: give why/],
    [{ reason: 'a\nb' }, 'reason', /holds a control character/],
    [{ reason: 'a\tb' }, 'reason', /holds a control character/],
    [{ reason: 'x'.repeat(1_025) }, 'reason', /is 1025 bytes long, at most 1024/],
    [{ reason: 'é'.repeat(513) }, 'reason', /is 1026 bytes long/],
    [{ force: true, reason: 'x' }, 'force', /only goes with unlock: leave it out/],
    [{ force: 'yes' }, 'force', /must be true or false/],
    [{ action: 'unlock', force: true }, 'reason', /is missing: force needs it/],
    [{ action: 'cancel' }, 'lock_id', /is missing: cancel needs the lock_id that waits, or its holder/],
    [{ permits: 3 }, 'permits', /only goes with lock_type "permit"/],
    [{ lockId: 'x' }, 'lockId', /did you mean lock_id/],
    [{ Scope: 'x' }, 'Scope', /did you mean scope/],
    [{ color: 'red' }, 'color', /is not a known field: leave it out; known are scope, action/],
    [{ constructor: 1 }, 'constructor', /is not a known field/],
  ];
  test.each(rows)('%j', async (fields, field, why) => {
    const { status, json } = await at.lock({ scope: 'db', action: 'lock', ...fields });
    expect(status).toBe(400);
    expect(problem.parse(json)).toEqual(json);
    expect(json).toMatchObject({ code: 'invalid_request', certainty: 'definite' });
    expect(json.errors).toEqual([{ field, detail: expect.stringMatching(why) }]);
    expect(json.detail).toContain(field);
    expect(at.peer.asked).toEqual([]);
  });

  test('all of them at once', async () => {
    const { json } = await at.lock({ scope: '', action: 'x', timeout: 'y', z: 1 });
    expect(json.errors.map(({ field }: { field: string }) => field)).toEqual([
      'scope',
      'action',
      'timeout',
      'z',
    ]);
  });

  test('a long value is not sent back', async () => {
    const { json } = await at.lock({ scope: 'x'.repeat(100_000), action: 'y'.repeat(100_000) });
    expect(JSON.stringify(json).length).toBeLessThan(2_000);
  });
});

describe('a bad body', () => {
  test.each([
    ['', /The body is empty: send a JSON object such as/],
    ['  \n', /The body is empty/],
    ['null', /must be a JSON object, such as/],
    ['[]', /must be a JSON object/],
    ['"lock"', /must be a JSON object/],
    ['7', /must be a JSON object/],
    ['scope=db&action=lock', /The body is not JSON .*: send an object such as/],
    ['{"scope":"db","action":"lock"', /The body is not JSON/],
    ['{"scope":"db","action":"lock","min_timeout":5s}', /write durations as text: "5s"/],
    ['['.repeat(200_000), /The body is not JSON/],
  ])('%.40s', async (body, why) => {
    const { status, json } = await at.lock(body);
    expect(status).toBe(400);
    expect(json).toMatchObject({
      code: 'invalid_request',
      errors: [{ field: '', detail: expect.stringMatching(why) }],
    });
  });

  test('without any bytes and without a type is named too', async () => {
    const { statusCode, payload } = await at.server.app.inject({
      method: 'POST',
      url: '/api/v1.0/lock',
      headers: { host: 'localhost' },
    });
    expect(statusCode).toBe(400);
    expect(payload).toContain('The body is empty');
  });

  test('bytes that are not UTF-8 never become another scope', async () => {
    const payload = Buffer.concat([
      Buffer.from('{"scope":"a'),
      Buffer.from([0xff]),
      Buffer.from('","action":"lock"}'),
    ]);
    const { statusCode, json } = await at.server.app.inject({
      method: 'POST',
      url: '/api/v1.0/lock',
      headers: { host: 'localhost' },
      payload,
    });
    expect(statusCode).toBe(400);
    expect(json().detail).toContain('not UTF-8');
  });

  test.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'rubbish',
  ])('of type %s is 415', async (type) => {
    const { status, json } = await at.lock(DOCUMENT_LOCK, { 'content-type': type });
    expect(status).toBe(415);
    expect(json).toMatchObject({ code: 'invalid_request', status: 415, errors: [{ field: 'Content-Type' }] });
  });

  test('of more than 1 MiB is 413, of exactly that much it is read', async () => {
    const body = (bytes: number) => `${DOCUMENT_LOCK}${' '.repeat(bytes - DOCUMENT_LOCK.length)}`;
    const { status, json } = await at.lock(body(1024 * 1024 + 1));
    expect(status).toBe(413);
    expect(json).toMatchObject({
      code: 'invalid_request',
      status: 413,
      detail: expect.stringContaining('1 MiB'),
    });
    expect((await at.lock(body(1024 * 1024))).status).toBe(200);
  });

  test('with a key twice counts the last', async () => {
    const { json } = await at.lock('{"scope":"a","scope":"b","action":"unlock","action":"lock"}');
    expect(json).toMatchObject({ status: 'locked', scope: 'b' });
  });

  test.each([
    '{"scope":"a","action":"lock","__proto__":{"holder":"x"}}',
    '{"__proto__":{"scope":"a","action":"lock"}}',
  ])('with __proto__ reaches nothing: %s', async (body) => {
    const { status, json } = await at.lock(body);
    expect(status).toBe(400);
    expect(json.errors.at(-1).field).toBe('__proto__');
    expect(({} as { holder?: string }).holder).toBeUndefined();
  });
});
