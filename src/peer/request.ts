/**
 * What a client asks of its gateway, and what the gateway answers.
 */
import type { Outcome } from '../lock/command.ts';
import type { LeaseId, LockId } from '../lock/state.ts';
import type { View } from './messages.ts';

export interface AcquireRequest {
  readonly op: 'acquire';
  readonly scope: string;
  readonly lockId: LockId;
  /** Whether the gateway made up the lock id: then nobody else can ever ask for it again. */
  readonly made: boolean;
  readonly holder: string;
  readonly named: boolean;
  readonly leaseMs: number;
  /** The client says that it has sent this lock id before. */
  readonly repeat: boolean;
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
}

export interface ExtendRequest extends Which {
  readonly op: 'extend';
  readonly leaseMs: number;
  readonly replaces: LeaseId | null;
}

export interface StatusRequest {
  readonly op: 'status';
  readonly scope: string;
}

export type ClientRequest = AcquireRequest | ReleaseRequest | ExtendRequest | StatusRequest;

export type ClientReply =
  | {
      readonly kind: 'decided';
      readonly outcome: Outcome;
      /** The lock id that the request meant, where it meant one. */
      readonly lockId: LockId | null;
      readonly votes: number;
      readonly voters: number;
      readonly view: View;
    }
  /** Others hold the scope, and the request names neither their lock id nor their name. */
  | { readonly kind: 'not_holder'; readonly votes: number; readonly voters: number; readonly view: View }
  /** Certain: nothing happened. `missing` are indices of voters that did not answer. */
  | { readonly kind: 'no_quorum'; readonly missing: readonly number[] }
  /** It may have happened, or may yet. */
  | { readonly kind: 'unknown'; readonly missing: readonly number[] };
