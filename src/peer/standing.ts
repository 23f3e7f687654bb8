/**
 * Whether a voter is who it was (M2): the same data directory, not restored from a copy, not living twice.
 * A boot is counter * 2^20 + 20 random bits; the counter is durable and grows at each start, before the peer speaks.
 * A position counts flushes; it is durable too and never falls. Only flushed ones are announced.
 *
 * What makes an honest peer safe from refusal though its messages are late and out of order between links:
 *   - a link belongs to one boot: the one of the hello that opened it;
 *   - a newer boot replaces the older one: the older's links are closed, what still comes from them is ignored;
 *   - an older boot's hello may itself be late (it lay in a buffer while its peer was restarted). So it proves
 *     nothing; it is asked a question that did not exist before the newer boot spoke. Only a process that lived
 *     after that can answer it, and an honest older one was dead by then;
 *   - likewise a lower position of the same boot may have overtaken nobody: two links race. It is asked as well.
 * Always true: what was seen of a voter never falls; a refusal lasts until the roster names another identity, or an
 * operator readmits the voter.
 */
import type { Roster } from './roster.ts';

export const BOOT_RANDOM = 2 ** 20;

export type RefusalReason = 'identity' | 'behind' | 'twin';

/** Told to the refused peer, which then stays up, forwards and does not vote. */
export interface Refusal {
  readonly name: string;
  /** The roster under which it is refused. */
  readonly epoch: number;
  readonly reason: RefusalReason;
  /** For people; ends in `mend`. */
  readonly text: string;
  readonly mend: string;
}

/** A peer's word about itself: `hello` opens a link, `ping` stands for all later ones, `answer` answers a question. */
export interface Sighting {
  readonly kind: 'hello' | 'ping' | 'answer';
  readonly name: string;
  readonly identity: string;
  readonly boot: number;
  readonly position: number;
  /** The number of the question that an answer answers; 0 otherwise. */
  readonly question: number;
}

export type StandingVerdict =
  /** Handle what comes on this link. */
  | { readonly kind: 'ok' }
  /** Handle it too, and close all links to this voter that belong to an older boot. */
  | { readonly kind: 'newer' }
  /** Hold the link: send it the question, handle nothing but the answer, drop the rest. */
  | { readonly kind: 'ask'; readonly question: number }
  /** A late message of a boot that is gone: ignore it and close its link, without a word. */
  | { readonly kind: 'late' }
  /** Not a voter of the roster: none of this file's business. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

/** What may be saved now and then, and given back after a restart: whatever is remembered helps, nothing must be. */
export interface SavedSeen {
  readonly name: string;
  readonly identity: string;
  readonly boot: number;
  readonly position: number;
  readonly refused: RefusalReason | null;
}

export declare class Standings {
  constructor(roster: Roster, saved: readonly SavedSeen[]);
  see(sighting: Sighting): StandingVerdict;
  /** The last link that belongs to this boot of the voter has closed. */
  closed(name: string, boot: number): void;
  /** Another roster is in force. */
  enter(roster: Roster): void;
  /** An operator knows better: forgets the refusal and what was seen. */
  readmit(name: string): void;
  refusalOf(name: string): Refusal | undefined;
  /** To be saved with the next flush, if changed since the last call. */
  takeSaved(): readonly SavedSeen[] | undefined;
}
