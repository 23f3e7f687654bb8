/**
 * How the first roster comes to count (M1): each voter says hello to each, all store the same roster, and it counts
 * once every one of its voters has flushed it.
 * Always true: who has stored a first roster stores no other; a roster counts here only if this peer has heard from
 * each of its voters, under the identity in it, that this voter has flushed it, or from one to whom it counts already;
 * nothing is said of this peer that is not on its disk. So two rosters that count on the disks of the same moment are
 * the same: of two that differ, each would need a voter's flush that came after the other's voter was wiped.
 * Knows nothing of boots and positions (standing.ts), nor of later epochs (G1), whose rosters it only believes.
 */
import type { Hash, Roster } from './roster.ts';

/** What is on this peer's disk. `mesh` is the hash of the first roster; `roster` the newest one known. */
export type Stored =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'stored'; readonly mesh: string; readonly roster: Roster }
  | { readonly kind: 'counted'; readonly mesh: string; readonly roster: Roster };

/** What a peer says of itself. Only flushed things: send a new one to all after each 'announce'. */
export interface RosterHello {
  readonly name: string;
  readonly identity: string;
  /** Started to forward only: it has no say in the first roster. */
  readonly observer: boolean;
  /** The names of --roster, sorted. */
  readonly configured: readonly string[];
  /** Hash of the first roster that it has flushed, or null. */
  readonly mesh: string | null;
  /** The roster in force if it counts, else null. */
  readonly roster: Roster | null;
}

export interface FormationConfig {
  readonly name: string;
  readonly identity: string;
  /** HOST:PORT of this peer, for the lines that tell an operator what to type. */
  readonly address: string;
  readonly observer: boolean;
  /** The names of --roster, in any order. */
  readonly configured: readonly string[];
  readonly hash: Hash;
}

export interface FormationState {
  readonly config: FormationConfig;
  /** On disk. */
  readonly durable: Stored;
  /** Given out to be flushed, not yet durable. */
  readonly flushing: Stored | null;
  /** The latest hello of each peer that has a link now, by name. */
  readonly heard: ReadonlyMap<string, RosterHello>;
  /** Voters of the stored roster that have flushed it: true for ever, whatever becomes of their links. */
  readonly acked: ReadonlySet<string>;
}

export type FormationInput =
  /** Also when a peer says hello again because something changed. */
  | { readonly kind: 'hello'; readonly hello: RosterHello }
  /** No link to a peer of this name is left. */
  | { readonly kind: 'gone'; readonly name: string }
  /** What the last 'store' gave out is durable. */
  | { readonly kind: 'flushed' };

export type FormationOutput =
  /** To be flushed; then comes 'flushed'. There is never more than one at a time. */
  | { readonly kind: 'store'; readonly stored: Stored }
  /** helloOf() has changed: to be said to all. */
  | { readonly kind: 'announce' }
  /** The roster counts and this is durable: voting (or observing) starts now. Comes once per start. */
  | { readonly kind: 'counts'; readonly mesh: string; readonly roster: Roster };

export interface FormationStep {
  readonly state: FormationState;
  readonly outputs: readonly FormationOutput[];
}

/** What does not fit. `text` is for the operator and ends in what to do. */
export interface Problem {
  readonly kind: 'namesake' | 'differ' | 'stuck' | 'foreign' | 'changed';
  readonly text: string;
}

export type FormationView =
  | { readonly kind: 'forming'; readonly missing: readonly string[]; readonly problems: readonly Problem[] }
  | { readonly kind: 'voting' | 'observing'; readonly problems: readonly Problem[] }
  | {
      readonly kind: 'refused';
      readonly reason: 'identity' | 'behind' | 'stranger';
      readonly text: string;
      /** The line that mends it, with which `text` ends. */
      readonly mend: string;
    };

export declare function startFormation(config: FormationConfig, stored: Stored): FormationStep;
export declare function stepFormation(state: FormationState, input: FormationInput): FormationStep;
/** What this peer says of itself at present. */
export declare function helloOf(state: FormationState): RosterHello;
/** Where this peer stands at present. */
export declare function viewOf(state: FormationState): FormationView;
