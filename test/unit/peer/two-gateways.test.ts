/**
 * One client at two gateways, or at one that lost its session: who waits where (T6), and who is told that it holds (T4).
 * The real gateways over one table (desk.ts).
 */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import { everybody } from '../../../src/lock/queue.ts';
import type { LockId, SessionId } from '../../../src/lock/state.ts';
import { GATEWAY_BEAT_MS, PLACE_KEPT_MS } from '../../../src/peer/limits.ts';
import type { ClientReply } from '../../../src/peer/request.ts';
import { sessionOfScope } from '../../../src/peer/sessions.ts';
import { type Decided, Desk } from './desk.ts';
import { acquire, release, SCOPE, waiting } from './gate.ts';

const A = 'a' as LockId;

/** Somebody else holds, and the client waits at gateway 0. */
function held(gateways = 2): { desk: Desk; first: () => ClientReply | undefined } {
  const desk = new Desk(gateways);
  desk.ask(0, acquire('other', { holder: 'bob' }));
  desk.wait(10);
  const first = desk.ask(0, waiting('a'));
  desk.wait(10);
  expect([...everybody(desk.state(SCOPE).queue)].map(({ lockId }) => lockId)).toEqual(['a']);
  return { desk, first };
}

const letGo = (desk: Desk) => desk.ask(0, release('other'));
const waitsAt = (desk: Desk) => [...everybody(desk.state(SCOPE).queue)].map(({ gateway }) => gateway);

describe('a place is not pulled back and forth', () => {
  const both = (alter?: (command: Command) => Command, more: object = {}) => {
    const { desk, first } = held();
    if (alter !== undefined) desk.alter = alter;
    const second = desk.ask(1, waiting('a', more)); // the first gateway does not know that its client is gone
    desk.wait(13_000);
    return { desk, first, second };
  };

  test.each([
    ['a repeat', { repeat: 1 }],
    ['one that was not counted', { repeat: 0 }],
  ])('%s moves it once; the former gateway tells that it waits', (_, more) => {
    const { desk, first, second } = both(undefined, more);
    expect(desk.moves().length).toBe(1);
    expect(waitsAt(desk)).toEqual(desk.moves());
    expect([first()?.kind, second()]).toEqual(['waiting', undefined]);
    letGo(desk);
    desk.wait(10);
    expect(second()).toMatchObject({ kind: 'decided', outcome: { kind: 'granted', grant: { lockId: 'a' } } });
  });

  test('it would be, if what a gateway asks again of itself moved it', () => {
    const { desk } = both((command) => (command.kind === 'acquire' ? { ...command, again: false } : command));
    expect(desk.moves().length).toBeGreaterThan(5);
  });

  test('nor by a request that shall not wait', () => {
    const { desk } = held();
    const asked = desk.ask(1, acquire('a', { repeat: 3 }));
    desk.wait(10);
    expect([desk.moves(), asked()]).toMatchObject([[], { kind: 'waiting', position: 1 }]);
  });

  test('a place that was parked is taken up by whoever asks', () => {
    const { desk } = held();
    desk.decide(SCOPE, { kind: 'park', lockId: A, gateway: waitsAt(desk)[0]!, at: 0 });
    desk.wait(3_000); // the look misses it, and its gateway asks again of itself
    expect([desk.moves().length, waitsAt(desk).length]).toEqual([1, 1]);
  });
});

describe('a grant that moved to another gateway before its claim came', () => {
  /** The claim of the first gateway is slow, and its client asks at the second one meanwhile. */
  const late = () => {
    const { desk, first } = held();
    desk.slowMs = (gateway, { kind }) => (gateway === 0 && kind === 'claim' ? 100 : 0);
    letGo(desk);
    desk.wait(20);
    const second = desk.ask(1, waiting('a', { repeat: 1 }));
    desk.wait(1_000);
    return { desk, first, second };
  };

  test('the second has claimed it by then: the first tells a repeat, which starts no count (T1)', () => {
    const { desk, first, second } = late();
    expect([first(), second()]).toMatchObject([
      { outcome: { kind: 'granted', repeat: true } },
      { outcome: { kind: 'granted', repeat: false } },
    ]);
    expect(desk.state(SCOPE).holders).toMatchObject([{ lockId: 'a', unclaimed: null }]);
  });

  test('the second has not claimed it yet: the first tells that it waits, for nobody holds', () => {
    const { desk, first } = held();
    desk.slowMs = (gateway, { kind }) => (kind === 'claim' ? 100 + 300 * gateway : 0);
    letGo(desk);
    desk.wait(20);
    const second = desk.ask(1, waiting('a', { repeat: 1 }));
    desk.wait(200);
    expect(desk.state(SCOPE).holders[0]!.unclaimed).not.toBeNull();
    expect([first(), second()]).toMatchObject([{ kind: 'waiting' }, undefined]);
    desk.wait(1_000);
    expect(second()).toMatchObject({ outcome: { kind: 'granted' } });
  });
});

describe('the former place ends', () => {
  test('after its time, when its client has long been waiting elsewhere: nothing happens to that', () => {
    const { desk } = held();
    desk.ask(0, waiting('a', { pollMs: 500 }));
    desk.wait(600); // kept at the first
    const second = desk.ask(1, waiting('a', { repeat: 1 }));
    desk.wait(PLACE_KEPT_MS + 2_000);
    expect([waitsAt(desk).length, second()]).toEqual([1, undefined]);
    expect(desk.decisions.map(({ command: { kind } }) => kind)).not.toContain('cancel');
  });
});

describe('nobody waits at a gateway whose session is not open', () => {
  /** Those who came to wait at a session that had not been opened by then. */
  const unopened = ({ log }: Desk): string[] => {
    const open = new Set<string>();
    const wrong: string[] = [];
    for (const { scope, outcome, events, command } of log) {
      const session = sessionOfScope(scope);
      if (session !== undefined && outcome.kind === 'granted') open.add(session);
      for (const gateway of events.flatMap(gatewayOf)) {
        if (!open.has(gateway)) wrong.push(`${command.kind} at ${gateway}`);
      }
    }
    return wrong;
  };
  const gatewayOf = (event: Decided['events'][number]): SessionId[] => {
    if (event.kind === 'queued') return [event.waiter.gateway];
    if (event.kind === 'moved') return [event.gateway];
    return event.kind === 'upgrading' && event.upgrade !== null ? [event.upgrade.gateway] : [];
  };
  /** The session of gateway 0 ends without its knowledge, and its places with it. */
  const dies = (desk: Desk) => {
    const gateway = waitsAt(desk)[0]!;
    const lockId = gateway as string as LockId;
    const scope = desk.log.find((decided) => sessionOfScope(decided.scope) === gateway)!.scope;
    desk.decide(scope, { kind: 'release', lockId, gateway: null, force: null, at: 0 });
    return () => desk.decide(SCOPE, { kind: 'sweep', session: gateway, at: 0 });
  };

  test('the first opening is slow, or lost', () => {
    for (const lost of [false, true]) {
      const desk = new Desk(1);
      desk.loses = (_, __, scope) => lost && sessionOfScope(scope) !== undefined;
      desk.slowMs = (_, __, scope) => (sessionOfScope(scope) !== undefined ? 300 : 0);
      desk.ask(0, acquire('other', { holder: 'bob' }));
      const asked = desk.ask(0, waiting('a'), 1_000);
      desk.wait(5_000);
      expect(unopened(desk)).toEqual([]);
      expect([waitsAt(desk).length, asked()?.kind]).toEqual(lost ? [0, 'no_quorum'] : [1, undefined]);
    }
  });

  test('it died, and its places were swept or not yet: all of them wait under the next one', () => {
    for (const swept of [false, true]) {
      const { desk, first } = held(1);
      const sweep = dies(desk);
      if (swept) sweep();
      desk.wait(2 * GATEWAY_BEAT_MS + 1_500);
      expect(unopened(desk)).toEqual([]);
      expect([waitsAt(desk).length, first()]).toEqual([1, undefined]);
      letGo(desk);
      desk.wait(100);
      expect(first()).toMatchObject({ outcome: { kind: 'granted' } });
    }
  });

  // Fails today: what is asked again after a claim, or after a stale answer, does not wait for the next opening.
  test('it dies while a claim is under way, which then comes too late', () => {
    const { desk } = held(1);
    const sweep = dies(desk);
    desk.wait(GATEWAY_BEAT_MS - 100);
    desk.slowMs = (_, { kind }) => (kind === 'claim' ? 390 : 0);
    letGo(desk);
    desk.wait(20);
    sweep();
    desk.ask(0, acquire('next', { holder: 'carol' }));
    desk.wait(3_000);
    expect(unopened(desk)).toEqual([]);
  });

  test('it dies while an acquire is under way that is stale, and goes again', () => {
    const { desk } = held(1);
    dies(desk);
    desk.wait(GATEWAY_BEAT_MS - 60 - desk.now);
    desk.slowMs = (_, { kind }, scope) =>
      kind !== 'acquire' ? 0 : sessionOfScope(scope) === undefined ? 80 : 300;
    desk.ask(0, waiting('b', { holder: 'dave' }));
    for (let i = 0; i < 70; i++) {
      const none = { gateway: null, token: 0 as never, at: 0 };
      desk.decide(SCOPE, { kind: 'cancel', lockId: `z${i}` as LockId, ...none });
    }
    desk.wait(3_000);
    expect(desk.log.map(({ outcome }) => outcome.kind)).toContain('stale');
    expect(unopened(desk)).toEqual([]);
  });
});
