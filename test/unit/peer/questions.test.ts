/** questions.ts by itself: which copies leave, what their answers come to, and that it is told once. */
import { describe, expect, test } from 'vitest';
import type { Command } from '../../../src/lock/command.ts';
import type { LockId } from '../../../src/lock/state.ts';
import type { Forward, Verdict } from '../../../src/peer/messages.ts';
import { type Finding, type Question, Questions } from '../../../src/peer/questions.ts';
import { release } from '../vote/host.ts';

const FIRST = 500;
const COMMAND = release('a');

class Desk {
  readonly dead = new Set<number>();
  readonly sent: { readonly to: number; readonly message: Forward }[] = [];
  readonly findings: string[] = [];
  now = 0;
  readonly questions = new Questions(
    {
      voters: 3,
      line: () => [1, 2, 0],
      alive: (voter) => !this.dead.has(voter),
      forward: (to, message) => this.sent.push({ to, message }),
    },
    FIRST,
  );

  ask(command: Command = COMMAND, deadline = 1_000, done: Question['done'] = this.note): Question {
    return this.questions.ask(this.now, 's', command, deadline, done);
  }

  private readonly note = (now: number, finding: Finding) => {
    const missing = 'missing' in finding ? ` ${finding.missing.toString(2)}` : '';
    this.findings.push(`${finding.kind}${missing} at ${now}`);
  };

  /** Answers a copy, the first being 0. */
  say(copy: number, verdict: Verdict): void {
    this.questions.onVerdict(this.now, FIRST + copy, verdict);
  }

  wait(ms: number): void {
    const end = this.now + ms;
    while (this.questions.nextWake <= end) {
      this.now = Math.max(this.now, this.questions.nextWake);
      this.questions.wake(this.now);
    }
    this.now = end;
  }

  get to(): number[] {
    return this.sent.map(({ to }) => to);
  }
}

const decided = (kind: 'not_found' | 'stale') =>
  ({ kind: 'decided', outcome: { kind }, votes: 2, view: {} }) as unknown as Verdict;
const noQuorum = (missing = 0): Verdict => ({ kind: 'no_quorum', missing });
const UNKNOWN: Verdict = { kind: 'unknown' };
const OVERLOADED: Verdict = { kind: 'overloaded', limit: 'x' };

describe('copies', () => {
  test('each goes to the next in line that looks alive, with a number of its own', () => {
    const desk = new Desk();
    desk.dead.add(2);
    desk.ask();
    desk.wait(800);
    expect(desk.to).toEqual([1, 0, 1]);
    expect(desk.sent.map(({ message }) => message.request)).toEqual([FIRST, FIRST + 1, FIRST + 2]);
    for (const { message } of desk.sent) expect(message).toMatchObject({ scope: 's', command: COMMAND });
  });

  test('what was decided is told once, and nothing is left to wake for', () => {
    const desk = new Desk();
    desk.ask();
    desk.wait(400);
    desk.say(1, decided('not_found'));
    expect([desk.findings, desk.questions.nextWake]).toEqual([['decided at 400'], Number.POSITIVE_INFINITY]);
    desk.say(0, decided('not_found'));
    desk.say(1, noQuorum());
    desk.questions.onDead(400, 1);
    desk.wait(5_000);
    expect([desk.findings.length, desk.to]).toEqual([1, [1, 2]]);
  });

  test('closed: no answer is heard, no copy leaves', () => {
    const desk = new Desk();
    const question = desk.ask();
    desk.questions.close(question);
    desk.say(0, decided('not_found'));
    desk.questions.onDead(0, 1);
    desk.wait(5_000);
    expect([desk.findings, desk.to]).toEqual([[], [1]]);
  });

  test('a peer that dies is left at once, but only by those who wait for it', () => {
    const desk = new Desk();
    desk.ask();
    desk.wait(400);
    desk.dead.add(1);
    desk.questions.onDead(400, 1); // the second copy is with 2
    expect(desk.to).toEqual([1, 2]);
    desk.dead.add(2);
    desk.questions.onDead(400, 2);
    expect(desk.to).toEqual([1, 2, 0]);
  });

  test('the time for an answer is not over before the question is', () => {
    const desk = new Desk();
    desk.ask(COMMAND, 100);
    desk.wait(5_000);
    expect([desk.to, desk.findings]).toEqual([[1], ['unknown 0 at 100']]);
  });
});

describe('no quorum, only if every peer that was asked says so (V10)', () => {
  test('all said so: with all that any of them missed, and who looks dead', () => {
    const desk = new Desk();
    desk.ask();
    desk.say(0, noQuorum(0b001));
    desk.say(1, noQuorum(0b100));
    expect(desk.findings).toEqual([]);
    desk.dead.add(1);
    desk.say(2, noQuorum());
    expect([desk.to, desk.findings]).toEqual([[1, 2, 0], ['no_quorum 111 at 0']]);
  });

  test('peers that look dead are not asked for it', () => {
    const desk = new Desk();
    desk.dead.add(2).add(0);
    desk.ask();
    desk.say(0, noQuorum());
    expect([desk.to, desk.findings]).toEqual([[1], ['no_quorum 101 at 0']]);
  });

  test.each([
    ['is silent', (desk: Desk) => desk.wait(400)],
    ['does not know', (desk: Desk) => desk.say(0, UNKNOWN)],
  ])('one of them %s: nobody can tell, and it is said no sooner than it must be', (_, first) => {
    const desk = new Desk();
    desk.ask();
    first(desk);
    desk.say(1, noQuorum());
    desk.say(2, noQuorum());
    expect(desk.findings).toEqual([]);
    desk.wait(1_000 - desk.now - 1);
    expect(desk.findings).toEqual([]);
    desk.wait(1);
    expect(desk.findings).toEqual(['unknown 0 at 1000']);
  });

  test.each([
    ['read', { kind: 'read' }],
    ['look', { kind: 'look', gateway: 'g' as never }],
  ] as const)('a %s cannot have happened', (_, command) => {
    const desk = new Desk();
    desk.ask(command);
    desk.wait(1_000);
    expect(desk.findings).toEqual(['no_quorum 0 at 1000']);
  });

  test('a limit that the only copy met is told; after other copies it is just one that came to nothing', () => {
    const desk = new Desk();
    desk.ask();
    desk.say(0, OVERLOADED);
    expect([desk.findings, desk.to]).toEqual([['overloaded at 0'], [1]]);

    const other = new Desk();
    other.ask();
    other.wait(400);
    other.say(1, OVERLOADED);
    expect([other.findings, other.to]).toEqual([[], [1, 2, 0]]);
    other.wait(1_000);
    expect(other.findings).toEqual(['unknown 0 at 1000']);
  });
});

describe('stale (L4): that copy can never come to anything', () => {
  const NEWER: Command = { kind: 'reap', lockId: 'newer' as LockId, at: 0 };
  /** Asks again whenever it is told stale, as who asks must. */
  const asking = (deadline = 1_000) => {
    const desk = new Desk();
    const copies: number[] = [];
    desk.ask(COMMAND, deadline, (now, finding, question) => {
      if (finding.kind === 'decided' && finding.outcome.kind === 'stale') {
        desk.questions.again(now, question, NEWER);
        copies.push(question.copies);
      } else desk.findings.push(`${finding.kind} at ${now}`);
    });
    return { desk, copies };
  };

  test('the same peer is asked anew, and it still counts as one copy', () => {
    const { desk, copies } = asking();
    desk.say(0, decided('stale'));
    desk.say(1, decided('stale'));
    expect([desk.to, copies, desk.findings]).toEqual([[1, 1, 1], [1, 1], []]);
    expect(desk.sent[2]!.message).toMatchObject({ request: FIRST + 2, command: NEWER });
    desk.say(0, decided('not_found')); // of a copy that was settled
    expect(desk.findings).toEqual([]);
    desk.say(2, decided('not_found'));
    expect(desk.findings).toEqual(['decided at 0']);
  });

  test('it leaves no doubt behind: no quorum stays certain', () => {
    const { desk } = asking();
    desk.say(0, decided('stale'));
    for (const copy of [1, 2, 3]) desk.say(copy, noQuorum());
    expect([desk.to, desk.findings]).toEqual([[1, 1, 2, 0], ['no_quorum at 0']]);
  });

  test('beside another copy, that one may still have happened', () => {
    const { desk, copies } = asking();
    desk.wait(400);
    desk.say(1, decided('stale'));
    expect([desk.to, copies]).toEqual([[1, 2, 2], [2]]);
    desk.say(2, noQuorum());
    desk.say(3, noQuorum());
    desk.wait(1_000);
    expect(desk.findings).toEqual(['unknown at 1000']);
  });

  test('too late to ask anew: certain', () => {
    const { desk } = asking();
    desk.now = 1_000; // the loop stood still
    desk.say(0, decided('stale'));
    expect([desk.to, desk.findings]).toEqual([[1], ['no_quorum at 1000']]);
  });
});

describe('mayCopy', () => {
  test('once it is off, no other peer is asked: not in silence, not in death, not without a quorum', () => {
    for (const happens of [
      (desk: Desk) => desk.wait(999),
      (desk: Desk) => desk.questions.onDead(0, 1),
      (desk: Desk) => desk.say(0, UNKNOWN),
    ]) {
      const desk = new Desk();
      desk.ask().mayCopy = false;
      happens(desk);
      expect([desk.to, desk.findings]).toEqual([[1], []]);
      desk.wait(1_000 - desk.now);
      expect(desk.findings).toEqual(['unknown 0 at 1000']);
    }
    const desk = new Desk();
    desk.ask().mayCopy = false;
    desk.say(0, noQuorum());
    expect([desk.to, desk.findings]).toEqual([[1], ['no_quorum 0 at 0']]);
  });

  test('the copy that is out may still be answered', () => {
    const desk = new Desk();
    desk.ask().mayCopy = false;
    desk.wait(900);
    desk.say(0, decided('not_found'));
    expect(desk.findings).toEqual(['decided at 900']);
  });
});
