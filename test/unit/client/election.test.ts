/** Elections: one leader, and who watches it. */
import { expect, test } from 'vitest';
import { LeaderElection } from '../../../src/client/election.ts';
import { BusyError } from '../../../src/client/errors.ts';
import type { Leader } from '../../../src/client/types.ts';
import { atDesk, stateOf } from './desk.ts';
import { settled } from './hand-clock.ts';

test('one leads, the next waits without end, and leads when the first resigns', async () => {
  const { core, desk, clock } = atDesk();
  const [a, b] = [new LeaderElection(core, 'e', { holder: 'a' }), new LeaderElection(core, 'e')];
  expect(await a.leader()).toBeNull();
  const first = await a.campaign();
  expect(first).toMatchObject({ holder: 'a', scope: 'e', fencingToken: 1 });
  expect(await b.leader()).toEqual({ holder: 'a', fencingToken: 1 });
  const waiting = b.campaign();
  await clock.pass(3_600_000);
  expect(await stateOf(waiting)).toBe('open');
  await a.resign();
  const second = await waiting;
  expect(second.fencingToken).toBe(2);
  await second.release();
  expect(desk.holders('e')).toEqual([]);
  await b.resign();
});

test('a campaign with `wait` ends', async () => {
  const { core, desk } = atDesk();
  await new LeaderElection(core, 'e').campaign();
  desk.byHand.add('acquire');
  const waiting = new LeaderElection(core, 'e').campaign({ wait: '5s' });
  await settled();
  expect(desk.last('acquire').message).toMatchObject({ waitMs: 5_000 });
  desk.last('acquire').refuse('busy');
  await expect(waiting).rejects.toBeInstanceOf(BusyError);
});

test('one without begins again when the longest wait is over', async () => {
  const { core, desk } = atDesk();
  await new LeaderElection(core, 'e').campaign();
  desk.byHand.add('acquire');
  const waiting = new LeaderElection(core, 'e').campaign();
  await settled();
  desk.last('acquire').refuse('busy');
  await settled();
  expect(desk.all('acquire')).toHaveLength(3);
  desk.grant(desk.last('acquire'), { token: 9 as never });
  expect((await waiting).fencingToken).toBe(9);
});

test('its signal ends campaigns and leadership; resigning ends campaigns', async () => {
  const { core, desk } = atDesk();
  const controller = new AbortController();
  const election = new LeaderElection(core, 'e', { signal: controller.signal });
  const led = await election.campaign();
  const second = election.campaign();
  controller.abort('enough');
  await expect(second).rejects.toBe('enough');
  await settled();
  expect(led.held).toBe(false);
  expect(desk.holders('e')).toEqual([]);
  await expect(election.campaign()).rejects.toBe('enough');

  const other = new LeaderElection(core, 'e');
  await new LeaderElection(core, 'e').campaign();
  const waiting = other.campaign();
  await settled();
  await other.resign();
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  expect(desk.waiters('e')).toBe(0);
});

/** What an observer sees, collected. */
function observe(election: LeaderElection, signal?: AbortSignal) {
  const seen: (Leader | null)[] = [];
  const over = (async () => {
    for await (const leader of election.observe(signal === undefined ? {} : { signal })) seen.push(leader);
  })();
  return { seen, over };
}

test('an observer begins with the present leader, and sees each change by the events', async () => {
  const { core, desk, clock } = atDesk();
  const election = new LeaderElection(core, 'e', { holder: 'a' });
  const controller = new AbortController();
  const { seen, over } = observe(election, controller.signal);
  await settled();
  expect(seen).toEqual([null]);
  const lock = await election.campaign();
  desk.last('watch').answer({ kind: 'event', id: 0, body: { event: 'granted' } });
  await settled();
  expect(seen.at(-1)).toEqual({ holder: 'a', fencingToken: 1 });
  await lock.release();
  await clock.pass(10_000); // the event got lost
  expect(seen.at(-1)).toBeNull();
  const again = desk.all('status').length;
  desk.last('watch').answer({ kind: 'event', id: 0, body: { event: 'queued' } });
  await settled();
  expect(desk.all('status').length).toBe(again + 1);
  expect(seen).toHaveLength(3);
  controller.abort();
  await over;
  expect(desk.last('watch').gone).toBe(true);
});

test('without events it asks each second', async () => {
  const { core, desk, clock } = atDesk();
  const election = new LeaderElection(core, 'e');
  const { seen } = observe(election);
  await settled();
  desk.last('watch').refuse('invalid_request');
  await clock.pass(10_000);
  const lock = await election.campaign();
  await clock.pass(1_100);
  expect(seen.at(-1)).toMatchObject({ holder: lock.holder });
  await lock.release();
  await clock.pass(1_100);
  expect(seen.at(-1)).toBeNull();
  await core.close();
});

test('an observer lives through a mesh without a quorum, and a broken watch', async () => {
  const { core, desk, clock } = atDesk();
  const election = new LeaderElection(core, 'e');
  const { seen } = observe(election);
  await settled();
  desk.byHand.add('status');
  desk.last('watch').break();
  for (let i = 0; i < 100; i++) {
    await clock.pass(100);
    desk.last('status').refuse('no_quorum');
  }
  desk.byHand.delete('status');
  const lock = await election.campaign();
  await clock.pass(12_000);
  expect(seen).toEqual([null, { holder: lock.holder, fencingToken: 1 }]);
});

test('an observer of what it may not see is told', async () => {
  const { core, desk } = atDesk();
  desk.byHand.add('status');
  const { over } = observe(new LeaderElection(core, 'e'));
  await settled();
  desk.last('status').refuse('forbidden');
  await expect(over).rejects.toMatchObject({ code: 'forbidden' });
});
