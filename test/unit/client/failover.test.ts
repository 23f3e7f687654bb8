/** How a call goes from peer to peer, and what it comes to. */
import { describe, expect, test } from 'vitest';
import { NoQuorumError, OutcomeUnknownError, OverloadedError } from '../../../src/client/errors.ts';
import { type CallOptions, Calls } from '../../../src/client/failover.ts';
import type { Draft } from '../../../src/client/way.ts';
import type { LockId, SessionId } from '../../../src/lock/state.ts';
import { Desk, locked, stateOf, unlocked } from './desk.ts';
import { HandClock, settled } from './hand-clock.ts';

const ACQUIRE: Draft = {
  kind: 'acquire',
  id: 0,
  scope: 's',
  lockId: 'id' as LockId,
  holder: 'h',
  mode: 'write',
  permits: 0,
  priority: 'normal',
  reason: null,
  session: 'x' as SessionId,
  leaseMs: null,
  waitMs: 0,
  repeat: 0,
};

function scene(random = () => 1) {
  const clock = new HandClock();
  const desk = new Desk(clock);
  for (const kind of ['acquire', 'extend', 'release'] as const) desk.byHand.add(kind);
  const calls = new Calls(clock, random, desk);
  const ask = (message: Draft = { ...ACQUIRE }, options: Partial<CallOptions> = {}) =>
    calls.ask(message, { route: 's', deadline: clock.now() + 5_000, ...options });
  return { clock, desk, calls, ask };
}

const peers = (desk: Desk) => desk.log.map(({ peer }) => peer).join(' ');
const repeats = (desk: Desk) => desk.log.map(({ message }) => 'repeat' in message && message.repeat);

describe('it is tried again', () => {
  test.each(['no_quorum', 'outcome_unknown', 'internal', 'overloaded', 'waiting'])(
    'after %s: at once at the next peer, under the same lock id',
    async (code) => {
      const { desk, ask } = scene();
      const asked = ask();
      desk.last('acquire').refuse(code);
      await settled();
      expect(peers(desk)).toBe('p1 p2');
      expect(repeats(desk)).toEqual([0, 1]);
      desk.last('acquire').answer(locked());
      expect((await asked).answer.kind).toBe('locked');
    },
  );

  test('after a break: marked as a repeat only if it may have been sent', async () => {
    const { desk, ask, clock } = scene();
    void ask().catch(() => undefined);
    desk.last('acquire').break(false);
    await settled();
    desk.last('acquire').break(true);
    await clock.pass(200);
    expect(peers(desk)).toBe('p1 p2 p3');
    expect(repeats(desk)).toEqual([0, 0, 1]);
  });

  test('pauses double from 50 ms to 2 s, but for the first, and are random', async () => {
    const draws: number[] = [];
    const { desk, ask, clock } = scene(() => draws.push(1) && 0.5);
    void ask(undefined, { deadline: clock.now() + 60_000 }).catch(() => undefined);
    const at: number[] = [];
    for (let i = 0; i < 9; i++) {
      at.push(clock.now());
      const { length } = desk.log;
      desk.last('acquire').refuse('no_quorum');
      for (let k = 0; k < 300 && desk.log.length === length; k++) await clock.pass(10);
    }
    const pauses = at.slice(1).map((time, i) => time - at[i]!);
    expect(pauses).toEqual([10, 50, 100, 200, 400, 800, 1_000, 1_000]);
    expect(draws.length).toBeGreaterThan(7);
    expect(peers(desk)).toBe('p1 p2 p3 p1 p2 p3 p1 p2 p3 p1');
  });

  test('where it waited as long as the peer takes, at the same peer and at once', async () => {
    const { desk, ask, clock } = scene();
    const message = { ...ACQUIRE, waitMs: 60_000 } as Draft;
    void ask(message, { deadline: clock.now() + 65_000, waitUntil: clock.now() + 60_000 });
    await clock.pass(10_000);
    desk.last('acquire').refuse('waiting');
    await settled();
    expect(peers(desk)).toBe('p1 p1');
    expect(desk.last('acquire').message).toMatchObject({ waitMs: 50_000, repeat: 1 });
    desk.last('acquire').refuse('waiting'); // at once: the peer is stopping
    await settled();
    expect(peers(desk)).toBe('p1 p1 p2');
  });

  test('a copy that has had its time is given up for another one', async () => {
    const { desk, ask, clock } = scene();
    const asked = ask(undefined, { patienceMs: 300 });
    await clock.pass(300);
    expect(desk.log[0]!.gone).toBe(true);
    expect(peers(desk)).toBe('p1 p2');
    desk.last('acquire').answer(locked());
    expect((await asked).sent.mono).toBe(clock.now());
  });

  test('one that was not sent is moved without a pause, and is no repeat', async () => {
    const { desk, ask } = scene();
    void ask();
    desk.last('acquire').move();
    await settled();
    expect(repeats(desk)).toEqual([0, 0]);
  });
});

describe('it is over', () => {
  test.each(['busy', 'not_found', 'stale_grant', 'deadlock', 'invalid_request', 'word of tomorrow'])(
    'after %s, which is an answer',
    async (code) => {
      const { desk, ask } = scene();
      const asked = ask();
      desk.last('acquire').refuse(code);
      expect((await asked).answer).toMatchObject({ kind: 'refused', body: { code } });
      expect(peers(desk)).toBe('p1');
    },
  );

  test('in time without an answer: unknown', async () => {
    const { desk, ask, clock } = scene();
    const asked = ask().catch((error) => error);
    await clock.pass(4_990);
    expect(await stateOf(asked)).toBe('open');
    await clock.pass(20);
    expect(await asked).toBeInstanceOf(OutcomeUnknownError);
    expect(desk.log[0]!.gone).toBe(true);
  });

  test('no peer can be reached: definite only if nothing was ever sent', async () => {
    for (const sent of [false, true]) {
      const { desk, ask, clock } = scene();
      const asked = ask().catch((error) => error);
      desk.last('acquire').break(sent);
      for (let i = 0; i < 60; i++) {
        await clock.pass(100);
        desk.last('acquire').break(false);
      }
      const error = await asked;
      expect(error).toBeInstanceOf(NoQuorumError);
      expect(error).toMatchObject({ certainty: sent ? 'indefinite' : 'definite', scope: 's', lockId: 'id' });
      expect(error.message).toContain('p1: cut');
    }
  });

  test('the last refusal is what is told, in doubt if an earlier copy was lost', async () => {
    for (const code of ['no_quorum', 'overloaded']) {
      const { desk, ask, clock } = scene();
      const asked = ask().catch((error) => error);
      if (code === 'no_quorum') desk.last('acquire').break(true);
      for (let i = 0; i < 60; i++) {
        await clock.pass(100);
        desk.last('acquire').refuse(code);
      }
      const error = await asked;
      expect(error).toBeInstanceOf(code === 'overloaded' ? OverloadedError : NoQuorumError);
      expect(error.certainty).toBe(code === 'overloaded' ? 'definite' : 'indefinite');
      expect(error.message).toBe(`It is ${code}.`);
    }
  });

  test('what is to be sent once is not sent again when it may have happened', async () => {
    const release: Draft = { kind: 'release', id: 0, scope: 's', lockId: null, holder: null, force: 'why' };
    const { desk, ask, clock } = scene();
    const asked = ask({ ...release }, { once: true }).catch((error) => error);
    desk.last('release').break(false);
    await settled();
    desk.last('release').refuse('no_quorum');
    await clock.pass(200);
    expect(peers(desk)).toBe('p1 p2 p3');
    desk.last('release').break(true);
    expect(await asked).toMatchObject({ code: 'outcome_unknown', certainty: 'indefinite' });

    const again = ask({ ...release }, { once: true }).catch((error) => error);
    desk.last('release').refuse('outcome_unknown');
    expect(await again).toMatchObject({ code: 'outcome_unknown' });
  });

  test('aborted: nothing is told, and whether it may have happened is', async () => {
    const { desk, calls, clock } = scene();
    const told: unknown[] = [];
    const sink = { done: () => told.push('done'), failed: () => told.push('failed') };
    const call = calls.start({ ...ACQUIRE }, { route: 's', deadline: clock.now() + 5_000 }, sink);
    expect(call.abort()).toBe(true);
    desk.log[0]!.answer(unlocked());
    await clock.pass(10_000);
    expect(told).toEqual([]);
  });

  test('all at once, and whatever is asked after that', async () => {
    const { calls, ask, clock } = scene();
    const asked = [ask(), ask()].map((one) => one.catch((error) => error.code));
    calls.endAll();
    expect(await Promise.all(asked)).toEqual(['outcome_unknown', 'outcome_unknown']);
    expect(await ask().catch((error) => error.certainty)).toBe('definite');
    await clock.pass(10_000);
    expect(clock.holding).toBe(0);
  });
});

test('a pause keeps the process running; a request under way does that by its socket', async () => {
  const { desk, ask, clock } = scene();
  void ask().catch(() => undefined);
  expect(clock.holding).toBe(0);
  desk.last('acquire').refuse('no_quorum');
  await settled();
  desk.last('acquire').refuse('no_quorum');
  expect(clock.holding).toBeGreaterThan(0);
  await clock.pass(200);
  desk.last('acquire').answer(locked());
  await clock.pass(6_000);
  expect(clock.holding).toBe(0);
});
