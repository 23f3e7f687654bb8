/**
 * What peers tell each other besides the vote itself: a gateway's command to a home, its answer, and the news that
 * a waiter was promoted or a session died.
 * A frame carries all messages of one turn to one peer, the mesh id and the roster's epoch.
 */
import type { Command, Outcome } from '../lock/command.ts';
import type { FencingToken, Grant, LockId, SessionId, Waiter } from '../lock/state.ts';
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
  /** How many wait, kept places not counted. */
  readonly waiters: number;
}

/** One that waits, as it is shown. */
export type WaiterView = Pick<
  Waiter,
  'lockId' | 'holder' | 'mode' | 'priority' | 'reason' | 'at' | 'session'
>;

/** One lock or place of a session. */
export interface SessionEntry {
  readonly scope: string;
  readonly lockId: LockId;
  /** 0: it waits. */
  readonly token: FencingToken;
}

/** The scope as it was when the command was decided. */
export interface View {
  readonly token: FencingToken;
  readonly retirements: number;
  readonly holders: readonly Grant[];
  /** What is left of each holder's lease by the answering voter's clock, in milliseconds; -1: never ends. */
  readonly leftMs: readonly number[];
  /** For a status: who waits, in order, the first VIEW_WAITERS_MAX of them. */
  readonly waiters: readonly WaiterView[];
  /** For a look: the lock ids that wait at that gateway, and the position of each. */
  readonly places: readonly (readonly [LockId, number])[];
  /** For a session: its locks and places, by the answering voter's memory. */
  readonly entries: readonly SessionEntry[];
  readonly contention: Contention;
}

export type Verdict =
  | { readonly kind: 'decided'; readonly outcome: Outcome; readonly votes: number; readonly view: View }
  /** The peer that was asked has reached a limit; nothing happened. */
  | { readonly kind: 'overloaded'; readonly limit: string }
  /** Certain: nothing of this command left that peer in a stamp. `missing`: voters without an answer, a mask. */
  | { readonly kind: 'no_quorum'; readonly missing: number }
  | { readonly kind: 'unknown' };

export interface Answer {
  readonly kind: 'answer';
  readonly request: number;
  readonly verdict: Verdict;
}

/** A waiter of that gateway was granted, or its upgrade was: chosen. A hint; who misses it looks once a second. */
export interface Notice {
  readonly kind: 'notice';
  readonly scope: string;
  readonly grant: Grant;
  readonly votes: number;
  readonly retirements: number;
}

/** The session is dead: chosen. A hint too. */
export interface Obituary {
  readonly kind: 'obituary';
  readonly session: SessionId;
}

export type Message = VoteMessage | Forward | Answer | Notice | Obituary;

export interface Frame {
  readonly mesh: string;
  readonly epoch: number;
  readonly messages: readonly Message[];
}
