/**
 * What members tell each other about members, on the wire: arrays by position, checked when they come in.
 * Always true: what decodeGossip() returns is within the bounds here; anything else is a WireError that names the
 * field. Kinds, states and positions are only ever appended.
 */
import { list, natural, text, UnknownKindError, upTo, WireError } from '../lock/plain.ts';
import { ADDRESS_CHARS_MAX, NAME_CHARS_MAX } from './limits.ts';

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/** One rumour: the state that a member has at an incarnation. Its address was announced by the member itself. */
export interface Rumour {
  readonly name: string;
  /** HOST:PORT, or empty if whoever tells it does not know. */
  readonly address: string;
  readonly state: MemberState;
  readonly incarnation: number;
}

/** `seq` pairs an answer with its ping or request; it means something to the asker only. */
export type Gossip =
  | { readonly kind: 'ping'; readonly seq: number; readonly rumours: readonly Rumour[] }
  | { readonly kind: 'ack'; readonly seq: number; readonly rumours: readonly Rumour[] }
  /** Ping `target` for me, and pass on its ack under this seq. */
  | {
      readonly kind: 'request';
      readonly seq: number;
      readonly rumours: readonly Rumour[];
      readonly target: string;
    }
  /** I have no link to the target of that request. */
  | { readonly kind: 'nack'; readonly seq: number; readonly rumours: readonly Rumour[] }
  /** Rumours alone; wants no answer. */
  | { readonly kind: 'news'; readonly seq: 0; readonly rumours: readonly Rumour[] };

/** As it stands in a frame; goes through msgpack as it is. */
export type GossipPayload = readonly unknown[];

/** All members of the largest mesh in one message. */
export const RUMOURS_MAX = 512;
/** Leaves room to refute: a member answers a rumour about itself with the next higher incarnation. */
export const INCARNATION_MAX = 2 ** 53 - 2 ** 20;

/** By their number on the wire. Only ever appended. */
const KINDS: readonly Gossip['kind'][] = ['ping', 'ack', 'request', 'nack', 'news'];
const STATES: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left'];

export function encodeGossip(gossip: Gossip): GossipPayload {
  const rumours = gossip.rumours.map(({ name, address, state, incarnation }) => [
    name,
    address,
    STATES.indexOf(state),
    incarnation,
  ]);
  const payload = [KINDS.indexOf(gossip.kind), gossip.seq, rumours];
  return gossip.kind === 'request' ? [...payload, gossip.target] : payload;
}

/** Throws a WireError that names the field. */
export function decodeGossip(payload: unknown): Gossip {
  const a = list(payload, 3, 'gossip');
  const number = natural(a[0], 'gossip.kind');
  const kind = KINDS[number];
  if (kind === undefined) throw new UnknownKindError('gossip.kind', number);
  const seq = natural(a[1], 'gossip.seq');
  const told = list(a[2], 0, 'gossip.rumours');
  if (told.length > RUMOURS_MAX) throw new WireError('gossip.rumours', `has more than ${RUMOURS_MAX}`);
  const rumours = told.map(rumourFromWire);
  switch (kind) {
    case 'request':
      return { kind, seq, rumours, target: text(a[3], 1, NAME_CHARS_MAX, 'gossip.target') };
    case 'news':
      return { kind, seq: 0, rumours };
    default:
      return { kind, seq, rumours };
  }
}

function rumourFromWire(u: unknown): Rumour {
  const a = list(u, 4, 'rumour');
  const number = natural(a[2], 'rumour.state');
  const state = STATES[number];
  if (state === undefined) throw new UnknownKindError('rumour.state', number);
  return {
    name: text(a[0], 1, NAME_CHARS_MAX, 'rumour.name'),
    address: text(a[1], 0, ADDRESS_CHARS_MAX, 'rumour.address'),
    state,
    incarnation: upTo(a[3], INCARNATION_MAX, 'rumour.incarnation'),
  };
}
