/**
 * What the links of two peers say to each other besides messages: who they are, whether they live, what they heard.
 * Always true: a control frame starts as every frame does (version, mesh id, epoch, kind), and kinds and positions
 * are only ever appended; decoding gives back what was encoded, a valid value, or a WireError. A kind that this
 * version does not know is undefined, and ignored.
 */
import { flag, list, natural, text, UnknownKindError, WireError } from '../lock/plain.ts';
import type { RosterHello } from '../peer/formation.ts';
import type { Refusal, RefusalReason } from '../peer/refusal.ts';
import type { Roster, RosterVoter } from '../peer/roster.ts';
import { FRAME_VERSION, MESH_ID_CHARS_MAX } from '../peer/wire.ts';
import { VOTERS_MAX } from '../vote/quorum.ts';
import { IDENTITY_CHARS_MAX } from '../vote/wire.ts';
import { ADDRESS_CHARS_MAX, NAME_CHARS_MAX, REASON_CHARS_MAX } from './limits.ts';

/** The first word on a link, from both sides, the dialer's first; said again when it changes. */
export interface Hello extends RosterHello {
  /** Durable before it is said; a position counts flushes. */
  readonly boot: number;
  readonly position: number;
  /** HOST:PORT where this peer listens. */
  readonly address: string;
  /** Its own, in the gossip. */
  readonly incarnation: number;
  /** How many links to the peer that it speaks to this one has lost so far: tells a new link from a crossed one. */
  readonly lost: number;
}

export type Control =
  | { readonly kind: 'hello'; readonly hello: Hello }
  | { readonly kind: 'ping'; readonly seq: number; readonly position: number }
  | { readonly kind: 'pong'; readonly seq: number }
  /** Only a process that lives now can answer it: see standing.ts. */
  | { readonly kind: 'question'; readonly question: number }
  | { readonly kind: 'answer'; readonly question: number; readonly position: number }
  /** The peer that is told so does not vote. */
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  | { readonly kind: 'gossip'; readonly payload: unknown };

/** Kinds of frames; 0 is a frame of messages. Only ever appended. */
const HELLO = 1;
const PING = 2;
const PONG = 3;
const QUESTION = 4;
const ANSWER = 5;
const REFUSAL = 6;
const GOSSIP = 7;

/** Only ever appended. */
const REASONS: readonly RefusalReason[] = ['identity', 'behind', 'twin', 'stranger'];

export function controlToWire(mesh: string, epoch: number, control: Control): unknown[] {
  switch (control.kind) {
    case 'hello':
      return [FRAME_VERSION, mesh, epoch, HELLO, helloToWire(control.hello)];
    case 'ping':
      return [FRAME_VERSION, mesh, epoch, PING, control.seq, control.position];
    case 'pong':
      return [FRAME_VERSION, mesh, epoch, PONG, control.seq];
    case 'question':
      return [FRAME_VERSION, mesh, epoch, QUESTION, control.question];
    case 'answer':
      return [FRAME_VERSION, mesh, epoch, ANSWER, control.question, control.position];
    case 'refusal': {
      const { name, epoch: under, reason, text: why, mend } = control.refusal;
      return [FRAME_VERSION, mesh, epoch, REFUSAL, [name, under, REASONS.indexOf(reason), why, mend]];
    }
    case 'gossip':
      return [FRAME_VERSION, mesh, epoch, GOSSIP, control.payload];
  }
}

/** @param a a frame whose head was read already. @returns undefined for a kind of tomorrow. */
export function controlFromWire(kind: number, a: readonly unknown[]): Control | undefined {
  switch (kind) {
    case HELLO:
      return { kind: 'hello', hello: helloFromWire(a[4]) };
    case PING:
      return { kind: 'ping', seq: natural(a[4], 'ping.seq'), position: natural(a[5], 'ping.position') };
    case PONG:
      return { kind: 'pong', seq: natural(a[4], 'pong.seq') };
    case QUESTION:
      return { kind: 'question', question: natural(a[4], 'question.question') };
    case ANSWER:
      return {
        kind: 'answer',
        question: natural(a[4], 'answer.question'),
        position: natural(a[5], 'answer.position'),
      };
    case REFUSAL:
      return { kind: 'refusal', refusal: refusalFromWire(a[4]) };
    case GOSSIP:
      return { kind: 'gossip', payload: a[4] };
    default:
      return undefined;
  }
}

function helloToWire(hello: Hello): unknown[] {
  const { name, identity, observer, configured, mesh, roster } = hello;
  const { boot, position, address, incarnation, lost } = hello;
  const voters = roster === null ? null : rosterToWire(roster);
  return [name, identity, observer, configured, mesh, voters, boot, position, address, incarnation, lost];
}

function helloFromWire(u: unknown): Hello {
  const a = list(u, 11, 'hello');
  const mesh = a[4] === null ? null : text(a[4], 1, MESH_ID_CHARS_MAX, 'hello.mesh');
  const roster = a[5] === null ? null : rosterFromWire(a[5]);
  if (mesh === null && roster !== null) throw new WireError('hello.roster', 'is without a mesh id');
  return {
    name: nameFromWire(a[0], 'hello.name'),
    identity: text(a[1], 1, IDENTITY_CHARS_MAX, 'hello.identity'),
    observer: flag(a[2], 'hello.observer'),
    configured: namesFromWire(a[3], 'hello.configured'),
    mesh,
    roster,
    boot: natural(a[6], 'hello.boot'),
    position: natural(a[7], 'hello.position'),
    address: text(a[8], 0, ADDRESS_CHARS_MAX, 'hello.address'),
    incarnation: natural(a[9], 'hello.incarnation'),
    lost: natural(a[10], 'hello.lost'),
  };
}

/** Names stand in logs and on terminals. */
export function nameFromWire(u: unknown, field: string): string {
  const name = text(u, 1, NAME_CHARS_MAX, field);
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) throw new WireError(field, 'has a control character');
  }
  return name;
}

/** Sorted, each once. */
function namesFromWire(u: unknown, field: string): string[] {
  const a = list(u, 0, field);
  if (a.length > VOTERS_MAX) throw new WireError(field, `has ${a.length} names, at most ${VOTERS_MAX}`);
  const names: string[] = [];
  for (let i = 0; i < a.length; i++) {
    const name = nameFromWire(a[i], field);
    if (i > 0 && name <= names[i - 1]!) throw new WireError(field, 'is not sorted');
    names.push(name);
  }
  return names;
}

export function rosterToWire(roster: Roster): unknown[] {
  return [
    roster.epoch,
    roster.voters.map((voter) => voter.name),
    roster.voters.map((voter) => voter.identity),
  ];
}

export function rosterFromWire(u: unknown): Roster {
  const a = list(u, 3, 'roster');
  const names = namesFromWire(a[1], 'roster.names');
  const identities = list(a[2], 0, 'roster.identities');
  if (names.length === 0 || identities.length !== names.length) {
    throw new WireError('roster.identities', `are ${identities.length} for ${names.length} names`);
  }
  const voters: RosterVoter[] = [];
  for (let i = 0; i < names.length; i++) {
    const identity = text(identities[i], 1, IDENTITY_CHARS_MAX, 'roster.identities');
    voters.push({ name: names[i]!, identity });
  }
  return { epoch: natural(a[0], 'roster.epoch'), voters };
}

function refusalFromWire(u: unknown): Refusal {
  const a = list(u, 5, 'refusal');
  return {
    name: nameFromWire(a[0], 'refusal.name'),
    epoch: natural(a[1], 'refusal.epoch'),
    reason: reasonFromWire(a[2]),
    text: text(a[3], 0, REASON_CHARS_MAX, 'refusal.text'),
    mend: text(a[4], 0, REASON_CHARS_MAX, 'refusal.mend'),
  };
}

export function reasonFromWire(u: unknown): RefusalReason {
  const number = natural(u, 'refusal.reason');
  const reason = REASONS[number];
  if (reason === undefined) throw new UnknownKindError('refusal.reason', number);
  return reason;
}

export function reasonToWire(reason: RefusalReason): number {
  return REASONS.indexOf(reason);
}
