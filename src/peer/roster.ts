/**
 * The roster: who votes. Its epoch counts its changes; the first one has epoch 1.
 * Always true: voters are sorted by name and no name is in it twice, so all who know the same voters write the same
 * text, and the hash of the first roster's text is the mesh id.
 * The hash function is the caller's (128 bits or more): here, nothing is computed that needs a library.
 */
import { VOTERS_MAX } from '../vote/quorum.ts';

export interface RosterVoter {
  readonly name: string;
  /** Made with the peer's data directory: a wiped disk is another identity under the same name. */
  readonly identity: string;
}

export interface Roster {
  readonly epoch: number;
  readonly voters: readonly RosterVoter[];
}

/** Text to hexadecimal digits, collision-free: two meshes are told apart by nothing else. */
export type Hash = (text: string) => string;

/** By UTF-16 units, the same on every machine. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function sortedNames(names: Iterable<string>): readonly string[] {
  return [...names].sort(compareNames);
}

export function firstRoster(voters: Iterable<RosterVoter>): Roster {
  const sorted = [...voters]
    .map(({ name, identity }) => ({ name, identity }))
    .sort((a, b) => compareNames(a.name, b.name));
  if (sorted.length === 0 || sorted.length > VOTERS_MAX) {
    throw new Error(`a roster has 1 to ${VOTERS_MAX} voters, not ${sorted.length}`);
  }
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i - 1]!.name === sorted[i]!.name) throw new Error(`${sorted[i]!.name} is in the roster twice`);
  }
  return { epoch: 1, voters: sorted };
}

/** What is hashed. JSON keeps names apart whatever characters are in them. */
export function textOfRoster(roster: Roster): string {
  return JSON.stringify([roster.epoch, ...roster.voters.map(({ name, identity }) => [name, identity])]);
}

/** The mesh id, from its first roster. */
export function meshIdOf(first: Roster, hash: Hash): string {
  return hash(textOfRoster(first));
}

export function namesOf(roster: Roster): readonly string[] {
  return roster.voters.map(({ name }) => name);
}

/** The identity that the roster has under this name, or undefined. */
export function identityOf(roster: Roster, name: string): string | undefined {
  return roster.voters.find((voter) => voter.name === name)?.identity;
}

/** The voter's index, its number on the wire and in masks; -1 for a name that does not vote. */
export function indexOf(roster: Roster, name: string): number {
  return roster.voters.findIndex((voter) => voter.name === name);
}
