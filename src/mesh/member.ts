/**
 * What is known of one member, and which rumour is news.
 * Always true: a record (incarnation, then alive < suspect < dead < left) only climbs; so whatever order rumours
 * arrive in, all who heard the same end with the same, and no rumour is news twice.
 */
import type { MemberState, Rumour } from './gossip.ts';
import type { MemberView } from './types.ts';

const NEVER = Number.POSITIVE_INFINITY;
const RANK: Record<MemberState, number> = { alive: 0, suspect: 1, dead: 2, left: 3 };

export interface Member {
  readonly name: string;
  /** HOST:PORT, or empty if not known. */
  address: string;
  state: MemberState;
  /** -1 before anything was heard of it. */
  incarnation: number;
  voter: boolean;
  linked: boolean;
  /** Its link closed, and nobody has reached it since. */
  doubted: boolean;
  rttMs: number | null;
  /** When a suspect is declared dead. */
  deadAt: number;
  /** When a dead observer is forgotten. */
  forgetAt: number;
  /** What isAlive() said last. */
  said: boolean;
}

/** Nothing is heard of it yet: any rumour is news. */
export function unheard(name: string, address: string, voter: boolean): Member {
  return {
    name,
    address,
    state: 'dead',
    incarnation: -1,
    voter,
    linked: false,
    doubted: false,
    rttMs: null,
    deadAt: NEVER,
    forgetAt: NEVER,
    said: false,
  };
}

export function isNews(rumour: Rumour, member: Member): boolean {
  if (rumour.incarnation !== member.incarnation) return rumour.incarnation > member.incarnation;
  return RANK[rumour.state] > RANK[member.state];
}

/** What is told about the member. */
export function rumourOf({ name, address, state, incarnation }: Member): Rumour {
  return { name, address, state, incarnation };
}

/** Good for being asked: it has a link, and nobody says otherwise. */
export function isGood(member: Member): boolean {
  return member.linked && member.state === 'alive';
}

/** Worth a ping: it has a link, or others may still reach it. */
export function isExpected({ linked, state }: Member): boolean {
  return linked || state === 'alive' || state === 'suspect';
}

export function viewOf(member: Member): MemberView {
  const { name, address, voter, state, doubted, rttMs } = member;
  const shown = state === 'left' ? 'dead' : state === 'alive' && doubted ? 'suspect' : state;
  return { name, address, role: voter ? 'voter' : 'observer', state: shown, rttMs };
}
