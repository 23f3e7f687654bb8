/**
 * A running peer as the doors (HTTP, later others) see it.
 */
import type { ClientReply, ClientRequest } from '../peer/request.ts';
import type { Register } from '../vote/acceptor.ts';
import type { Listener } from './listeners.ts';

/** One member of the mesh as this peer sees it. */
export interface MemberView {
  readonly name: string;
  /** HOST:PORT, or empty if not known yet. */
  readonly address: string;
  readonly role: 'voter' | 'observer';
  readonly state: 'alive' | 'suspect' | 'dead';
  /** Round trip of the last ping in milliseconds; null for this peer itself or before the first. */
  readonly rttMs: number | null;
}

/** What this peer may do at present. */
export type Standing =
  /** The first roster does not count yet (M1): these voters have not stored it. */
  | { readonly kind: 'forming'; readonly missing: readonly string[] }
  | { readonly kind: 'voting' }
  | { readonly kind: 'observing' }
  /** Known name, but wiped, restored or copied data (M2): stays up, forwards, does not vote. */
  | { readonly kind: 'refused'; readonly reason: string; readonly mend: string };

export interface RequestOptions {
  /** How long the votes may take; what the request waits in a queue comes on top. */
  readonly timeoutMs: number;
  /** Who asks, if it may go away before it is answered. */
  readonly asker?: Asker;
}

/** Whoever waits for an answer. Not an AbortSignal: one for each request is costly to make. */
export interface Asker {
  readonly gone: boolean;
  /** @param told called when it goes away; undefined: nobody is to be told any more. */
  whenGone(told: (() => void) | undefined): void;
}

/** Told the answer to a request, once. It must not throw. */
export type Done = (reply: ClientReply) => void;

/** One peer, running. */
export interface RunningPeer {
  readonly name: string;
  readonly standing: Standing;
  readonly epoch: number;
  /** The id of the mesh; empty while it forms. */
  readonly mesh: string;
  /** Names of the voters, in roster order: a mask or an index in a reply refers to it. */
  readonly voters: readonly string[];
  /** Whether a majority of voters looks alive from here. */
  readonly hasQuorum: boolean;
  /**
   * Asks without a promise: for doors of many requests.
   * @param timeoutMs how long the votes may take; what the request waits in a queue comes on top.
   * @param done called after this has returned. All answers of one turn of the event loop come together.
   * @returns the number of the request, for `abandon`.
   */
  ask(request: ClientRequest, timeoutMs: number, done: Done): number;
  /** The client of that request is gone: `done` is told `unknown` at once, and nothing is asked for it any more. */
  abandon(id: number): void;
  request(request: ClientRequest, options: RequestOptions): Promise<ClientReply>;
  /**
   * Tells what is chosen of a scope, from a beginning that is told first: each change once, in order.
   * @param listener called after this has returned. Told null at once by a peer that does not vote.
   * @returns what ends it.
   */
  listen(scope: string, listener: Listener): () => void;
  /** Held scopes by this peer's own memory: for lists, may be a moment old (V7). */
  held(): Iterable<readonly [scope: string, register: Register]>;
  /** This peer's monotonic clock in milliseconds, on which `register.noted` is counted. */
  now(): number;
  members(): readonly MemberView[];
}
