/** The session under which a gateway keeps the places of its clients (T6): by itself, and what its loss does. */
import { describe, expect, test } from 'vitest';
import type { Command, Outcome } from '../../../src/lock/command.ts';
import type { SessionId } from '../../../src/lock/state.ts';
import { GATEWAY_BEAT_MS, GATEWAY_TTL_MS } from '../../../src/peer/limits.ts';
import { OwnSession } from '../../../src/peer/own-session.ts';
import type { Finding } from '../../../src/peer/questions.ts';
import { scopeOfSession } from '../../../src/peer/sessions.ts';
import { Gate, grant, granted, unclaimed, waiting } from './gate.ts';

class Owner {
  now = 0;
  needed = true;
  readonly asked: string[] = [];
  readonly heard: string[] = [];
  private readonly done: ((now: number, finding: Finding) => void)[] = [];
  private ids = 0;
  readonly own = new OwnSession({
    freshId: () => `g${this.ids++}` as SessionId,
    ask: (_now, scope, command, _timeoutMs, done) => {
      const { kind, lockId } = command as Command & { lockId: string };
      expect(scope).toBe(scopeOfSession(lockId as SessionId));
      this.asked.push(`${kind} ${lockId}`);
      this.done.push((now, finding) => done(now, finding, undefined as never));
    },
    isNeeded: () => this.needed,
    onLost: () => this.heard.push('lost'),
    wall: () => 0,
  });

  whenOpen(name: string): void {
    this.own.whenOpen(this.now, (_now, open) => this.heard.push(`${name} ${open}`));
  }

  /** Answers the question with this index. */
  say(index: number, outcome: Outcome): void {
    this.done[index]!(this.now, { kind: 'decided', outcome, votes: 2, view: undefined as never });
  }

  fail(index: number): void {
    this.done[index]!(this.now, { kind: 'unknown', missing: 0 });
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.own.wakeAt <= end) {
      this.now = Math.max(this.now, this.own.wakeAt);
      this.own.wake(this.now);
    }
    this.now = end;
  }
}

const OPEN: Outcome = granted('g');
const BEATEN: Outcome = { kind: 'extended', grant: grant('g') };
const ENDED: Outcome = { kind: 'ended', ending: 'expired', token: 1 as never, note: null };

const opened = () => {
  const owner = new Owner();
  owner.whenOpen('a');
  owner.say(0, OPEN);
  return owner;
};

describe('opening', () => {
  test('once for all who come meanwhile; those who come later go on at once', () => {
    const owner = new Owner();
    owner.whenOpen('a');
    owner.whenOpen('b');
    expect([owner.asked, owner.heard]).toEqual([['acquire g0'], []]);
    owner.say(0, OPEN);
    owner.whenOpen('c');
    expect([owner.asked, owner.heard]).toEqual([['acquire g0'], ['a true', 'b true', 'c true']]);
  });

  test.each([
    ['no answer', (owner: Owner) => owner.fail(0)],
    ['it has ended', (owner: Owner) => owner.say(0, ENDED)],
  ])('%s: told, and that id is never tried again, for it may yet be opened', (_, happens) => {
    const owner = new Owner();
    owner.whenOpen('a');
    happens(owner);
    expect(owner.heard).toEqual(['a false']);
    owner.wait(60_000);
    owner.whenOpen('b');
    expect(owner.asked).toEqual(['acquire g0', 'acquire g1']);
  });
});

describe('beats', () => {
  test('leave in time for two of them to be missed', () => {
    const owner = opened();
    owner.wait(GATEWAY_BEAT_MS - 1);
    expect(owner.asked.length).toBe(1);
    owner.wait(1);
    expect(owner.asked).toEqual(['acquire g0', 'extend g0']);
    owner.say(1, BEATEN);
    owner.wait(GATEWAY_BEAT_MS);
    expect(owner.asked.length).toBe(3);
    expect(GATEWAY_BEAT_MS * 3).toBeLessThanOrEqual(GATEWAY_TTL_MS);
  });

  test('one without an answer is no loss', () => {
    const owner = opened();
    owner.wait(GATEWAY_BEAT_MS);
    owner.fail(1);
    owner.wait(GATEWAY_BEAT_MS);
    expect([owner.asked, owner.heard]).toEqual([['acquire g0', 'extend g0', 'extend g0'], ['a true']]);
  });

  test.each([
    ['ended', ENDED],
    ['unknown', { kind: 'not_found' } as Outcome],
  ])('the session is %s: lost, told once, and the next one has a new id', (_, outcome) => {
    const owner = opened();
    owner.wait(2 * GATEWAY_BEAT_MS);
    owner.say(1, outcome);
    owner.say(2, outcome);
    expect(owner.heard).toEqual(['a true', 'lost']);
    owner.wait(60_000);
    owner.whenOpen('b');
    expect(owner.asked.at(-1)).toBe('acquire g1');
    owner.say(2, outcome); // of the former
    expect(owner.heard).toEqual(['a true', 'lost']);
  });
});

describe('closing', () => {
  test('when nobody has waited for long; the next one who waits opens a new one', () => {
    const owner = opened();
    owner.needed = false;
    owner.wait(30_000);
    expect(owner.asked.at(-1)).toBe('extend g0');
    owner.wait(5_000);
    expect(owner.asked.at(-1)).toBe('release g0');
    owner.wait(60_000);
    expect(owner.asked.at(-1)).toBe('release g0');
    owner.whenOpen('b');
    expect(owner.asked.at(-1)).toBe('acquire g1');
  });

  test('not while anybody waits, nor soon after somebody came', () => {
    const owner = opened();
    owner.wait(120_000);
    owner.needed = false;
    owner.wait(28_000);
    owner.whenOpen('b');
    owner.wait(28_000);
    expect(owner.asked.filter((line) => line.startsWith('release'))).toEqual([]);
  });
});

describe('lost while clients wait', () => {
  const lost = () => {
    const gate = new Gate();
    const ids = [gate.waits(waiting('a')), gate.waits(waiting('b'))];
    gate.wait(GATEWAY_BEAT_MS);
    expect(gate.asked()).toContain('extend session g0 -> 0');
    gate.say('extend session g0', ENDED);
    return { gate, ids };
  };

  test('all of them ask again, with their lock ids, under a new session', () => {
    const { gate, ids } = lost();
    expect(gate.asked()).toEqual(['acquire session g1 -> 0']);
    gate.opened();
    expect(gate.asked()).toEqual(['acquire a -> 0', 'acquire b -> 0']);
    expect([gate.command('acquire a'), gate.command('acquire b')]).toMatchObject([
      { gateway: 'g1', again: false }, // a voter may still have it under the former one
      { gateway: 'g1', again: false },
    ]);
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.notice(unclaimed('a', 'g1'));
    gate.say('claim a', granted('a'));
    expect([gate.told(ids[0]!), gate.told(ids[1]!)]).toEqual(['granted a 2/3', undefined]);
  });

  test('the new one cannot be opened: unknown, for their places may still be there', () => {
    const { gate, ids } = lost();
    gate.refuse('acquire session g1');
    expect(ids.map((id) => gate.told(id))).toEqual(['unknown without anybody', 'unknown without anybody']);
  });

  test('a look that left under the former session is not believed', () => {
    const gate = new Gate();
    const id = gate.waits(waiting('a'));
    gate.wait(GATEWAY_BEAT_MS);
    gate.say('extend session g0', ENDED);
    gate.opened();
    gate.asked();
    gate.say('acquire a', { kind: 'queued', position: 1 });
    gate.say('look', { kind: 'state' }, { holders: [unclaimed('a', 'g0')] });
    expect([gate.askedOf('a'), gate.told(id)]).toEqual([[], undefined]);
  });

  test('a place that is kept between two polls is not asked for again: its client will', () => {
    const gate = new Gate();
    gate.waits(waiting('a', { pollMs: 500 }));
    gate.wait(GATEWAY_BEAT_MS);
    gate.asked();
    gate.say('extend session g0', ENDED);
    gate.wait(60_000);
    expect(gate.askedOf('a')).toEqual([]);
  });
});
