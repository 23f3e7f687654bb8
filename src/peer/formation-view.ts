/**
 * Where a peer stands while the first roster forms, and what does not fit, in words for its operator.
 * Always true: a text names who says what and ends in what to do; nothing here decides anything.
 */
import { type FormationState, heldBy, lists, namesHeld, type Row, rowOfHello } from './formation.ts';
import { type Refusal, type RefusalReason, refusalOf } from './refusal.ts';
import { namesOf, type Roster } from './roster.ts';

export interface Problem {
  readonly kind: 'namesake' | 'foreign' | 'differ' | 'stuck' | 'changed';
  readonly text: string;
}

export type FormationView =
  /** `missing`: voters that have not been heard, or have not stored this peer's first roster. */
  | { readonly kind: 'forming'; readonly missing: readonly string[]; readonly problems: readonly Problem[] }
  | { readonly kind: 'voting' | 'observing'; readonly problems: readonly Problem[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly problems: readonly Problem[] };

const REFUSED: Partial<Record<Row, RefusalReason>> = { F: 'behind', G: 'identity', I: 'stranger' };

export function viewOf(state: FormationState): FormationView {
  const { config, durable } = state;
  const problems = problemsOf(state);
  const refuse = (roster: Roster, reason: RefusalReason): FormationView => ({
    kind: 'refused',
    refusal: refusalOf(config.name, roster.epoch, reason, config.address),
    problems,
  });
  if (durable.kind === 'counted') {
    if (config.observer) return { kind: 'observing', problems };
    if (lists(durable.roster, config)) return { kind: 'voting', problems };
    const named = namesOf(durable.roster).includes(config.name);
    return refuse(durable.roster, named ? 'identity' : 'stranger');
  }
  for (const hello of state.heard.values()) {
    const reason = REFUSED[rowOfHello(state, hello)];
    if (reason !== undefined) return refuse(hello.roster!, reason);
  }
  return { kind: 'forming', missing: missingOf(state), problems };
}

function missingOf(state: FormationState): readonly string[] {
  const { config, heard, acknowledged } = state;
  const stored = heldBy(state).kind === 'stored';
  return namesHeld(state).filter((name) => {
    if (name === config.name) return false;
    if (stored) return !acknowledged.has(name);
    return heard.get(name)?.observer !== false;
  });
}

function problemsOf(state: FormationState): readonly Problem[] {
  const { config, heard } = state;
  const problems: Problem[] = [];
  const held = heldBy(state);
  if (held.kind === 'stored') problems.push(...changed(state, held.roster));
  const stuck: string[] = [];
  for (const hello of heard.values()) {
    switch (rowOfHello(state, hello)) {
      case 'B':
        problems.push({
          kind: 'namesake',
          text: `another peer calls itself ${config.name} too: give one of the two another --name`,
        });
        break;
      case 'D':
        problems.push({
          kind: 'foreign',
          text: `${hello.name} belongs to another mesh, that of ${list(namesOf(hello.roster!))}: check the addresses in --roster`,
        });
        break;
      case 'M':
        problems.push({
          kind: 'differ',
          text: `the voters are ${list(namesHeld(state))} for ${config.name}, but ${list(hello.configured)} for ${hello.name}: start all voters with the same names in --roster`,
        });
        break;
      case 'O':
      case 'R':
        stuck.push(hello.name);
        break;
    }
  }
  if (stuck.length > 0) problems.push(stuckBy(state, stuck));
  return problems;
}

/** What was stored is not what this peer is started as. */
function changed({ config }: FormationState, roster: Roster): Problem[] {
  const names = namesOf(roster);
  const wipe = `empty the data directory of ${config.name} and start it again`;
  if (!lists(roster, config)) {
    const text = `the first roster on the disk of ${config.name} was stored by another peer: ${wipe}`;
    return [{ kind: 'changed', text }];
  }
  if (list(names) === list(config.configured)) return [];
  const text =
    `${config.name} has stored a first roster of ${list(names)}, but --roster says ${list(config.configured)}: ` +
    `name the former again, or ${wipe}`;
  return [{ kind: 'changed', text }];
}

/**
 * A first roster that can never count is mended by wiping those who stored one. That forgets no vote if no roster
 * counts on any voter's disk, which only those who are heard can tell.
 */
function stuckBy(state: FormationState, by: readonly string[]): Problem {
  const { config, heard } = state;
  const wipe = namesHeld(state).filter((name) =>
    name === config.name ? heldBy(state).kind !== 'nothing' : (heard.get(name)?.mesh ?? null) !== null,
  );
  const silent = namesHeld(state).filter((name) => name !== config.name && !heard.has(name));
  const first = silent.length > 0 ? `start ${list(silent)} first, which may know better; if not, ` : '';
  const text =
    `the first roster that ${list(wipe)} stored cannot count: ${list(by)} ${by.length === 1 ? 'has' : 'have'} ` +
    `another identity now or stored another one: ${first}` +
    `stop ${list(wipe)}, empty the data directories of ${list(wipe)}, and start again`;
  return { kind: 'stuck', text };
}

function list(names: readonly string[]): string {
  return names.join(', ');
}
