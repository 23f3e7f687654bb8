/**
 * How the first roster comes to count (M1): each voter says hello to each, all store the same roster, and it counts
 * once every one of its voters has flushed it.
 * Always true: who has stored a first roster stores no other; a roster counts here only if this peer has heard from
 * each of its voters, under the identity in it, that this voter has flushed it, or from one to whom it counts already;
 * nothing is said of this peer that is not on its disk. So two rosters that count on the disks of one moment are the
 * same: were there two, each would need the flush of a voter that was wiped before the other's voter was.
 * Knows nothing of boots and positions (standing.ts), nor of later epochs (G1), whose rosters it only believes.
 *
 *   row  on this peer's disk        hello                                         then
 *   A    any                        my name and identity: myself                  nothing
 *   B    any                        my name, another identity                     a problem: namesake
 *   C    counts                     it counts, same mesh                          nothing
 *   D    counts                     it counts, another mesh                       a problem: foreign
 *   E    stored the same            it counts, I am in it                         counts
 *   F    nothing, or another one    it counts, I am in it                         refused: behind
 *   G    nothing or stored          it counts, my name with another identity      refused: identity
 *   H    not another; observer      it counts, without my name                    counts (to forward by)
 *   I    otherwise                  it counts, without my name                    refused: stranger
 *   J    counts                     it does not count                             nothing: it hears my hello
 *   K    stored                     stored the same, with its identity in it      acknowledged; by all: counts
 *   L    nothing or stored          an observer's, or of a name without a vote    nothing: it has no say
 *   M    nothing or stored          other names configured                        a problem: differ
 *   N    stored                     stored nothing, with its identity in it       wait for it
 *   O    stored                     otherwise, not acknowledged before            a problem: stuck
 *   P    nothing                    not all heard, or not all fit; an observer    wait for them
 *   Q    nothing                    all heard and fit: nothing or this one stored store it
 *   R    nothing                    all heard, but this one stored another        a problem: stuck
 * "It counts" means that the roster counts on the disk of the peer that says hello.
 */
import { firstRoster, type Hash, identityOf, meshIdOf, namesOf, type Roster, sortedNames } from './roster.ts';

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
  /** The roster in force if it counts, else null. Never without `mesh`. */
  readonly roster: Roster | null;
}

export interface FormationConfig {
  readonly name: string;
  readonly identity: string;
  /** HOST:PORT of this peer, for the lines that tell an operator what to type. */
  readonly address: string;
  readonly observer: boolean;
  /** The names of --roster, in any order. A voter's own name is among them. */
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
  /** Other voters of the stored roster that have flushed it: true for ever, whatever becomes of their links. */
  readonly acknowledged: ReadonlySet<string>;
  /** What the last 'counts' said. */
  readonly told: Counts | null;
}

export type FormationInput =
  /** Also when a peer says hello again because something changed. */
  | { readonly kind: 'hello'; readonly hello: RosterHello }
  /** No link to a peer of this name is left. */
  | { readonly kind: 'gone'; readonly name: string }
  /** What the last 'store' gave out is durable. */
  | { readonly kind: 'flushed' };

/**
 * There is a mesh to speak with. `votes`: this peer is one of its voters, and all this is durable. Otherwise it
 * forwards only, as an observer or as a refused peer. Comes again if one of the three changes.
 */
export interface Counts {
  readonly kind: 'counts';
  readonly mesh: string;
  readonly roster: Roster;
  readonly votes: boolean;
}

export type FormationOutput =
  /** To be flushed; then comes 'flushed'. There is never more than one at a time. */
  | { readonly kind: 'store'; readonly stored: Stored }
  /** helloOf() has changed: to be said to all. */
  | { readonly kind: 'announce' }
  | Counts;

export interface FormationStep {
  readonly state: FormationState;
  readonly outputs: readonly FormationOutput[];
}

export type Row =
  | ('A' | 'B' | 'C' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I')
  | ('J' | 'K' | 'L' | 'M' | 'N' | 'O' | 'P' | 'Q' | 'R');

export function startFormation(config: FormationConfig, stored: Stored): FormationStep {
  const configured = sortedNames(config.configured);
  if (!config.observer && !configured.includes(config.name)) {
    throw new Error(`${config.name} is to vote, but --roster does not name it`);
  }
  return settle({
    config: { ...config, configured },
    durable: stored,
    flushing: null,
    heard: new Map(),
    acknowledged: new Set(),
    told: null,
  });
}

export function stepFormation(state: FormationState, input: FormationInput): FormationStep {
  switch (input.kind) {
    case 'hello': {
      const heard = new Map(state.heard).set(input.hello.name, input.hello);
      return settle(acknowledge({ ...state, heard }));
    }
    case 'gone': {
      const heard = new Map(state.heard);
      heard.delete(input.name);
      return settle({ ...state, heard });
    }
    case 'flushed': {
      if (state.flushing === null) throw new Error('flushed, but nothing was given out to be flushed');
      const { state: next, outputs } = settle({ ...state, durable: state.flushing, flushing: null });
      return { state: next, outputs: [{ kind: 'announce' }, ...outputs] };
    }
  }
}

/** What this peer says of itself at present. */
export function helloOf({ config, durable }: FormationState): RosterHello {
  const { name, identity, observer, configured } = config;
  return {
    name,
    identity,
    observer,
    configured,
    mesh: durable.kind === 'nothing' ? null : durable.mesh,
    roster: durable.kind === 'counted' ? durable.roster : null,
  };
}

/** The row that a hello from a peer which is heard now stands in. */
export function rowOfHello(state: FormationState, hello: RosterHello): Row {
  const { config } = state;
  const held = heldBy(state);
  if (hello.name === config.name) return hello.identity === config.identity ? 'A' : 'B';
  if (hello.roster !== null) return rowOfCounted(config, held, hello.mesh, hello.roster);
  if (held.kind === 'counted') return 'J';
  const same = held.kind === 'stored' && held.mesh === hello.mesh;
  const known = held.kind === 'stored' && identityOf(held.roster, hello.name) === hello.identity;
  if (same && known) return 'K';
  const names = namesHeld(state);
  if (hello.observer && (hello.mesh === null || !names.includes(hello.name))) return 'L';
  if (!sameNames(hello.configured, names)) return 'M';
  if (!names.includes(hello.name)) return 'L';
  if (held.kind === 'stored') {
    return state.acknowledged.has(hello.name) || (known && hello.mesh === null) ? 'N' : 'O';
  }
  const candidate = candidateOf(state);
  if (candidate === undefined) return 'P';
  if (hello.mesh !== null && hello.mesh !== candidate.mesh) return 'R';
  return fitsAll(state, candidate.mesh) ? 'Q' : 'P';
}

function rowOfCounted(config: FormationConfig, held: Stored, mesh: string | null, roster: Roster): Row {
  const same = held.kind !== 'nothing' && held.mesh === mesh;
  if (held.kind === 'counted') return same ? 'C' : 'D';
  const identity = identityOf(roster, config.name);
  if (identity === config.identity) return same ? 'E' : 'F';
  if (identity !== undefined) return 'G';
  return config.observer && (same || held.kind === 'nothing') ? 'H' : 'I';
}

/** What this peer holds to, durable or about to be. */
export function heldBy(state: FormationState): Stored {
  return state.flushing ?? state.durable;
}

/** The names of the first roster that this peer works for. */
export function namesHeld(state: FormationState): readonly string[] {
  const held = heldBy(state);
  return held.kind === 'nothing' ? state.config.configured : namesOf(held.roster);
}

/** Whether the roster lists this peer itself: its name and its identity. */
export function lists(roster: Roster, config: FormationConfig): boolean {
  return identityOf(roster, config.name) === config.identity;
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

/** The roster that the hellos amount to once all voters are heard, whether or not they stored another. */
function candidateOf({ config, heard }: FormationState): (Stored & { kind: 'stored' }) | undefined {
  if (config.observer) return undefined;
  const voters = [];
  for (const name of config.configured) {
    const hello = name === config.name ? config : heard.get(name);
    if (hello === undefined || hello.observer || !sameNames(hello.configured, config.configured))
      return undefined;
    voters.push({ name, identity: hello.identity });
  }
  const roster = firstRoster(voters);
  return { kind: 'stored', roster, mesh: meshIdOf(roster, config.hash) };
}

/** Nobody who is heard speaks against this first roster. */
function fitsAll({ config, heard }: FormationState, mesh: string): boolean {
  if (heard.has(config.name) && heard.get(config.name)!.identity !== config.identity) return false;
  for (const hello of heard.values()) {
    if (hello.roster !== null) return false;
    if (config.configured.includes(hello.name) && hello.mesh !== null && hello.mesh !== mesh) return false;
  }
  return true;
}

/** Notes who has flushed the roster that this peer holds to. */
function acknowledge(state: FormationState): FormationState {
  if (heldBy(state).kind !== 'stored') return state;
  const acknowledged = new Set(state.acknowledged);
  for (const hello of state.heard.values())
    if (rowOfHello(state, hello) === 'K') acknowledged.add(hello.name);
  return { ...state, acknowledged };
}

function settle(state: FormationState): FormationStep {
  const stored = state.flushing === null ? toStore(state) : undefined;
  const next = stored === undefined ? state : acknowledge({ ...state, flushing: stored });
  const counts = countsNow(next);
  const outputs: FormationOutput[] = stored === undefined ? [] : [{ kind: 'store', stored }];
  if (counts === undefined || sameCounts(counts, next.told)) return { state: next, outputs };
  outputs.push(counts);
  return { state: { ...next, told: counts }, outputs };
}

/** What is to be flushed next, if anything. */
function toStore(state: FormationState): Stored | undefined {
  const { config, durable, heard, acknowledged } = state;
  if (durable.kind === 'counted') return undefined;
  let refused = false;
  for (const hello of heard.values()) {
    const row = rowOfHello(state, hello);
    if (row === 'E' || row === 'H') return { kind: 'counted', mesh: hello.mesh!, roster: hello.roster! };
    refused ||= row === 'F' || row === 'G' || row === 'I';
  }
  if (refused) return undefined;
  if (durable.kind === 'stored') {
    const others = namesOf(durable.roster).filter((name) => name !== config.name);
    if (!lists(durable.roster, config) || !others.every((name) => acknowledged.has(name))) return undefined;
    return { ...durable, kind: 'counted' };
  }
  const candidate = candidateOf(state);
  return candidate !== undefined && fitsAll(state, candidate.mesh) ? candidate : undefined;
}

/** The mesh to speak with: the one that counts on this disk, else the one that refuses this peer. */
function countsNow(state: FormationState): Counts | undefined {
  const { config, durable, heard } = state;
  if (durable.kind === 'counted') {
    const votes = !config.observer && lists(durable.roster, config);
    return { kind: 'counts', mesh: durable.mesh, roster: durable.roster, votes };
  }
  for (const hello of heard.values()) {
    const row = rowOfHello(state, hello);
    if (row !== 'F' && row !== 'G' && row !== 'I') continue;
    return { kind: 'counts', mesh: hello.mesh!, roster: hello.roster!, votes: false };
  }
  return undefined;
}

function sameCounts(a: Counts, b: Counts | null): boolean {
  return b !== null && a.mesh === b.mesh && a.roster.epoch === b.roster.epoch && a.votes === b.votes;
}
