/**
 * Commands of the gateway's own, about lock ids that no request speaks for any more; and which lock ids somebody here
 * speaks for, so that what a look finds of others is known to be astray.
 * Always true: what is asked here touches only what is still bound to this gateway, or what nobody else can know.
 */
import type { Command } from '../lock/command.ts';
import type { LockId, SessionId } from '../lock/state.ts';
import { UNDO_MS } from './limits.ts';
import type { Decided, Questions } from './questions.ts';

export class OwnCommands {
  private readonly questions: Questions;
  private readonly gateway: () => SessionId;
  private readonly wall: () => number;
  /** How many requests and commands are under way about each lock id, of whatever scope: it has one nearly always. */
  private readonly handled = new Map<LockId, number>();

  constructor(questions: Questions, gateway: () => SessionId, wall: () => number) {
    this.questions = questions;
    this.gateway = gateway;
    this.wall = wall;
  }

  ask(
    now: number,
    scope: string,
    lockId: LockId,
    command: Command,
    then?: (now: number, found: Decided) => void,
  ): void {
    this.handle(lockId, 1);
    this.questions.ask(now, scope, command, now + UNDO_MS, (at, finding) => {
      this.handle(lockId, -1);
      if (finding.kind === 'decided') then?.(at, finding);
    });
  }

  park(now: number, scope: string, lockId: LockId): void {
    this.ask(now, scope, lockId, { kind: 'park', lockId, gateway: this.gateway(), at: this.wall() });
  }

  /** One more, or one less, is under way about this lock id. */
  handle(lockId: LockId, by: 1 | -1): void {
    const left = (this.handled.get(lockId) ?? 0) + by;
    if (left === 0) this.handled.delete(lockId);
    else this.handled.set(lockId, left);
  }

  isHandled(lockId: LockId): boolean {
    return this.handled.has(lockId);
  }
}
