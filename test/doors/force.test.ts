/** A lock that is taken from its holder by force: who did it and why reaches the old holder, and its token is old. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { problem } from '../../src/api/answers.ts';
import { ask, lock, shown } from './asks.ts';
import { Up, until } from './up.ts';

let up: Up;
beforeAll(async () => {
  up = await Up.start(3);
});
afterAll(async () => {
  await up?.stop();
});

test('force names who and why: to the old holder, and in the log', async () => {
  const scope = 'forced';
  const held = await lock(up.url(1), { scope, holder: 'old', timeout: 'none' });
  const waiting = ask(up.url(2), { scope, holder: 'new', wait: '60s' });
  await shown(up.url(3), scope, ['new']);
  const force = { scope, action: 'unlock', force: true, holder: 'operator-7' };
  const bare = await ask(up.url(3), force);
  expect(bare.status).toBe(400);
  expect(bare.body).toMatchObject({ code: 'invalid_request', errors: [{ field: 'reason' }] });

  const taken = await ask(up.url(3), { ...force, reason: 'its machine burns' });
  expect(taken).toMatchObject({ status: 200, body: { status: 'unlocked', lock_id: held.lock_id } });
  const next = await waiting;
  expect(next.body).toMatchObject({
    status: 'locked',
    holder: 'new',
    fencing_token: held.fencing_token + 1,
  });

  for (const action of ['extend', 'unlock', 'heartbeat']) {
    const late = await ask(up.url(1), { scope, action, lock_id: held.lock_id });
    expect([action, late.status]).toEqual([action, 409]);
    expect(problem.parse(late.body)).toMatchObject({
      code: 'stale_grant',
      certainty: 'definite',
      ending: 'forced',
      note: 'operator-7: its machine burns',
      fencing_token: held.fencing_token,
    });
    expect(late.body.detail).toContain('operator-7: its machine burns');
  }
  const seen = await shown(up.url(2), scope, []);
  expect(seen.holders).toMatchObject([{ holder: 'new', fencing_token: held.fencing_token + 1 }]);
  const line = () => readFileSync(join(up.dir, 'p3.log'), 'utf8').split('\n');
  await until('p3 wrote it down', () =>
    line().some((text) => /by force/.test(text) && /operator-7/.test(text) && /its machine burns/.test(text)),
  );
});

test('force on a scope takes all readers, and one of them by its lock id alone', async () => {
  const scope = 'readers';
  const readers = [];
  for (const [i, holder] of ['r1', 'r2', 'r3'].entries()) {
    readers.push(await lock(up.url(1 + i), { scope, holder, lock_type: 'read', timeout: 'none' }));
  }
  const by = { scope, action: 'unlock', force: true, reason: 'test' };
  expect((await ask(up.url(1), { ...by, lock_id: readers[1]!.lock_id })).status).toBe(200);
  const seen = await shown(up.url(2), scope, []);
  expect(seen.holders.map(({ holder }: { holder: string }) => holder)).toEqual(['r1', 'r3']);
  expect((await ask(up.url(2), by)).status).toBe(200);
  expect(await shown(up.url(3), scope, [])).toMatchObject({ status: 'free', holders: [] });
  for (const { lock_id } of readers) {
    expect((await ask(up.url(3), { scope, action: 'extend', lock_id })).body.code).toBe('stale_grant');
  }
});
