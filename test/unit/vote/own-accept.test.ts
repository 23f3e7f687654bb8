/**
 * What a proposer sends its own voter tells what the events lead to (`after`), so that this need not be found out
 * twice: it is what the other voters make of the events, it stays on this peer, and it counts where events count only.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evolveAll } from '../../../src/lock/event.ts';
import { EMPTY, type LockState } from '../../../src/lock/state.ts';
import { applyAccept, loadRegister, rowOfAccept } from '../../../src/vote/acceptor.ts';
import { NO_BALLOT } from '../../../src/vote/ballot.ts';
import type { Accept } from '../../../src/vote/messages.ts';
import { voteFromWire, voteToWire } from '../../../src/vote/wire.ts';
import { play, scene } from '../lock/moves.ts';
import { acquire, ballot, Host, heldByAlice, READ, release, SCOPE } from './host.ts';

const B1 = ballot(1);

/** Also keeps what is sent to whom. */
class Sender extends Host {
  readonly accepts: { readonly to: number; readonly accept: Accept }[] = [];

  override send(to: number, message: Parameters<Host['send']>[1]): void {
    super.send(to, message);
    if (message.kind === 'accept') this.accepts.push({ to, accept: message });
  }

  /** The accepts since the last call, each once: what this peer was sent, and what another. */
  taken(): { readonly own: Accept; readonly other: Accept }[] {
    const all = this.accepts.splice(0);
    const others = all.filter(({ to }) => to === 1).map(({ accept }) => accept);
    return all.filter(({ to }) => to === 0).map(({ accept: own }, i) => ({ own, other: others[i]! }));
  }
}

function leading(): Sender {
  const sender = new Sender();
  sender.lead();
  sender.accepted([0, 1, 2], B1, 1);
  sender.taken();
  return sender;
}

describe('what is sent', () => {
  test('to this peer the state beside the events, to others the events', () => {
    const sender = leading();
    sender.ask('a', release('a'));
    const { own, other } = sender.taken()[0]!;
    expect(own).toEqual({
      ...other,
      after: expect.objectContaining({ token: 1, holders: [], retirements: 1 }),
    });
    expect([other.state, 'after' in other]).toEqual([null, false]);
    expect(own.events).toBe(other.events);
  });

  test('for all that shares a stamp, the state after the last of it', () => {
    const sender = new Sender();
    const tasks = [acquire('a'), release('a'), acquire('b'), acquire('c'), release('b')];
    sender.ask('first', acquire('0'));
    sender.promised([0, 1], B1);
    const first = sender.taken()[0]!.own;
    for (let i = 0; i < 8; i++) sender.ask('fills', READ); // until no more may be under way
    for (const [i, command] of [release('0'), ...tasks].entries()) sender.ask(`${i}`, command);
    sender.taken();
    sender.accepted([0, 1], B1, 8);
    const { own } = sender.taken().find(({ own: one }) => one.events !== null)!;
    expect(own.events!.length).toBeGreaterThan(4);
    expect(own.after).toEqual(evolveAll(first.state!, own.events!));
  });

  test('not with a state, a probe, or what is sent again', () => {
    const sender = new Sender();
    sender.lead();
    sender.ask('busy', acquire('b'));
    sender.wait(1_000);
    sender.gap(0, B1, 1);
    const kinds = sender.taken().map(({ own }) => [own.state !== null, own.events, 'after' in own]);
    expect(kinds.length).toBeGreaterThan(2);
    expect(kinds.every(([, events, after]) => events === null && after === false)).toBe(true);
  });

  test('never on a wire', () => {
    const sender = leading();
    sender.ask('a', release('a'));
    const { own, other } = sender.taken()[0]!;
    expect(voteToWire(own)).toEqual(voteToWire(other));
    expect(voteFromWire(voteToWire(own))).toEqual(other);
  });
});

test('whatever is decided, this voter holds what the others make of the events', () => {
  fc.assert(
    fc.property(scene, ({ worn, moves }) => {
      const registers = [0, 1].map(() => loadRegister(undefined, NO_BALLOT, 0));
      let version = 0;
      let now = 0;
      const accept = (events: Accept['events'], state: LockState | null, after?: LockState) => {
        version++;
        now += 7;
        for (const [i, register] of registers.entries()) {
          const body = { events, state, ...(i === 0 && after !== undefined ? { after } : {}) };
          const message: Accept = {
            kind: 'accept',
            scope: SCOPE,
            ballot: B1,
            version,
            seq: version,
            ...body,
          };
          applyAccept(register, message, rowOfAccept(register, message, 10), now);
        }
      };
      for (const { before, events, told } of play(worn, moves.slice(0, 40))) {
        if (version === 0) accept(null, before);
        if (events.length > 0) accept(events, null, told);
        if (!isDeepStrictEqual(registers[0], registers[1])) expect(registers[0]).toEqual(registers[1]);
      }
    }),
    { numRuns: 200 },
  );
});

describe('what is accepted', () => {
  const after = heldByAlice('new', 9);
  const registerOf = (version: number) => {
    const register = loadRegister({ ballot: B1, version, state: EMPTY }, B1, 0);
    const take = (more: Partial<Accept>) => {
      const parts = { events: null, state: null, ...more };
      const message: Accept = { kind: 'accept', scope: SCOPE, ballot: B1, version: 2, seq: 1, ...parts };
      const row = rowOfAccept(register, message, 10);
      applyAccept(register, message, row, 5);
      return row;
    };
    return { register, take };
  };

  test('where events would be: what they lead to, as it is told', () => {
    const { register, take } = registerOf(1);
    expect(take({ events: [], after })).toBe('H');
    expect(register).toMatchObject({ version: 2, noted: [5] });
    expect(register.state).toBe(after);
  });

  test('not where the state before them is missing, or they came already', () => {
    for (const [version, row] of [
      [0, 'I'],
      [2, 'F'],
      [3, 'F'],
    ] as const) {
      const { register, take } = registerOf(version);
      expect(take({ events: [], after })).toBe(row);
      expect(register).toMatchObject({ version, state: EMPTY, noted: [] });
    }
  });
});
