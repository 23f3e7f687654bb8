/** Whatever comes in, nothing breaks, and nothing changes but by a 200. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { problem } from '../../../src/api/answers.ts';
import { SESSION_SCOPE_PREFIX } from '../../../src/lock/plain.ts';
import { type House, house } from './harness.ts';

const ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';
const OTHER = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a12';

let at: House;
beforeEach(async () => {
  at = await house();
});

describe('whatever comes in', () => {
  const field = fc.constantFrom(
    ...[
      'scope',
      'action',
      'holder',
      'lock_id',
      'timeout',
      'min_timeout',
      'max_timeout',
      'repeat',
      'wait',
      'force',
    ],
    ...['lock_type', 'priority', 'reason', 'session', 'heartbeat', 'poll'],
    ...['__proto__', 'toString', 'constructor', 'x'],
  );
  const likely = fc.constantFrom<unknown>(
    ...[
      'held',
      'free',
      'lock',
      'unlock',
      'status',
      'extend',
      'auto',
      'none',
      '5s',
      '0',
      0,
      1,
      1e9,
      -1,
      null,
      true,
    ],
    ...[{}, [], '', 'write', 'read', 'high', 'heartbeat', 'cancel', 'w', ID, '\u0000', '\ud800'],
  );
  /** Bodies that are good but for a field or so. */
  const near = fc.record(
    {
      scope: fc.constantFrom<unknown>('held', 'held', 'free', 'other', 7),
      action: fc.constantFrom<unknown>('lock', 'lock', 'unlock', 'status', 'extend', 'heartbeat', 'cancel'),
      lock_type: fc.constantFrom<unknown>('write', 'read', 'permit'),
      wait: fc.constantFrom<unknown>('0', '5ms'),
      holder: fc.constantFrom<unknown>('w', 'v', 'u', ''),
      lock_id: fc.constantFrom<unknown>(ID, OTHER, 'x'),
      timeout: fc.constantFrom<unknown>('auto', 'none', '1h', 60, '0'),
      repeat: fc.constantFrom<unknown>(0, 1, 2, -1),
    },
    { requiredKeys: ['scope', 'action'] },
  );
  const body = fc.oneof(
    { weight: 3, arbitrary: near.map((fields) => JSON.stringify(fields)) },
    fc.json(),
    fc.string(),
    fc
      .array(
        fc.tuple(field, fc.oneof({ weight: 4, arbitrary: likely }, { weight: 1, arbitrary: fc.jsonValue() })),
      )
      .map(
        (pairs) =>
          `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
      ),
  );

  test('there is no 500, and nothing changes but by a 200', async () => {
    await at.lock({ scope: 'held', action: 'lock', holder: 'owner', timeout: 'none' });
    const seen = new Set<number>();
    /** One of each kind of answer, so that no unlucky seed leaves one out. */
    const each = [
      { scope: 'held', action: 'status' },
      { scope: 'held', action: 'lock', timeout: '0' },
      { scope: 'never', action: 'unlock' },
      { scope: 'held', action: 'unlock' },
      { scope: 'held', action: 'lock' },
    ];
    const holders = () => {
      // A session that was opened for a lock which was then refused ends by itself.
      const locks = [...at.peer.disk].filter(([scope]) => !scope.startsWith(SESSION_SCOPE_PREFIX));
      const held = locks.filter(([, { state }]) => state.holders.length > 0);
      return JSON.stringify(held.map(([scope, { state }]) => [scope, state.holders]));
    };
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const before = holders();
        const { status, json } = await at.lock(text);
        seen.add(status);
        expect(status).toBeLessThan(500);
        if (status === 200) return;
        expect(problem.parse(json)).toEqual(json);
        expect(holders()).toBe(before);
      }),
      { numRuns: 600, examples: each.map((fields) => [JSON.stringify(fields)]) },
    );
    expect(at.bugs).toEqual([]);
    expect([...seen].sort()).toEqual([200, 400, 404, 409, 423]);
    const { json } = await at.lock({ scope: 'held', action: 'status' });
    expect(json).toMatchObject({ holders: [{ holder: 'owner' }] });
  });

  test('any good scope is locked under exactly its name', async () => {
    const scope = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((name) => !/\p{Cc}/u.test(name) && Buffer.byteLength(name) <= 512)
      // Clients resolve these two before they send a path, however they are encoded.
      .filter((name) => name !== '.' && name !== '..');
    await fc.assert(
      fc.asyncProperty(scope, async (name) => {
        const { status, json } = await at.lock({ scope: name, action: 'lock' });
        expect([status, json.scope]).toEqual([200, name]);
        const seen = await at.get(`/api/v1.0/locks/${encodeURIComponent(name)}`);
        expect(seen.json).toMatchObject({ scope: name, status: 'locked', fencing_token: json.fencing_token });
        expect((await at.lock({ scope: name, action: 'unlock' })).status).toBe(200);
      }),
      { numRuns: 100 },
    );
  });
});
