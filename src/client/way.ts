/**
 * What calls need of a transport: peers that can be asked, and an order in which to ask them.
 * Always true: a request that was handed over gets exactly one of `answered`, `broken` and `moved`, never from within
 * `send`, unless it was given up with `gone` before; a `watch` gets any number of `answered` first.
 */
import type { PeerMessage, RequestMessage } from '../protocol/messages.ts';
import type { Server } from './options.ts';

/** A request on its way to a peer; each transport numbers it in its own way. */
export type Draft<M = RequestMessage> = M extends RequestMessage ? { -readonly [K in keyof M]: M[K] } : never;

export type Answer = Exclude<PeerMessage, { readonly kind: 'welcome' | 'drain' }>;

export interface Asker {
  answered(answer: Answer): void;
  /** The way to the peer broke. @param sent whether the request may have reached it. */
  broken(sent: boolean, why: string): void;
  /** It was not sent, as another peer could be reached first: it shall be sent to that. */
  moved(): void;
}

/** One peer that can be asked. */
export interface Peer {
  /** For people. */
  readonly label: string;
  /** @returns a ticket for `gone`. */
  send(message: Draft, asker: Asker): number;
  /** Gives the request up, as if its connection had broken. @returns whether it may have reached the peer. */
  gone(ticket: number): boolean;
}

export interface Transport {
  /** Whom to ask about a scope (null: any peer). @param tried peers that were asked in vain, and only then again. */
  pick(scope: string | null, tried: readonly Peer[]): Peer;
  /** All servers that are known, for plain HTTP. */
  servers(): readonly Server[];
  /** Ends all connections. What is under way is told that it broke. */
  close(): void;
}
