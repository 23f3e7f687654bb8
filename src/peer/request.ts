/**
 * What a client asks of its gateway, and what the gateway answers.
 */
import type { Force, Outcome } from '../lock/command.ts';
import type { FencingToken, LeaseId, LockId, Mode, Priority, SessionId } from '../lock/state.ts';
import type { View } from './messages.ts';

/** The session that a lock shall live and die with. */
export interface SessionWish {
  readonly id: SessionId;
  /** Milliseconds. */
  readonly ttlMs: number;
  /** Whether the gateway opens it for this lock alone (`heartbeat`); else the client has opened it before. */
  readonly implicit: boolean;
}

export interface AcquireRequest {
  readonly op: 'acquire';
  readonly scope: string;
  readonly lockId: LockId;
  /** Whether the gateway made up the lock id: then nobody else can ever ask for it again. */
  readonly made: boolean;
  readonly holder: string;
  readonly named: boolean;
  readonly mode: Mode;
  /** With mode `permit`: how many may hold the scope; else 0. */
  readonly permits: number;
  readonly priority: Priority;
  readonly reason: string | null;
  readonly session: SessionWish | null;
  readonly leaseMs: number;
  /** How long to wait in the queue, in milliseconds; 0: not at all. */
  readonly waitMs: number;
  /** Ends this request after that long if it still waits, and keeps its place; null: it waits to the end. */
  readonly pollMs: number | null;
  /** How many times the client says that it has sent this lock id before. */
  readonly repeat: number;
  /** Wall clock, for people. */
  readonly at: number;
}

/** Which lock: by its id, else by holder name, else the one that was acquired without a name (L6). */
export interface Which {
  readonly scope: string;
  readonly lockId: LockId | null;
  readonly holder: string | null;
}

export interface ReleaseRequest extends Which {
  readonly op: 'release';
  /** Release whoever holds it: all holders, if neither a lock id nor a holder name is given. */
  readonly force: Force | null;
  readonly at: number;
}

export interface ExtendRequest extends Which {
  readonly op: 'extend';
  /** The lease, counted from now; null leaves it as it is (a conversion only). */
  readonly leaseMs: number | null;
  readonly replaces: LeaseId | null;
  /** Converts the lock to this mode (L9). */
  readonly mode: Mode | null;
  /** The token that the client holds: under another one the conversion is late, and changes nothing; null: any. */
  readonly token: FencingToken | null;
  /** How long an upgrade may wait for the other readers, in milliseconds. */
  readonly waitMs: number;
  readonly at: number;
}

/** Gives up waiting. */
export interface CancelRequest extends Which {
  readonly op: 'cancel';
  readonly at: number;
}

/** A sign of life for the session that a lock lives with, and the news whether the lock is still there. */
export interface HeartbeatRequest extends Which {
  readonly op: 'heartbeat';
}

export interface StatusRequest {
  readonly op: 'status';
  readonly scope: string;
}

export interface SessionRequest {
  readonly op: 'open_session' | 'beat_session' | 'close_session';
  readonly session: SessionId;
  /** For `open_session`. */
  readonly holder: string;
  readonly ttlMs: number;
  /** For `beat_session`: whether the answer shall list its locks and places. */
  readonly list: boolean;
  readonly at: number;
}

export type ClientRequest =
  | AcquireRequest
  | ReleaseRequest
  | ExtendRequest
  | CancelRequest
  | HeartbeatRequest
  | StatusRequest
  | SessionRequest;

export type ClientReply =
  | {
      readonly kind: 'decided';
      /**
       * For a session request: granted (open), extended (beat), released (closed), ended or not_found (dead). For a
       * heartbeat: granted with `repeat` (held), queued (waits), ended, not_found.
       */
      readonly outcome: Outcome;
      /** The lock id that the request meant, where it meant one. */
      readonly lockId: LockId | null;
      readonly votes: number;
      readonly voters: number;
      readonly view: View;
      /**
       * A grant, not a repeat: the holder counts its lease from its own send plus this many milliseconds of this
       * gateway's clock (divided by the clock margin), T4. 0 unless it waited.
       */
      readonly countFromMs: number;
      /** What became of the session of a heartbeat: whether the sign of life was taken. */
      readonly beat: boolean;
    }
  /** Still in the queue when the poll ended, or waits through another gateway: its place is kept. */
  | {
      readonly kind: 'waiting';
      readonly position: number;
      readonly votes: number;
      readonly voters: number;
      readonly view: View;
    }
  /** Others hold the scope, and the request names neither their lock id nor their name. */
  | { readonly kind: 'not_holder'; readonly votes: number; readonly voters: number; readonly view: View }
  /** The session that the lock shall live with is dead or unknown. */
  | { readonly kind: 'no_session'; readonly session: SessionId }
  /** A limit was reached; nothing happened. */
  | { readonly kind: 'overloaded'; readonly limit: string }
  /** Certain: nothing happened. `missing` are indices of voters that did not answer. */
  | { readonly kind: 'no_quorum'; readonly missing: readonly number[] }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unknown'; readonly missing: readonly number[] };
