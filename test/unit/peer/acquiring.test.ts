/**
 * What an acquire asks before it asks for the lock (acquiring.ts, T5): whether its session lives, unless this peer's
 * own copy of it is alive.
 */
import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lock/command.ts';
import type { SessionId } from '../../../src/lock/state.ts';
import { openingOf } from '../../../src/peer/own-session.ts';
import { Peer } from '../../../src/peer/peer.ts';
import type { ClientRequest } from '../../../src/peer/request.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import { id, session } from '../lock/scene.ts';
import { acquire, BUSY, CANCELLED, Gate, grant, granted, waiting } from './gate.ts';
import { Home } from './home.ts';

const S = session('s');
const LOOKED: Outcome = { kind: 'state' };
/** The client names its session, not how long that lives. */
const lives = (implicit = false, ttlMs = 0) => ({ session: { id: S, ttlMs, implicit } });
const alive = { holders: [{ ...grant('s'), leaseMs: 6_000 }] };

describe('this peer’s own copy is alive', () => {
  const gateOf = (ttlMs = 6_000) => {
    const gate = new Gate();
    gate.ttls.set(S, ttlMs);
    return gate;
  };

  test('nobody is asked about the session: the lock is asked for at once, with the ttl', () => {
    const gate = gateOf();
    const number = gate.ask(acquire('a', lives()));
    expect(gate.asked()).toEqual(['acquire a -> 0']);
    expect(gate.command('acquire a')).toMatchObject({ session: 's', ttlMs: 6_000 });
    gate.say('acquire a', granted('a'));
    expect([gate.told(number), gate.asked()]).toEqual(['granted a 2/3', []]);
    expect(gate.heardBy(number)).toMatchObject({ countFromMs: 0, outcome: { repeat: false } });
  });

  test('who waits is asked for once this gateway’s session is open, as ever', () => {
    const gate = gateOf();
    const number = gate.ask(waiting('a', lives()));
    expect(gate.asked()).toEqual(['acquire session g0 -> 0']);
    gate.opened();
    expect(gate.asked()).toEqual(['acquire a -> 0']);
    expect(gate.command('acquire a')).toMatchObject({ session: 's', ttlMs: 6_000, wait: true });
    gate.wait(300);
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.wait(700);
    gate.notice({ ...grant('a'), session: S, leaseMs: 10_000 });
    expect(gate.told(number)).toBe('granted a 3/3');
    expect(gate.heardBy(number)).toMatchObject({ countFromMs: 0 });
  });

  test('a session that was found before is not looked for again, were its copy gone by then', () => {
    const gate = gateOf();
    const number = gate.ask(acquire('a', lives()));
    gate.ttls.clear();
    gate.say('acquire a', { kind: 'stale' }, { retirements: 200 });
    gate.say('acquire a', granted('a'));
    expect([gate.asked(), gate.told(number)]).toEqual([
      ['acquire a -> 0', 'acquire a -> 0'],
      'granted a 2/3',
    ]);
  });

  test('a refusal is told as ever, and the session is the client’s: it stays', () => {
    const gate = gateOf();
    const number = gate.ask(acquire('a', { ...lives(), repeat: 1 }));
    gate.say('acquire a', BUSY);
    gate.say('cancel a', CANCELLED);
    expect([gate.asked(), gate.told(number)]).toEqual([['acquire a -> 0', 'cancel a -> 0'], 'busy a 2/3']);
  });

  test('a session that is opened for this lock alone is opened all the same: that starts its count', () => {
    const gate = gateOf();
    gate.ask(acquire('a', lives(true, 6_000)));
    expect(gate.asked()).toEqual(['acquire session s -> 0']);
  });
});

describe('it has run out, or there is none', () => {
  const asking = () => {
    const gate = new Gate();
    gate.ttls.set(session('another'), 6_000);
    const number = gate.ask(acquire('a', lives()));
    expect(gate.asked()).toEqual(['read session s -> 0']);
    return { gate, number };
  };

  test('the session is read, and the lock asked for with what that says', () => {
    const { gate, number } = asking();
    gate.say('read session s', LOOKED, alive);
    expect(gate.command('acquire a')).toMatchObject({ session: 's', ttlMs: 6_000 });
    gate.say('acquire a', granted('a'));
    expect(gate.told(number)).toBe('granted a 2/3');
  });

  test('dead or unknown: that is told, and nothing is acquired', () => {
    const { gate, number } = asking();
    gate.say('read session s', LOOKED);
    expect([gate.asked(), gate.told(number)]).toEqual([[], 'no session s']);
  });
});

describe('whose copy it is', () => {
  const wants: ClientRequest = acquire('a', lives());
  /** What was said of the session since the client asked. */
  const askedBy = (home: Home) => {
    home.all();
    home.ask(wants);
    return home.all().filter((message) => 'scope' in message && message.scope === scopeOfSession(S)).length;
  };
  const open = (ttlMs = 5_000) => {
    const home = new Home();
    home.forward(1, openingOf(S, ttlMs, 'c', true, 9), scopeOfSession(S));
    return home;
  };

  test('a voter that has it, until it is over there', () => {
    const home = open();
    expect(askedBy(home)).toBe(0);
    home.wait(5_049);
    expect(askedBy(home)).toBe(0);
    home.wait(1);
    expect(askedBy(home)).toBeGreaterThan(0);
  });

  test('frozen or not', () => {
    const home = open(60_000);
    home.peer.forgetFree();
    expect(askedBy(home)).toBe(0);
  });

  test('a beat is a longer life', () => {
    const home = open();
    home.wait(4_000);
    const beat = { kind: 'extend', lockId: id('s'), leaseMs: 1, replaces: null } as const;
    home.forward(1, beat, scopeOfSession(S));
    home.wait(4_000);
    expect(askedBy(home)).toBe(0);
  });

  test('not a voter that never heard of it, nor one that knows that it was closed', () => {
    expect(askedBy(new Home())).toBeGreaterThan(0);
    const home = open();
    const closes = { kind: 'release', lockId: id('s'), gateway: null, force: null, at: 9 } as const;
    home.forward(1, closes, scopeOfSession(S));
    expect(askedBy(home)).toBeGreaterThan(0);
  });

  test('not an observer, who has none', () => {
    const config = { mesh: 'm', epoch: 1, voters: ['p1', 'p2', 'p3'], identity: 'o', boot: 1, wall: () => 9 };
    const observer = new Peer({ ...config, me: -1, random: () => 0.5 }, undefined, 0);
    for (const voter of [0, 1, 2]) observer.liveness(0, voter, true);
    observer.request(0, 1, wants, 5_000);
    const [frame] = observer.takeFrames().values();
    expect(frame!.messages).toMatchObject([
      { scope: scopeOfSession(S as SessionId), command: { kind: 'read' } },
    ]);
  });
});
