/** What is in memory of a voter's scopes (scopes.ts): what is frozen, what never is, and what thaws and when. */
import { describe, expect, test } from 'vitest';
import type { LockState } from '../../../src/lock/state.ts';
import {
  FREEZE_EVERY_MS,
  FREEZE_HOLDERS_MAX,
  FREEZE_IDLE_MS,
  FREEZE_SCOPES,
  WARM_SCOPES,
} from '../../../src/peer/limits.ts';
import { ScopeWatch } from '../../../src/peer/scope-watch.ts';
import type { Entry } from '../../../src/peer/scopes.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import { GATEWAY, held as grant, id, scope, unclaimed, waiter } from '../lock/scene.ts';
import { Host, READ } from '../vote/host.ts';
import { ballot, free } from './seat.ts';
import { heldFor, Shelf } from './shelf.ts';

const NEVER = Number.POSITIVE_INFINITY;
const HOUR = 3_600_000;
const reader = (lockId: string) => grant(id(lockId), 'read', 1, { leaseMs: 0 });
const readers = (count: number) =>
  scope({ holders: Array.from({ length: count }, (_, i) => reader(`r${i}`)) });

describe('what is frozen', () => {
  test.each<readonly [string, LockState]>([
    ['what is held', heldFor(HOUR)],
    ['what never expires', heldFor(0)],
    ['what a few read', readers(FREEZE_HOLDERS_MAX)],
    ['what was not claimed yet', scope({ holders: [unclaimed(waiter(id('w'), 1), 1)] })],
  ])('%s', (_, state) => {
    const shelf = new Shelf();
    const { register } = shelf.has('s', state);
    expect(shelf.scopes.forgetFree()).toBe(0);
    expect([shelf.warm('s'), shelf.scopes.size]).toEqual([[], 1]);
    expect(shelf.scopes.get('s').register).toEqual({ ...register, write: 0 });
  });

  const asks = (shelf: Shelf, entry: Entry) => {
    const read = { command: READ, deadline: 9_000, from: 0, request: 1, sent: false };
    shelf.scopes.proposerOf(entry).submit(new Host(), read);
    return entry;
  };
  test('what a command has waited for, once it is settled', () => {
    const shelf = new Shelf();
    const { proposer } = asks(shelf, shelf.has('s', heldFor(HOUR)));
    const host = new Host();
    const accepted = { ballot: NO_BALLOT, version: 0 };
    const says = { promised: NO_BALLOT, accepted, flushed: true, overdue: [], dueMs: -1 };
    for (const from of [0, 1])
      proposer!.onReport(host, from, { kind: 'report', scope: 's', ask: 1, ...says });
    expect(host.told()).toEqual([expect.stringContaining('state')]);
    shelf.scopes.forgetFree();
    expect([shelf.warm('s'), shelf.scopes.get('s').proposer]).toEqual([[], undefined]);
  });

  const held = { holders: [reader('a'), reader('b')] };
  const waits = waiter(id('w'), 1);

  test.each<readonly [string, (entry: Entry, shelf: Shelf) => unknown]>([
    ['it is free', (entry, shelf) => shelf.turns(entry, free(3))],
    ['somebody waits', (entry, shelf) => shelf.turns(entry, scope({ ...held, waits: [waits] }))],
    ['a place is kept', (entry, shelf) => shelf.turns(entry, scope({ ...held, parked: [waits] }))],
    [
      'a reader waits to write',
      (entry, shelf) =>
        shelf.turns(entry, scope({ ...held, upgrade: { lockId: id('a'), gateway: GATEWAY } })),
    ],
    ['many hold it', (entry, shelf) => shelf.turns(entry, readers(FREEZE_HOLDERS_MAX + 1))],
    ['it is watched', (entry) => Object.assign(entry, { watch: new ScopeWatch('s', entry.register, 0) })],
    ['a command waits here', (entry, shelf) => asks(shelf, entry)],
    ['it is not on disk, or a message waits', (entry, shelf) => shelf.unsettled.add(entry.register)],
    ['it is to be written whole', (entry) => Object.assign(entry, { news: null })],
    ['what is on disk is older', (entry) => entry.register.version++],
    ['its lease is over', (_, shelf) => Object.assign(shelf, { now: 61_000 })],
    ['its lease is over within the second', (_, shelf) => Object.assign(shelf, { now: 60_000 })],
  ])('never: %s', (_, happens) => {
    const shelf = new Shelf();
    const entry = shelf.has('s', heldFor(60_000));
    shelf.has('other', heldFor(0));
    happens(entry, shelf);
    shelf.scopes.forgetFree();
    expect([shelf.scopes.warm('s'), shelf.warm('other')]).toEqual([entry, []]);
  });
});

describe('when', () => {
  test('not as long as few enough are warm: then there is nothing to wake for', () => {
    const shelf = new Shelf();
    shelf.hold(WARM_SCOPES);
    shelf.has('free', free(1)); // those have a bound of their own
    expect([shelf.scopes.nextWake, shelf.warmth(WARM_SCOPES)]).toEqual([NEVER, WARM_SCOPES]);
    shelf.has('one more', heldFor(0));
    expect(shelf.scopes.nextWake).toBe(FREEZE_EVERY_MS);
    expect(shelf.wait(60_000)).toBeGreaterThan(0);
    expect([shelf.warmth(WARM_SCOPES) + shelf.warm('one more').length, shelf.warm('free')]).toEqual([
      WARM_SCOPES,
      ['free'],
    ]);
    expect(shelf.scopes.nextWake).toBe(NEVER);
  });

  test('no more than so many at a time, and so often; not what is used meanwhile; then all is quiet', () => {
    const many = WARM_SCOPES + 5 * FREEZE_SCOPES;
    const used = Array.from({ length: 50 }, (_, i) => `s${i * 37}`);
    const shelf = new Shelf();
    shelf.hold(many);
    const entries = used.map((name) => shelf.scopes.get(name));
    let last = many;
    const began = shelf.now;
    for (let turns = 0; shelf.scopes.nextWake < NEVER; turns++) {
      expect(turns).toBeLessThan(100);
      const pause = shelf.scopes.nextWake - shelf.now;
      expect(pause).toBeGreaterThanOrEqual(FREEZE_EVERY_MS);
      expect(shelf.wait(pause)).toBe(1);
      for (const name of used) shelf.scopes.get(name);
      const warm = shelf.warmth(many);
      expect(last - warm).toBeLessThanOrEqual(FREEZE_SCOPES);
      if (shelf.now < began + FREEZE_IDLE_MS) expect(warm, 'none has rested for long enough').toBe(many);
      last = warm;
    }
    expect([last, shelf.scopes.size]).toEqual([WARM_SCOPES, many]);
    expect(used.filter((name, i) => shelf.scopes.warm(name) !== entries[i])).toEqual([]);
    expect(shelf.due()).toEqual([]);
  });

  test('again once too many have thawed', () => {
    const shelf = new Shelf();
    shelf.hold(WARM_SCOPES + 10);
    shelf.wait(60_000);
    for (let i = 0; i < WARM_SCOPES + 10; i++) shelf.scopes.get(`s${i}`);
    expect(shelf.warmth(WARM_SCOPES + 10)).toBe(WARM_SCOPES + 10);
    expect(shelf.scopes.nextWake).toBe(shelf.now + FREEZE_EVERY_MS);
    shelf.wait(60_000);
    expect(shelf.warmth(WARM_SCOPES + 10)).toBe(WARM_SCOPES);
  });

  test('what is given up by hand goes below that', () => {
    const shelf = new Shelf();
    shelf.hold(10);
    shelf.scopes.forgetFree();
    expect([shelf.warmth(10), shelf.scopes.size]).toEqual([0, 10]);
  });

  test('a start keeps no more warm than it may, from its first moment', () => {
    const shelf = new Shelf();
    const many = WARM_SCOPES + 300;
    for (let i = 0; i < many; i++) {
      shelf.scopes.begin(`s${i}`, { ballot: ballot(1), version: 1, state: heldFor(HOUR) });
    }
    expect([shelf.warmth(many), shelf.scopes.size]).toEqual([WARM_SCOPES, many]);
    const over = HOUR * 1.01;
    expect(shelf.wait(over - 1_000)).toBeLessThan(5);
    shelf.wait(1_000);
    expect(new Set(shelf.due()).size).toBe(many);
  });
});

describe('what thaws', () => {
  const frozen = (state = heldFor(HOUR)) => {
    const shelf = new Shelf();
    const entry = shelf.has('s', state);
    shelf.scopes.forgetFree();
    return { shelf, entry };
  };

  test.each(['get', 'peek'] as const)(
    'what is asked for (%s): with its figures, and read from no disk',
    (how) => {
      const shelf = new Shelf();
      const figures = { acquires: 7, conflicts: 3, holds: 2, heldMs: 1.5 };
      const { register } = Object.assign(shelf.has('s', heldFor(HOUR)), figures);
      register.promised = ballot(9);
      shelf.now = 250.5;
      shelf.turns(shelf.scopes.get('s'), heldFor(2 * HOUR, 'b'));
      shelf.scopes.forgetFree();
      shelf.disk.clear();
      const back = shelf.scopes[how]('s')!;
      expect(back).toMatchObject({ scope: 's', news: [], written: 2, free: false, ...figures });
      expect(back.register).toEqual({ ...register, noted: [251], write: 0 });
      expect([shelf.scopes.warm('s'), shelf.scopes.size]).toEqual([back, 1]);
    },
  );

  test('not what is only looked at', () => {
    const { shelf } = frozen();
    expect(shelf.scopes.state('s')).toEqual(heldFor(HOUR));
    expect([...shelf.scopes.all()].map(([name, { state }]) => [name, state])).toEqual([['s', heldFor(HOUR)]]);
    expect([shelf.warm('s'), shelf.scopes.size]).toEqual([[], 1]);
    expect([shelf.scopes.peek('t'), shelf.scopes.state('t')]).toEqual([undefined, undefined]);
  });

  test('what is due: to the millisecond, and not before its second', () => {
    const shelf = new Shelf();
    shelf.now = 345;
    shelf.has('s', heldFor(5_000)); // over at 345 + 5,050
    shelf.scopes.forgetFree();
    expect(shelf.scopes.nextWake).toBe(5_000);
    shelf.wait(4_654);
    expect([shelf.warm('s'), shelf.due()]).toEqual([[], []]);
    shelf.wait(395);
    expect([shelf.warm('s'), shelf.due()]).toEqual([['s'], []]);
    expect(shelf.scopes.nextWake).toBe(5_395);
    shelf.wait(1);
    expect(shelf.due()).toEqual(['s at 5395']);
  });

  test('what has been due for long, as a late wake finds', () => {
    const { shelf } = frozen(heldFor(5_000));
    shelf.now = 1e6;
    shelf.wake();
    expect(shelf.due()).toEqual(['s at 1000000']);
  });

  test('each of many at its time, whether frozen or warm', () => {
    const shelf = new Shelf();
    const names = Array.from({ length: 500 }, (_, i) => `s${i}`);
    for (const [i, name] of names.entries()) shelf.has(name, heldFor(100 * ((i * 7919) % 977)));
    shelf.scopes.forgetFree();
    for (const name of names) if (name.endsWith('3')) shelf.scopes.get(name);
    shelf.wait(200_000);
    const due = names.flatMap((name, i) => {
      const leaseMs = 100 * ((i * 7919) % 977);
      return leaseMs === 0 ? [] : [`${name} at ${leaseMs * 1.01}`];
    });
    expect(new Set(shelf.due())).toEqual(new Set(due));
  });

  test('of thousands that are due within one second, so many at a time; none is left out', () => {
    const many = 3 * FREEZE_SCOPES;
    const shelf = new Shelf();
    shelf.hold(many, 10_000);
    shelf.scopes.forgetFree();
    shelf.now = 10_100;
    const sizes: number[] = [];
    while (shelf.scopes.nextWake <= shelf.now) {
      shelf.wake();
      sizes.push(shelf.due().length);
    }
    expect(sizes).toEqual([FREEZE_SCOPES, FREEZE_SCOPES, FREEZE_SCOPES]);
    expect(shelf.warmth(many)).toBe(many);
  });
});

describe('a scope that thaws is due no more as it was when it froze', () => {
  test('extended, and frozen again: only the new lease wakes', () => {
    const shelf = new Shelf();
    shelf.has('s', heldFor(HOUR));
    for (let i = 1; i <= 20; i++) {
      shelf.scopes.forgetFree();
      shelf.now = i * 30_000;
      shelf.turns(shelf.scopes.get('s'), heldFor(HOUR, `lease ${i}`));
    }
    shelf.scopes.forgetFree();
    const over = 600_000 + HOUR * 1.01;
    expect(shelf.scopes.nextWake).toBe(Math.floor(over / 1_000) * 1_000);
    expect(shelf.wait(over)).toBe(1);
    expect(shelf.due()).toEqual([`s at ${over}`]);
  });

  test('extended for ever, and frozen again: nothing wakes', () => {
    const shelf = new Shelf();
    shelf.has('s', heldFor(HOUR));
    shelf.scopes.forgetFree();
    shelf.turns(shelf.scopes.get('s'), heldFor(0));
    shelf.scopes.forgetFree();
    expect([shelf.warm('s'), shelf.scopes.nextWake]).toEqual([[], NEVER]);
  });

  test('others that are due within the same second stay due', () => {
    const shelf = new Shelf();
    for (const name of ['a', 'b', 'c']) shelf.has(name, heldFor(HOUR));
    shelf.scopes.forgetFree();
    shelf.turns(shelf.scopes.get('b'), heldFor(0));
    shelf.scopes.forgetFree();
    shelf.wait(HOUR * 1.01);
    expect([shelf.due(), shelf.warm('b')]).toEqual([['a at 3636000', 'c at 3636000'], []]);
  });
});

describe('what is listed', () => {
  test('both forms, each scope once', () => {
    const shelf = new Shelf();
    shelf.hold(20);
    shelf.has('free', free(1));
    shelf.scopes.forgetFree();
    for (const name of ['s3', 's4']) shelf.scopes.get(name);
    shelf.has('new', heldFor(0));
    const names = [...shelf.scopes.all()].map(([name]) => name);
    expect([names.length, new Set(names).size, shelf.scopes.size]).toEqual([22, 22, 22]);
  });

  test('all of it, though a scope freezes or thaws while the list is walked', () => {
    for (let first = 0; first < 12; first++) {
      const shelf = new Shelf();
      shelf.hold(12);
      shelf.scopes.forgetFree();
      for (let i = 0; i < 6; i++) shelf.scopes.get(`s${i}`);
      const names: string[] = [];
      for (const [name, { state }] of shelf.scopes.all()) {
        names.push(name);
        expect(state).toEqual(heldFor(0));
        if (names.length === 3) shelf.scopes.forgetFree();
        if (names.length === first) for (let i = 0; i < 12; i++) shelf.scopes.get(`s${i}`);
        if (names.length === first + 2) shelf.scopes.forgetFree();
      }
      expect(names.sort()).toEqual(Array.from({ length: 12 }, (_, i) => `s${i}`).sort());
    }
  });
});
