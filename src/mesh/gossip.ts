/**
 * What members tell each other about members, on the wire: arrays by position, checked when they come in.
 * Always true: what decode() gives back is within the limits; a wrong payload throws an error that names the field.
 */

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/** One rumour: the state that a member has at an incarnation. Its address was announced by the member itself. */
export interface Rumour {
  readonly name: string;
  /** HOST:PORT, or empty if whoever tells it does not know. */
  readonly address: string;
  readonly state: MemberState;
  readonly incarnation: number;
}

/** `seq` pairs an ack with its ping or request; it has a meaning for the asker only. */
export type Gossip =
  | { readonly kind: 'ping'; readonly seq: number; readonly rumours: readonly Rumour[] }
  | { readonly kind: 'ack'; readonly seq: number; readonly rumours: readonly Rumour[] }
  /** Please ping `target` for me, and pass on its ack under this seq. */
  | {
      readonly kind: 'request';
      readonly seq: number;
      readonly target: string;
      readonly rumours: readonly Rumour[];
    }
  /** All that is known, at the start of a link. */
  | { readonly kind: 'sync'; readonly rumours: readonly Rumour[] };

/** As it stands in a frame; goes through msgpack as it is. */
export type GossipPayload = readonly unknown[];

export declare function encodeGossip(gossip: Gossip): GossipPayload;
/** Throws an Error that names the field. */
export declare function decodeGossip(payload: unknown): Gossip;
