/**
 * What a proposer works on, whom it tells, and what it needs of the peer that it is a part of.
 */
import type { Command, Outcome } from '../lock/command.ts';
import type { LockEvent } from '../lock/event.ts';
import type { LockState } from '../lock/state.ts';
import type { Register } from './acceptor.ts';
import type { VoteMessage } from './messages.ts';
import type { VoteRules } from './rules.ts';

/** A command that waits for its vote, and whom to tell. */
export interface Task {
  readonly command: Command;
  /** By this peer's monotonic clock: not sent in a stamp by then, the command is dropped (V9). */
  readonly deadline: number;
  /** The peer that asked, and its number for this request; -1 for the proposer's own. */
  readonly from: number;
  readonly request: number;
  /** Whether a change that it caused ever left in a stamp. */
  sent: boolean;
}

/** What a task came to. */
export type Settlement =
  | {
      readonly kind: 'decided';
      readonly outcome: Outcome;
      /** The state after the command, and the events that it caused. */
      readonly state: LockState;
      readonly events: readonly LockEvent[];
      readonly votes: number;
    }
  /** Certain: no stamp with a change of this command ever left. `missing`: voters that said nothing, a mask. */
  | { readonly kind: 'no_quorum'; readonly missing: number }
  | { readonly kind: 'unknown' };

export interface ProposerHost {
  readonly me: number;
  readonly voters: number;
  readonly identity: string;
  readonly boot: number;
  readonly rules: VoteRules;
  /** This peer's monotonic clock, in milliseconds. */
  readonly now: number;
  /** The highest round that any voter's restart horizon forbids. */
  roundFloor: number;
  /** The number of this voter's next question: grows, from a random start at each boot. */
  nextQuestion: number;
  /** Wall clock, milliseconds since 1970: for people only (L8). */
  wall(): number;
  /** Uniform in [0, 1). */
  random(): number;
  register(scope: string): Register;
  send(to: number, message: VoteMessage): void;
  settle(scope: string, task: Task, settlement: Settlement): void;
  /** The leases of the scope were looked at; a majority may see the next one run out after `waitMs`. */
  aged(scope: string, waitMs: number): void;
}

/** Whether a command never changes anything. */
export function isRead(command: Command): boolean {
  return command.kind === 'read' || command.kind === 'look';
}

export const NEVER = Number.POSITIVE_INFINITY;
