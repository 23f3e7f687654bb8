/**
 * What peers tell each other besides the vote itself: a gateway's command to a home, and its answer.
 * A frame carries all messages of one turn to one peer, the mesh id and the roster's epoch.
 */
import type { Command, Outcome } from '../lock/command.ts';
import type { FencingToken, Grant } from '../lock/state.ts';
import type { VoteMessage } from '../vote/messages.ts';

/** A command on its way to the peer that shall propose it. */
export interface Forward {
  readonly kind: 'forward';
  /** The gateway's number for this request; never used twice while a message of it may be on its way. */
  readonly request: number;
  readonly scope: string;
  readonly command: Command;
  /** How long the gateway still waits, in milliseconds; counted by the receiver from the arrival. */
  readonly waitMs: number;
}

/** How often the scope was fought for, by the count of the peer that answers. */
export interface Contention {
  readonly acquires: number;
  readonly conflicts: number;
  readonly holds: number;
  readonly heldMs: number;
}

/** The scope as it was when the command was decided. */
export interface View {
  readonly token: FencingToken;
  readonly retirements: number;
  readonly holders: readonly Grant[];
  /** What is left of each holder's lease by the answering voter's clock, in milliseconds; -1: never ends. */
  readonly leftMs: readonly number[];
  readonly contention: Contention;
}

export type Verdict =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly votes: number; readonly view: View }
  /** Certain: nothing of this command left that peer in a stamp. `missing`: voters without an answer, a mask. */
  | { readonly kind: 'no_quorum'; readonly missing: number }
  | { readonly kind: 'unknown' };

export interface Answer {
  readonly kind: 'answer';
  readonly request: number;
  readonly verdict: Verdict;
}

export type Message = VoteMessage | Forward | Answer;

export interface Frame {
  readonly mesh: string;
  readonly epoch: number;
  readonly messages: readonly Message[];
}
