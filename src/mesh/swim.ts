/**
 * Who lives: SWIM (A. Das, I. Gupta, A. Motivala, "SWIM: Scalable Weakly-consistent Infection-style Process Group
 * Membership Protocol", 2002). It decides no lock; it says whom to ask first.
 * Inputs are method calls with the time in them; outputs are collected and taken. Chance comes from `random`.
 * Always true: a member's record (incarnation, then alive < suspect < dead < left) only climbs, and only a climb is
 * told on, a bounded number of times: so gossip dies down. Only the member itself raises its incarnation.
 */
import type { GossipPayload } from './gossip.ts';
import type { MemberView } from './types.ts';

export interface SwimConfig {
  readonly name: string;
  /** HOST:PORT of this peer. */
  readonly address: string;
  /** Higher than in any earlier run of this peer: its boot. */
  readonly incarnation: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface SwimMessage {
  readonly to: string;
  readonly payload: GossipPayload;
}

export interface LivenessChange {
  readonly name: string;
  readonly alive: boolean;
}

export declare class Swim {
  /** @param voters the roster's names with the addresses of --roster ('' if unknown), this peer's own too or not. */
  constructor(config: SwimConfig, voters: Iterable<readonly [name: string, address: string]>, now: number);

  // --- inputs ---

  /** Another roster is in force, or the first one counts. Names that vote no more stay as observers. */
  enter(now: number, voters: Iterable<readonly [name: string, address: string]>): void;
  /** A link is ready: both have said hello. @param incarnation, address what its hello says (see `incarnation`). */
  linkUp(now: number, name: string, address: string, incarnation: number): void;
  /** The last link to this member has closed: counts as a failed ping. */
  linkDown(now: number, name: string): void;
  /** A gossip payload came over the link of `from`. Throws an Error that names the field if it is wrong. */
  receive(now: number, from: string, payload: unknown): void;
  /** The time has come: at nextWake or later. */
  tick(now: number): void;
  /** This peer is about to stop: tells all that have a link. */
  leave(now: number): void;

  // --- outputs ---

  /** When tick() is wanted next. */
  get nextWake(): number;
  /** Takes what is to be sent; what finds no link may be dropped. */
  takeMessages(): readonly SwimMessage[];
  /** Takes the changes of isAlive() since the last call. */
  takeChanges(): readonly LivenessChange[];

  // --- looking ---

  /** For choosing a home: it has a link, and is neither suspect nor dead. This peer itself always is. */
  isAlive(name: string): boolean;
  /** To be said in this peer's hello. */
  get incarnation(): number;
  /** HOST:PORT, or undefined if not known: where to dial. */
  addressOf(name: string): string | undefined;
  /** Sorted by name, this peer included. */
  members(): readonly MemberView[];
}
