/** What is only asked, and what is done to locks of others. */
import { afterEach, expect, test } from 'vitest';
import { acquire } from '../../../src/client/acquiring.ts';
import { NotHolderError } from '../../../src/client/errors.ts';
import { forceRelease, listLocks, listPeers, release, statusOf } from '../../../src/client/queries.ts';
import { lockWish } from '../../../src/client/wishes.ts';
import { atDesk } from './desk.ts';
import { settled } from './hand-clock.ts';
import { HttpServer } from './http-server.ts';
import { until } from './ws-peer.ts';

const LOCK_ID = '01998b4e-7d1c-7a1e-9c43-5a0f3f0f4a11';

let servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
});

test('status is what a peer answers', async () => {
  const { core, desk } = atDesk();
  const lock = await acquire(core, lockWish('s'));
  expect(await statusOf(core, 's')).toMatchObject({ status: 'locked', holders: [{ lock_id: lock.lockId }] });
  desk.byHand.add('status');
  const asked = statusOf(core, 's');
  await settled();
  desk.last('status').refuse('forbidden');
  await expect(asked).rejects.toMatchObject({ code: 'forbidden', scope: 's' });
});

test('a lock of our own that is released by its id is not held any more', async () => {
  const { core } = atDesk();
  const lock = await acquire(core, lockWish('s'));
  await release(core, { scope: 's', lockId: lock.lockId });
  expect(lock.held).toBe(false);
});

test("somebody else's, by its id or its holder's name", async () => {
  const { core, desk } = atDesk();
  await expect(release(core, { scope: 's', lockId: LOCK_ID })).rejects.toBeInstanceOf(NotHolderError);
  await expect(release(core, { scope: 's', holder: 'h' })).rejects.toBeInstanceOf(NotHolderError);
  expect(desk.last('release').message).toMatchObject({ lockId: null, holder: 'h', force: null });
});

test('by force: with a reason and who did it, and never twice', async () => {
  const { core, desk } = atDesk();
  await acquire(core, lockWish('s'));
  await forceRelease(core, 's', { reason: 'stuck' });
  expect(desk.last('release').message).toMatchObject({ force: 'stuck', holder: 'me', lockId: null });
  expect(desk.holders('s')).toEqual([]);
  desk.byHand.add('release');
  const forced = forceRelease(core, 's', { reason: 'stuck' }).catch((error) => error);
  await settled();
  const { length } = desk.all('release');
  desk.last('release').break();
  expect(await forced).toMatchObject({ code: 'outcome_unknown', certainty: 'indefinite' });
  expect(desk.all('release')).toHaveLength(length);
  // With a lock id it can only ever hit that one.
  void forceRelease(core, 's', { reason: 'stuck', lockId: LOCK_ID }).catch(() => undefined);
  await settled();
  desk.last('release').break();
  await settled();
  expect(desk.all('release')).toHaveLength(length + 2);
  await expect(forceRelease(core, 's', {} as never)).rejects.toThrow(/^reason /);
});

async function overHttp(count: number) {
  const at = atDesk();
  servers = await Promise.all(Array.from({ length: count }, () => HttpServer.start()));
  at.desk.servers = () => servers.map(({ host }) => ({ host, secure: false }));
  return at;
}

test('lists and the mesh come over HTTP, from whichever server answers', async () => {
  const { core } = await overHttp(2);
  servers[0]!.answer = (asked) => asked.json(503, { code: 'no_quorum', detail: 'x' });
  servers[1]!.answer = (asked) => asked.json(200, { path: asked.path });
  const query = { prefix: 'a b', state: 'locked', olderThan: '1m', limit: 5 } as const;
  expect(await listLocks(core, query)).toEqual({
    path: '/api/v1.0/locks?prefix=a+b&state=locked&older_than=60000ms&limit=5',
  });
  expect(await listPeers(core)).toEqual({ path: '/api/v1.0/peers' });
  await expect(listLocks(core, { older_than: '1m' } as never)).rejects.toThrow(/^older_than is no option/);
});

test('a refusal is told; so is that none answers in time', async () => {
  const { core, clock } = await overHttp(1);
  servers[0]!.answer = (asked) => asked.json(400, { code: 'invalid_request', detail: 'limit must be less.' });
  await expect(listLocks(core, { limit: 5 })).rejects.toMatchObject({ message: 'limit must be less.' });
  servers[0]!.answer = () => undefined;
  const asked = listPeers(core).catch((error) => error);
  await until('it came', () => servers[0]!.asked.length === 2);
  await clock.pass(5_000);
  await clock.pass(5_000);
  expect(await asked).toMatchObject({ code: 'no_quorum', certainty: 'definite' });
});
