/**
 * What a client and a peer say to each other over the WebSocket at /client.
 * Always true: the client's first message is a hello, the peer's first one a welcome; each request has a number of
 * its own in its connection, and exactly one answer, unless the connection breaks or the client said `gone`. Nothing
 * is answered in order. What a connection that broke leaves open may have happened: the same lock id may be sent
 * again, here or at another peer (L4).
 *
 *   client    peer
 *   hello     welcome, and again whenever the mesh has changed
 *   acquire   locked, or refused
 *   extend    locked, or refused
 *   cancel    cancelled; locked, if it was granted before; or refused
 *   release   unlocked, or refused
 *   status    status, or refused
 *   open, beat, close    session, or refused
 *   watch     event after event until `gone`; or refused
 *   gone      nothing: what that request asked for is given up as if the connection had broken
 *   -         drain: this peer is stopping; what waits here is refused, the rest is still answered
 */
import type { FencingToken, LockId, Mode, Priority, SessionId } from '../lock/state.ts';

/** Raised only when older peers or clients could not skip what is new. */
export const PROTOCOL_VERSION = 1;

export interface Hello {
  readonly kind: 'hello';
  readonly version: number;
  /** Program and version of the client, for people. */
  readonly agent: string;
}

export interface Gone {
  readonly kind: 'gone';
  readonly id: number;
}

export interface AcquireMessage {
  readonly kind: 'acquire';
  readonly id: number;
  readonly scope: string;
  /** Chosen by the client, so that it can repeat it elsewhere. */
  readonly lockId: LockId;
  /** null: the peer makes one up, and tells it. */
  readonly holder: string | null;
  readonly mode: Mode;
  /** How many may hold a scope that is a semaphore; 0 with the other modes. */
  readonly permits: number;
  readonly priority: Priority;
  readonly reason: string | null;
  readonly session: SessionId | null;
  /** Milliseconds; NO_EXPIRY: it never ends by itself; null: `auto`. */
  readonly leaseMs: number | null;
  /** Milliseconds; 0: it does not wait. */
  readonly waitMs: number;
  /** How many times the client has sent this lock id before. */
  readonly repeat: number;
}

/** Which lock, where not by its id: by its holder's name; else the one that was acquired without a name. */
interface Meant {
  readonly scope: string;
  readonly lockId: LockId | null;
  readonly holder: string | null;
}

export interface ReleaseMessage extends Meant {
  readonly kind: 'release';
  readonly id: number;
  /** Why, if it is released by force, whoever holds it: `holder` then says who does that. null: not by force. */
  readonly force: string | null;
}

export interface ExtendMessage extends Meant {
  readonly kind: 'extend';
  readonly id: number;
  /** Milliseconds, or NO_EXPIRY; null leaves it as it is (a conversion only). */
  readonly leaseMs: number | null;
  /** Converts the lock; null: it stays as it is. */
  readonly mode: 'write' | 'read' | null;
  /** The token held, for a conversion. */
  readonly token: FencingToken | null;
  /** How long an upgrade may wait. */
  readonly waitMs: number;
}

export interface CancelMessage extends Meant {
  readonly kind: 'cancel';
  readonly id: number;
}

export interface StatusMessage {
  readonly kind: 'status' | 'watch';
  readonly id: number;
  readonly scope: string;
}

export interface OpenMessage {
  readonly kind: 'open';
  readonly id: number;
  readonly ttlMs: number;
  readonly holder: string;
}

export interface SessionMessage {
  readonly kind: 'beat' | 'close';
  readonly id: number;
  readonly session: SessionId;
  /** Of a beat: whether the answer shall list its locks and places. Who has thousands asks for that now and then. */
  readonly list: boolean;
}

export type RequestMessage =
  | AcquireMessage
  | ReleaseMessage
  | ExtendMessage
  | CancelMessage
  | StatusMessage
  | OpenMessage
  | SessionMessage;

export type ClientMessage = Hello | Gone | RequestMessage;

/** One peer, as the one that welcomes sees it. */
export interface PeerEntry {
  readonly name: string;
  /** HOST:PORT, or empty if not known. */
  readonly address: string;
  readonly role: 'voter' | 'observer';
  readonly state: 'alive' | 'suspect' | 'dead';
}

export interface Welcome {
  readonly kind: 'welcome';
  readonly version: number;
  /** The peer that speaks. */
  readonly name: string;
  /** The number of the roster in force. */
  readonly epoch: number;
  /** All peers. Voters come first, in the order in which their names are hashed. */
  readonly peers: readonly PeerEntry[];
  /** The mesh; empty while it forms. Peers of another one may have the same names. */
  readonly mesh: string;
}

export interface Locked {
  readonly kind: 'locked';
  readonly id: number;
  readonly token: FencingToken;
  /** The lease that was decided, or NO_EXPIRY. */
  readonly leaseMs: number;
  /** What is left of it; -1: it never ends by itself. */
  readonly leftMs: number;
  /** Wall clock of a peer, milliseconds since 1970: for people. */
  readonly at: number;
  /** Whether this very request set the lease: only then the holder may count from its send (T1). */
  readonly sets: boolean;
  /** The count begins at the send plus this / 1.01 (T4). */
  readonly waitedMs: number;
  readonly votes: number;
  readonly voters: number;
  /** How many wait. */
  readonly waiters: number;
  /** Which permit of a semaphore it is, from 0; 0 for other locks. */
  readonly slot: number;
  readonly mode: Mode;
  /** null: the one that the request named. */
  readonly lockId: LockId | null;
  readonly holder: string | null;
}

export interface Unlocked {
  readonly kind: 'unlocked';
  readonly id: number;
  /** The token that the lock had. */
  readonly token: FencingToken;
  readonly votes: number;
  readonly voters: number;
  /** null: the one that the request named. */
  readonly lockId: LockId | null;
}

export interface Cancelled {
  readonly kind: 'cancelled';
  readonly id: number;
  readonly votes: number;
  readonly voters: number;
}

/** `body` is what HTTP answers: a status, an event, or the body of a problem (which has its HTTP status in it). */
export interface Told {
  readonly kind: 'status' | 'event' | 'refused';
  readonly id: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A lock of a session; token 0: it waits. */
export interface SessionLock {
  readonly scope: string;
  readonly lockId: LockId;
  readonly token: FencingToken;
}

/** The session is open, was beaten, or (closed) is over. */
export interface SessionTold {
  readonly kind: 'session';
  readonly id: number;
  readonly session: SessionId;
  readonly ttlMs: number;
  /** Its locks and places, by the memory of one voter; empty unless a beat asked for them. */
  readonly locks: readonly SessionLock[];
}

export interface Drain {
  readonly kind: 'drain';
}

export type PeerMessage = Welcome | Locked | Unlocked | Cancelled | Told | SessionTold | Drain;
