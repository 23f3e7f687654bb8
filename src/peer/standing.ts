/**
 * Whether a voter is who it was (M2): the same data directory, not restored from a copy, not living twice.
 * A boot is counter * 2^20 + 20 random bits; the counter is durable and grows at each start, before the peer speaks.
 * A position counts flushes; it is durable too and never falls. Only flushed ones are announced.
 *
 * An honest peer is never refused, though its messages come late, and out of order where two links race:
 *   - a link belongs to one boot, that of the hello which opened it; within a link nothing overtakes;
 *   - a newer boot replaces the older one: its links are closed, and what still comes from them is ignored;
 *   - a hello of an older boot may itself be late, read from a buffer after its peer was restarted. So it proves
 *     nothing, but is asked a question that did not exist before the newer boot spoke. Only a process that lives
 *     after that can answer, and the older process of an honest peer is dead by then;
 *   - a lower position of the same boot proves nothing either: two links race. It is asked likewise, and an honest
 *     answer is not below what was seen before the question.
 * A newer boot with a lower position, and one counter with two random parts, no race explains.
 * Always true: what was seen of a voter never falls; a refusal lasts until the roster names another identity for
 * that voter, or an operator readmits it.
 *
 *   row  seen of the voter        its word                                         verdict
 *   A    any                      not in the roster                                unknown
 *   B    any                      another identity than in the roster              refuse: identity
 *   C    refused before           its identity                                     refuse: the same again
 *   D    nothing                  anything                                         newer
 *   E    boot b                   same counter, other random part                  refuse: twin
 *   F    boot b, position p       newer boot, position >= p                        newer
 *   G    boot b, position p       newer boot, position < p                         refuse: behind
 *   H    boot b                   older boot: hello                                ask
 *   I    boot b                   older boot: ping, or an answer to nothing asked  late
 *   J    boot b, has a link       older boot: answer                               refuse: twin
 *   K    boot b, has no link      older boot: answer                               refuse: behind
 *   L    boot b, position p       same boot, position >= p                         ok
 *   M    boot b, position p       same boot, position < p: hello or ping           ask
 *   N    boot b, p when asked     same boot, position < p: answer                  refuse: behind
 *   O    boot b, p when asked     same boot, position >= p, but below a later one  ok
 */
import { type Refusal, type RefusalReason, refusalOf } from './refusal.ts';
import { identityOf, type Roster } from './roster.ts';

export const BOOT_RANDOM = 2 ** 20;

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
  /** Handle it too, and close all links to this voter that belong to another boot. */
  | { readonly kind: 'newer' }
  /** Hold the link: send it the question, handle nothing but the answer, drop the rest. */
  | { readonly kind: 'ask'; readonly question: number }
  /** A late message of a boot that is gone: ignore it and close its link, without a word. */
  | { readonly kind: 'late' }
  /** Not a voter of the roster: none of this file's business. */
  | { readonly kind: 'unknown' }
  /** Tell it, and handle nothing of the vote that it sends. */
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

/** What may be saved now and then, and given back after a restart: whatever is remembered helps, nothing must be. */
export interface SavedSeen {
  readonly name: string;
  readonly identity: string;
  readonly boot: number;
  readonly position: number;
  readonly refused: RefusalReason | null;
}

export type StandingRow =
  | 'A'
  | 'B'
  | 'C'
  | 'D'
  | 'E'
  | 'F'
  | 'G'
  | 'H'
  | 'I'
  | 'J'
  | 'K'
  | 'L'
  | 'M'
  | 'N'
  | 'O';

/** What is known of one voter. */
export interface Seen {
  readonly identity: string;
  /** The highest; -1 before the first. */
  boot: number;
  position: number;
  /** Whether a link of that boot is up. */
  linked: boolean;
  /** The question that waits for an answer, 0 if none does, and the position seen when it was put. */
  question: number;
  positionAsked: number;
  refused: RefusalReason | null;
}

const counterOf = (boot: number) => Math.floor(boot / BOOT_RANDOM);

/** @param seen what is known of the voter of that name, undefined if the roster has none. */
export function rowOfSighting(seen: Seen | undefined, sighting: Sighting): StandingRow {
  if (seen === undefined) return 'A';
  if (sighting.identity !== seen.identity) return 'B';
  if (seen.refused !== null) return 'C';
  if (seen.boot < 0) return 'D';
  const answers = sighting.kind === 'answer' && seen.question !== 0 && sighting.question === seen.question;
  const lower = sighting.position < seen.position;
  if (sighting.boot === seen.boot) {
    if (!lower) return 'L';
    if (!answers) return 'M';
    return sighting.position < seen.positionAsked ? 'N' : 'O';
  }
  if (counterOf(sighting.boot) === counterOf(seen.boot)) return 'E';
  if (sighting.boot > seen.boot) return lower ? 'G' : 'F';
  if (answers) return seen.linked ? 'J' : 'K';
  return sighting.kind === 'hello' ? 'H' : 'I';
}

export class Standings {
  private roster: Roster;
  private seen = new Map<string, Seen>();
  private questions = 0;
  private changed = false;

  constructor(roster: Roster, saved: readonly SavedSeen[]) {
    this.roster = roster;
    for (const { name, identity, boot, position, refused } of saved) {
      this.seen.set(name, { ...unseen(identity), boot, position, refused });
    }
    this.enter(roster);
  }

  see(sighting: Sighting): StandingVerdict {
    const { name, boot, position } = sighting;
    const seen = this.seen.get(name);
    const row = rowOfSighting(seen, sighting);
    switch (row) {
      case 'A':
        return { kind: 'unknown' };
      case 'B':
        return { kind: 'refuse', refusal: refusalOf(name, this.roster.epoch, 'identity') };
      case 'C':
        return this.refuse(name, seen!, seen!.refused!);
      case 'E':
      case 'J':
        return this.refuse(name, seen!, 'twin');
      case 'G':
      case 'K':
      case 'N':
        return this.refuse(name, seen!, 'behind');
      case 'D':
      case 'F':
        this.note(seen!, boot, position);
        return { kind: 'newer' };
      case 'H':
      case 'M':
        return this.ask(seen!);
      case 'I':
        return { kind: 'late' };
      case 'L':
        this.note(seen!, boot, position);
        return { kind: 'ok' };
      case 'O':
        seen!.question = 0;
        seen!.linked = true;
        return { kind: 'ok' };
    }
  }

  private note(seen: Seen, boot: number, position: number): void {
    this.changed ||= boot !== seen.boot || position !== seen.position;
    if (boot !== seen.boot) seen.question = 0;
    seen.boot = boot;
    seen.position = position;
    seen.linked = true;
  }

  /** A question that is still open will do: what made it was seen before. */
  private ask(seen: Seen): StandingVerdict {
    if (seen.question === 0) {
      seen.question = ++this.questions;
      seen.positionAsked = seen.position;
    }
    return { kind: 'ask', question: seen.question };
  }

  private refuse(name: string, seen: Seen, reason: RefusalReason): StandingVerdict {
    this.changed ||= seen.refused !== reason;
    seen.refused = reason;
    seen.question = 0;
    return { kind: 'refuse', refusal: refusalOf(name, this.roster.epoch, reason) };
  }

  /** The last link that belongs to this boot of the voter has closed. */
  closed(name: string, boot: number): void {
    const seen = this.seen.get(name);
    if (seen !== undefined && seen.boot === boot) seen.linked = false;
  }

  /** Another roster is in force: voters whose identity it keeps are judged as before. */
  enter(roster: Roster): void {
    this.roster = roster;
    const before = this.seen;
    this.seen = new Map();
    for (const { name, identity } of roster.voters) {
      const known = before.get(name);
      this.seen.set(name, known?.identity === identity ? known : unseen(identity));
    }
    this.changed = true;
  }

  /** An operator knows better: forgets the refusal, and all that was seen. */
  readmit(name: string): void {
    const identity = identityOf(this.roster, name);
    if (identity === undefined) return;
    this.seen.set(name, unseen(identity));
    this.changed = true;
  }

  /** Why this voter is refused, under the identity that the roster has for it. */
  refusalOf(name: string): Refusal | undefined {
    const refused = this.seen.get(name)?.refused ?? null;
    return refused === null ? undefined : refusalOf(name, this.roster.epoch, refused);
  }

  /** To be saved with the next flush, if anything changed since the last call. */
  takeSaved(): readonly SavedSeen[] | undefined {
    if (!this.changed) return undefined;
    this.changed = false;
    const saved: SavedSeen[] = [];
    for (const [name, { identity, boot, position, refused }] of this.seen) {
      if (boot >= 0) saved.push({ name, identity, boot, position, refused });
    }
    return saved;
  }
}

function unseen(identity: string): Seen {
  return { identity, boot: -1, position: -1, linked: false, question: 0, positionAsked: -1, refused: null };
}
