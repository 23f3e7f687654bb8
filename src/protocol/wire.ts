/**
 * Messages of /client as positional arrays of plain values, and back. A frame is the MessagePack of an array of
 * messages.
 * Always true: what is decoded has the type that it claims; sizes of texts are bounded; whether a name or a duration
 * is one that a door takes is the door's to say. Kinds and fields are only ever appended: a field that is missing at
 * the end is null, a kind that is not known is an UnknownKindError and may be skipped.
 *
 *   client         0 hello [version, agent]   1 gone [id]   2 acquire   3 release   4 extend   5 cancel   6 status
 *                  7 watch   8 open   9 beat   10 close
 *   peer           0 welcome   1 locked   2 unlocked   3 cancelled   4 status   5 event   6 refused   7 session   8 drain
 */
import {
  flag,
  HOLDER_CHARS_MAX,
  LOCK_ID_CHARS_MAX,
  list,
  millis,
  natural,
  REASON_CHARS_MAX,
  SCOPE_BYTES_MAX,
  SESSION_ID_CHARS_MAX,
  text,
  UnknownKindError,
  upTo,
  WireError,
} from '../lock/plain.ts';
import { type FencingToken, type LockId, PERMITS_MAX, type SessionId } from '../lock/state.ts';
import { modeFromWire, modeToWire, priorityFromWire, priorityToWire } from '../lock/wire-words.ts';
import type { ClientMessage, PeerEntry, PeerMessage, RequestMessage, SessionLock } from './messages.ts';

const CLIENT_KINDS = [
  'hello',
  'gone',
  'acquire',
  'release',
  'extend',
  'cancel',
  'status',
  'watch',
  'open',
  'beat',
  'close',
] as const satisfies readonly ClientMessage['kind'][];

const PEER_KINDS = [
  'welcome',
  'locked',
  'unlocked',
  'cancelled',
  'status',
  'event',
  'refused',
  'session',
  'drain',
] as const satisfies readonly PeerMessage['kind'][];

const ROLES = ['voter', 'observer'] as const;
const STATES = ['alive', 'suspect', 'dead'] as const;

const AGENT_CHARS_MAX = 256;
const NAME_CHARS_MAX = 64;
const ADDRESS_CHARS_MAX = 300;
const AUTO = -1;

// --- what clients say ---

export function clientMessageToWire(message: ClientMessage): unknown[] {
  const kind = CLIENT_KINDS.indexOf(message.kind);
  switch (message.kind) {
    case 'hello':
      return [kind, message.version, message.agent];
    case 'gone':
      return [kind, message.id];
    case 'acquire':
      return [
        kind,
        message.id,
        message.scope,
        message.lockId,
        message.holder,
        modeToWire(message.mode),
        message.permits,
        priorityToWire(message.priority),
        message.reason,
        message.session,
        message.leaseMs ?? AUTO,
        message.waitMs,
        message.repeat,
      ];
    case 'release':
      return [kind, message.id, message.scope, message.lockId, message.holder, message.force];
    case 'extend': {
      const mode = message.mode === null ? null : modeToWire(message.mode);
      const { id, scope, lockId, holder, leaseMs, token, waitMs } = message;
      return [kind, id, scope, lockId, holder, leaseMs, mode, token, waitMs];
    }
    case 'cancel':
      return [kind, message.id, message.scope, message.lockId, message.holder];
    case 'status':
    case 'watch':
      return [kind, message.id, message.scope];
    case 'open':
      return [kind, message.id, message.ttlMs, message.holder];
    case 'beat':
    case 'close':
      return [kind, message.id, message.session, message.list];
  }
}

export function clientMessageFromWire(u: unknown): ClientMessage {
  const a = list(u, 1, 'message');
  const number = natural(a[0], 'kind');
  const kind = CLIENT_KINDS[number];
  switch (kind) {
    case undefined:
      throw new UnknownKindError('message', number);
    case 'hello':
      return { kind, version: natural(a[1], 'version'), agent: text(a[2], 0, AGENT_CHARS_MAX, 'agent') };
    case 'gone':
      return { kind, id: natural(a[1], 'id') };
    default:
      return requestFromWire(kind, a);
  }
}

function requestFromWire(kind: RequestMessage['kind'], a: readonly unknown[]): RequestMessage {
  const id = natural(a[1], 'id');
  switch (kind) {
    case 'acquire':
      return {
        kind,
        id,
        scope: scopeOf(a[2]),
        lockId: text(a[3], 1, LOCK_ID_CHARS_MAX, 'lock_id') as LockId,
        holder: holderOf(a[4]),
        mode: modeFromWire(a[5], 'lock_type'),
        permits: upTo(a[6], PERMITS_MAX, 'permits'),
        priority: priorityFromWire(a[7], 'priority'),
        reason: textOrNull(a[8], REASON_CHARS_MAX, 'reason'),
        session: sessionOrNull(a[9]),
        leaseMs: a[10] === AUTO ? null : millis(a[10], false, 'timeout'),
        waitMs: millis(a[11], false, 'wait'),
        repeat: natural(a[12], 'repeat'),
      };
    case 'release':
      return { kind, id, ...meant(a), force: textOrNull(a[5], REASON_CHARS_MAX, 'reason') };
    case 'extend': {
      const mode = isNull(a[6]) ? null : modeFromWire(a[6], 'lock_type');
      if (mode === 'permit') throw new WireError('lock_type', 'is no mode that a lock can be converted to');
      return {
        kind,
        id,
        ...meant(a),
        leaseMs: isNull(a[5]) ? null : millis(a[5], false, 'timeout'),
        mode,
        token: isNull(a[7]) ? null : tokenOf(a[7]),
        waitMs: isNull(a[8]) ? 0 : millis(a[8], false, 'wait'),
      };
    }
    case 'cancel':
      return { kind, id, ...meant(a) };
    case 'status':
    case 'watch':
      return { kind, id, scope: scopeOf(a[2]) };
    case 'open':
      return {
        kind,
        id,
        ttlMs: millis(a[2], false, 'ttl'),
        holder: text(a[3], 1, HOLDER_CHARS_MAX, 'holder'),
      };
    case 'beat':
    case 'close':
      return { kind, id, session: sessionOf(a[2]), list: a[3] === true };
  }
}

function meant(a: readonly unknown[]) {
  return { scope: scopeOf(a[2]), lockId: lockIdOrNull(a[3]), holder: holderOf(a[4]) };
}

// --- what peers say ---

export function peerMessageToWire(message: PeerMessage): unknown[] {
  const kind = PEER_KINDS.indexOf(message.kind);
  switch (message.kind) {
    case 'welcome': {
      const peers = message.peers.map((peer) => [
        peer.name,
        peer.address,
        ROLES.indexOf(peer.role),
        STATES.indexOf(peer.state),
      ]);
      return [kind, message.version, message.name, message.epoch, peers, message.mesh];
    }
    case 'locked':
      return [
        kind,
        message.id,
        message.token,
        message.leaseMs,
        message.leftMs,
        message.at,
        message.sets,
        message.waitedMs,
        message.votes,
        message.voters,
        message.waiters,
        message.slot,
        modeToWire(message.mode),
        message.lockId,
        message.holder,
      ];
    case 'unlocked':
      return [kind, message.id, message.token, message.votes, message.voters, message.lockId];
    case 'cancelled':
      return [kind, message.id, message.votes, message.voters];
    case 'status':
    case 'event':
    case 'refused':
      return [kind, message.id, message.body];
    case 'session': {
      const locks = message.locks.map(({ scope, lockId, token }) => [scope, lockId, token]);
      return [kind, message.id, message.session, message.ttlMs, locks];
    }
    case 'drain':
      return [kind];
  }
}

export function peerMessageFromWire(u: unknown): PeerMessage {
  const a = list(u, 1, 'message');
  const number = natural(a[0], 'kind');
  const kind = PEER_KINDS[number];
  if (kind === undefined) throw new UnknownKindError('message', number);
  if (kind === 'drain') return { kind };
  if (kind === 'welcome') {
    return {
      kind,
      version: natural(a[1], 'version'),
      name: text(a[2], 1, NAME_CHARS_MAX, 'name'),
      epoch: natural(a[3], 'epoch'),
      peers: list(a[4], 0, 'peers').map(peerEntryOf),
      mesh: isNull(a[5]) ? '' : text(a[5], 0, NAME_CHARS_MAX, 'mesh'),
    };
  }
  const id = natural(a[1], 'id');
  switch (kind) {
    case 'locked':
      return {
        kind,
        id,
        token: tokenOf(a[2]),
        leaseMs: millis(a[3], false, 'lease'),
        leftMs: millis(a[4], true, 'left'),
        at: millis(a[5], false, 'at'),
        sets: flag(a[6], 'sets'),
        waitedMs: millis(a[7], false, 'waited'),
        votes: natural(a[8], 'votes'),
        voters: natural(a[9], 'voters'),
        waiters: natural(a[10], 'waiters'),
        slot: natural(a[11], 'slot'),
        mode: modeFromWire(a[12], 'mode'),
        lockId: lockIdOrNull(a[13]),
        holder: holderOf(a[14]),
      };
    case 'unlocked':
      return {
        kind,
        id,
        token: tokenOf(a[2]),
        votes: natural(a[3], 'votes'),
        voters: natural(a[4], 'voters'),
        lockId: lockIdOrNull(a[5]),
      };
    case 'cancelled':
      return { kind, id, votes: natural(a[2], 'votes'), voters: natural(a[3], 'voters') };
    case 'status':
    case 'event':
    case 'refused':
      return { kind, id, body: bodyOf(a[2]) };
    case 'session':
      return {
        kind,
        id,
        session: sessionOf(a[2]),
        ttlMs: millis(a[3], false, 'ttl'),
        locks: list(a[4], 0, 'locks').map(sessionLockOf),
      };
  }
}

function peerEntryOf(u: unknown): PeerEntry {
  const a = list(u, 4, 'peer');
  const role = ROLES[natural(a[2], 'peer.role')];
  const state = STATES[natural(a[3], 'peer.state')];
  if (role === undefined || state === undefined) throw new WireError('peer', 'has an unknown role or state');
  const name = text(a[0], 1, NAME_CHARS_MAX, 'peer.name');
  return { name, address: text(a[1], 0, ADDRESS_CHARS_MAX, 'peer.address'), role, state };
}

function sessionLockOf(u: unknown): SessionLock {
  const a = list(u, 3, 'lock');
  return {
    scope: scopeOf(a[0]),
    lockId: text(a[1], 1, LOCK_ID_CHARS_MAX, 'lock_id') as LockId,
    token: tokenOf(a[2]),
  };
}

// --- fields ---

function isNull(u: unknown): u is null | undefined {
  return u === null || u === undefined;
}

function scopeOf(u: unknown): string {
  return text(u, 0, SCOPE_BYTES_MAX, 'scope');
}

function holderOf(u: unknown): string | null {
  return textOrNull(u, HOLDER_CHARS_MAX, 'holder');
}

function sessionOf(u: unknown): SessionId {
  return text(u, 1, SESSION_ID_CHARS_MAX, 'session') as SessionId;
}

function sessionOrNull(u: unknown): SessionId | null {
  return isNull(u) ? null : sessionOf(u);
}

function lockIdOrNull(u: unknown): LockId | null {
  return textOrNull(u, LOCK_ID_CHARS_MAX, 'lock_id') as LockId | null;
}

function textOrNull(u: unknown, most: number, field: string): string | null {
  return isNull(u) ? null : text(u, 0, most, field);
}

function tokenOf(u: unknown): FencingToken {
  return natural(u, 'fencing_token') as FencingToken;
}

function bodyOf(u: unknown): Readonly<Record<string, unknown>> {
  if (typeof u === 'object' && u !== null && !Array.isArray(u)) return u as Record<string, unknown>;
  throw new WireError('body', 'is no object');
}
