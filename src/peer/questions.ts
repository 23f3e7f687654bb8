/**
 * Commands on their way: each goes to its scope's home, and to the next in line when no answer comes.
 * Always true: a question is answered exactly once or closed; "no quorum" is said only if every peer that was asked
 * says that nothing left it (V10); each copy has a number of its own, for "nothing happened" is said of that copy only.
 */
import type { Command } from '../lock/command.ts';
import { count, majority } from '../vote/quorum.ts';
import { isRead } from '../vote/task.ts';
import { Heap, type Timed } from './heap.ts';
import { FORWARD_SHARE, GATEWAY_RETRY_MS } from './limits.ts';
import type { Forward, Verdict } from './messages.ts';

export type Decided = Verdict & { readonly kind: 'decided' };

/** What a question came to; `missing` are voters without an answer, a mask. */
export type Finding =
  | Decided
  | { readonly kind: 'overloaded'; readonly limit: string }
  | { readonly kind: 'no_quorum'; readonly missing: number }
  | { readonly kind: 'unknown'; readonly missing: number };

export interface Question extends Timed {
  readonly scope: string;
  command: Command;
  readonly deadline: number;
  /** When the first copy left, by this peer's clock. */
  readonly sentAt: number;
  readonly line: readonly number[];
  /** Where in the line the last copy went, who was asked (a mask), and in how many copies. */
  place: number;
  asked: number;
  copies: number;
  /** The numbers of the copies whose receiver may have acted on them, or may yet. */
  open: readonly number[];
  missing: number;
  readonly done: (now: number, finding: Finding, question: Question) => void;
  /** Whether a silent peer's neighbour may be asked too. */
  mayCopy: boolean;
}

export interface QuestionsPort {
  readonly voters: number;
  /** All voters, the scope's home first. */
  line(scope: string): readonly number[];
  alive(voter: number): boolean;
  forward(to: number, message: Forward): void;
}

const NONE_OPEN: readonly number[] = [];

export class Questions {
  private readonly port: QuestionsPort;
  private readonly byNumber = new Map<number, Question>();
  private readonly timers = new Heap<Question>();
  private nextNumber: number;

  /** @param firstNumber where this boot starts to number its copies: far from where any other boot did. */
  constructor(port: QuestionsPort, firstNumber: number) {
    this.port = port;
    this.nextNumber = firstNumber;
  }

  get nextWake(): number {
    return this.timers.firstAt;
  }

  ask(now: number, scope: string, command: Command, deadline: number, done: Question['done']): Question {
    const line = this.port.line(scope);
    const question: Question = {
      scope,
      command,
      deadline,
      sentAt: now,
      line,
      place: -1,
      asked: 0,
      copies: 0,
      open: NONE_OPEN,
      missing: 0,
      done,
      mayCopy: true,
      at: 0,
      slot: -1,
    };
    this.askNext(now, question);
    return question;
  }

  /** Answers no longer count. */
  close(question: Question): void {
    for (const number of question.open) this.byNumber.delete(number);
    question.open = NONE_OPEN;
    this.timers.delete(question);
  }

  /** This copy can never come to anything: asks the same peer anew, as if it had not been sent. */
  again(now: number, question: Question, command: Command): void {
    question.command = command;
    question.copies--;
    this.send(now, question, question.line[question.place]!);
  }

  /** Asks the next in line that looks alive. */
  private askNext(now: number, question: Question): void {
    const { line } = question;
    let place = question.place;
    for (let step = 0; step < line.length; step++) {
      place = (place + 1) % line.length;
      if (this.port.alive(line[place]!)) break;
    }
    question.place = place;
    this.send(now, question, line[place]!);
  }

  private send(now: number, question: Question, to: number): void {
    if (now >= question.deadline) {
      this.fail(now, question);
      return;
    }
    const request = this.nextNumber++;
    question.asked |= 1 << to;
    question.copies++;
    question.open = [...question.open, request];
    this.byNumber.set(request, question);
    this.timers.set(question, Math.min(now + GATEWAY_RETRY_MS, question.deadline));
    const { scope, command } = question;
    const waitMs = (question.deadline - now) * FORWARD_SHARE;
    this.port.forward(to, { kind: 'forward', request, scope, command, waitMs });
  }

  onVerdict(now: number, number: number, verdict: Verdict): void {
    const question = this.byNumber.get(number);
    if (question === undefined) return; // answered already
    this.settleCopy(question, number);
    if (verdict.kind === 'decided') {
      // Whoever asked may send a stale one again; else it closes the question itself.
      if (verdict.outcome.kind !== 'stale') this.close(question);
      question.done(now, verdict, question);
      return;
    }
    if (verdict.kind === 'unknown') question.open = [...question.open, number]; // it may have acted, or may yet
    if (verdict.kind === 'no_quorum') question.missing |= verdict.missing;
    if (verdict.kind === 'overloaded' && question.copies === 1) {
      this.close(question);
      question.done(now, verdict, question);
      return;
    }
    const { line, asked } = question;
    const untried =
      question.mayCopy && line.some((voter) => !(asked & (1 << voter)) && this.port.alive(voter));
    if (untried) this.askNext(now, question);
    else if (question.open.length === 0) this.fail(now, question);
  }

  private settleCopy(question: Question, number: number): void {
    this.byNumber.delete(number);
    question.open = question.open.filter((open) => open !== number);
  }

  private fail(now: number, question: Question): void {
    const missing = question.missing | this.missingVoters();
    const may = question.open.length > 0 && !isRead(question.command);
    this.close(question);
    question.done(now, { kind: may ? 'unknown' : 'no_quorum', missing }, question);
  }

  /** Voters that look dead from here, a mask. */
  missingVoters(): number {
    let mask = 0;
    for (let i = 0; i < this.port.voters; i++) if (!this.port.alive(i)) mask |= 1 << i;
    return mask;
  }

  /** M3: whether a majority of the voters looks alive from here. */
  get hasQuorum(): boolean {
    return this.port.voters - count(this.missingVoters()) >= majority(this.port.voters);
  }

  /** A peer looks dead: whoever waits for it asks the next in line now. */
  onDead(now: number, voter: number): void {
    for (const question of new Set(this.byNumber.values())) {
      if (question.line[question.place] === voter && question.mayCopy) this.askNext(now, question);
    }
  }

  wake(now: number): void {
    for (;;) {
      const question = this.timers.pop(now);
      if (question === undefined) return;
      if (now >= question.deadline) this.fail(now, question);
      else if (question.mayCopy) this.askNext(now, question);
      else this.timers.set(question, question.deadline);
    }
  }
}
