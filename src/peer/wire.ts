/**
 * Frames of messages as positional arrays of plain values, and back.
 * Always true: every frame, whatever its kind, starts with the format version, the mesh id, the epoch and its
 * kind. A message of a kind that this version does not know is left out, as if the network had lost it; anything
 * else that is wrong refuses the frame with a WireError.
 */
import { list, millis, natural, scopeText, text, UnknownKindError, upTo, WireError } from '../lock/plain.ts';
import type { LockId } from '../lock/state.ts';
import { grantFromWire, grantsFromWire, grantToWire } from '../lock/wire.ts';
import { commandFromWire, commandToWire, outcomeFromWire, outcomeToWire } from '../lock/wire-commands.ts';
import {
  holderFromWire,
  lockIdFromWire,
  modeFromWire,
  modeToWire,
  priorityFromWire,
  priorityToWire,
  reasonFromWire,
  sessionFromWire,
  sessionIdFromWire,
  tokenFromWire,
} from '../lock/wire-words.ts';
import { VOTERS_MAX } from '../vote/quorum.ts';
import { voteFromWire, voteToWire } from '../vote/wire.ts';
import type { Contention, Frame, Message, SessionEntry, Verdict, View, WaiterView } from './messages.ts';

/** Raised only when older peers could not skip what is new. */
export const FRAME_VERSION = 1;
/** The kind of a frame of messages; other kinds belong to the links. */
export const MESSAGES = 0;
export const MESH_ID_CHARS_MAX = 64;

/** Kinds of messages. Only ever appended; those of the vote are below 64. */
const FIRST_OWN_KIND = 64;
const FORWARD = 64;
const ANSWER = 65;
const NOTICE = 66;
const OBITUARY = 67;

const DECIDED = 0;
const NO_QUORUM = 1;
const UNKNOWN = 2;
const OVERLOADED = 3;

/** Names one of this version's limits, or of a later one's. */
const LIMIT_CHARS_MAX = 64;

const MASK_MAX = 2 ** VOTERS_MAX - 1;

export interface Head {
  readonly mesh: string;
  readonly epoch: number;
  readonly kind: number;
}

/** What every frame starts with, and nothing that comes after it. */
export function headFromWire(u: unknown): Head {
  const a = list(u, 4, 'frame');
  const version = natural(a[0], 'frame.version');
  if (version !== FRAME_VERSION) {
    throw new WireError('frame.version', `is ${version}, this peer speaks ${FRAME_VERSION}`);
  }
  return {
    mesh: text(a[1], 0, MESH_ID_CHARS_MAX, 'frame.mesh'),
    epoch: natural(a[2], 'frame.epoch'),
    kind: natural(a[3], 'frame.kind'),
  };
}

export function frameToWire(frame: Frame): unknown[] {
  return [FRAME_VERSION, frame.mesh, frame.epoch, MESSAGES, frame.messages.map(messageToWire)];
}

/** @param skipped is told of each message that was left out because this version does not know it. */
export function frameFromWire(u: unknown, skipped?: (why: UnknownKindError) => void): Frame {
  const { mesh, epoch, kind } = headFromWire(u);
  if (kind !== MESSAGES) throw new WireError('frame.kind', `is ${kind}, not one of messages`);
  const a = list((u as unknown[])[4], 0, 'frame.messages');
  const messages: Message[] = [];
  for (let i = 0; i < a.length; i++) {
    try {
      messages.push(messageFromWire(a[i]));
    } catch (error) {
      if (!(error instanceof UnknownKindError)) throw error;
      skipped?.(error);
    }
  }
  return { mesh, epoch, messages };
}

export function messageToWire(message: Message): unknown[] {
  switch (message.kind) {
    case 'forward': {
      const { request, scope, command, waitMs } = message;
      return [FORWARD, request, scope, commandToWire(command), waitMs];
    }
    case 'answer':
      return [ANSWER, message.request, verdictToWire(message.verdict)];
    case 'notice':
      return [NOTICE, message.scope, grantToWire(message.grant), message.votes, message.retirements];
    case 'obituary':
      return [OBITUARY, message.session];
    default:
      return voteToWire(message);
  }
}

export function messageFromWire(u: unknown): Message {
  const a = list(u, 1, 'message');
  const kind = natural(a[0], 'message.kind');
  if (kind < FIRST_OWN_KIND) return voteFromWire(a);
  switch (kind) {
    case FORWARD:
      return {
        kind: 'forward',
        request: natural(a[1], 'forward.request'),
        scope: scopeText(a[2], 'forward.scope'),
        command: commandFromWire(a[3]),
        waitMs: millis(a[4], false, 'forward.waitMs'),
      };
    case ANSWER:
      return {
        kind: 'answer',
        request: natural(a[1], 'answer.request'),
        verdict: verdictFromWire(a[2]),
      };
    case NOTICE:
      return {
        kind: 'notice',
        scope: scopeText(a[1], 'notice.scope'),
        grant: grantFromWire(a[2]),
        votes: upTo(a[3], VOTERS_MAX, 'notice.votes'),
        retirements: natural(a[4], 'notice.retirements'),
      };
    case OBITUARY:
      return { kind: 'obituary', session: sessionIdFromWire(a[1], 'obituary.session') };
    default:
      throw new UnknownKindError('message.kind', kind);
  }
}

function verdictToWire(verdict: Verdict): unknown[] {
  switch (verdict.kind) {
    case 'decided':
      return [DECIDED, outcomeToWire(verdict.outcome), verdict.votes, viewToWire(verdict.view)];
    case 'no_quorum':
      return [NO_QUORUM, verdict.missing];
    case 'unknown':
      return [UNKNOWN];
    case 'overloaded':
      return [OVERLOADED, verdict.limit];
  }
}

function verdictFromWire(u: unknown): Verdict {
  const a = list(u, 1, 'verdict');
  const kind = natural(a[0], 'verdict.kind');
  switch (kind) {
    case DECIDED:
      return {
        kind: 'decided',
        outcome: outcomeFromWire(a[1]),
        votes: upTo(a[2], VOTERS_MAX, 'verdict.votes'),
        view: viewFromWire(a[3]),
      };
    case NO_QUORUM:
      return { kind: 'no_quorum', missing: upTo(a[1], MASK_MAX, 'verdict.missing') };
    case UNKNOWN:
      return { kind: 'unknown' };
    case OVERLOADED:
      return { kind: 'overloaded', limit: text(a[1], 0, LIMIT_CHARS_MAX, 'verdict.limit') };
    default:
      throw new UnknownKindError('verdict.kind', kind);
  }
}

function viewToWire(view: View): unknown[] {
  const { acquires, conflicts, holds, heldMs, waiters } = view.contention;
  const places: unknown[] = [];
  for (const [lockId, position] of view.places) places.push(lockId, position);
  return [
    view.token,
    view.retirements,
    view.holders.map(grantToWire),
    view.leftMs,
    [acquires, conflicts, holds, heldMs, waiters],
    view.waiters.map(waiterViewToWire),
    places,
    view.entries.map(entryToWire),
  ];
}

function viewFromWire(u: unknown): View {
  const a = list(u, 8, 'view');
  const holders = grantsFromWire(a[2], 'view.holders');
  const left = list(a[3], holders.length, 'view.leftMs');
  const leftMs: number[] = [];
  for (let i = 0; i < holders.length; i++) leftMs.push(millis(left[i], true, 'view.leftMs'));
  return {
    token: tokenFromWire(a[0], 'view.token'),
    retirements: natural(a[1], 'view.retirements'),
    holders,
    leftMs,
    waiters: waiterViewsFromWire(a[5]),
    places: placesFromWire(a[6]),
    entries: entriesFromWire(a[7]),
    contention: contentionFromWire(a[4]),
  };
}

function contentionFromWire(u: unknown): Contention {
  const a = list(u, 5, 'view.contention');
  return {
    acquires: natural(a[0], 'contention.acquires'),
    conflicts: natural(a[1], 'contention.conflicts'),
    holds: natural(a[2], 'contention.holds'),
    heldMs: millis(a[3], false, 'contention.heldMs'),
    waiters: natural(a[4], 'contention.waiters'),
  };
}

function waiterViewToWire({ lockId, holder, mode, priority, reason, at, session }: WaiterView): unknown[] {
  return [lockId, holder, modeToWire(mode), priorityToWire(priority), reason, at, session];
}

function waiterViewFromWire(u: unknown): WaiterView {
  const a = list(u, 7, 'view.waiters');
  return {
    lockId: lockIdFromWire(a[0], 'waiters.lockId'),
    holder: holderFromWire(a[1], 'waiters.holder'),
    mode: modeFromWire(a[2], 'waiters.mode'),
    priority: priorityFromWire(a[3], 'waiters.priority'),
    reason: reasonFromWire(a[4], 'waiters.reason'),
    at: natural(a[5], 'waiters.at'),
    session: sessionFromWire(a[6], 'waiters.session'),
  };
}

function waiterViewsFromWire(u: unknown): WaiterView[] {
  const a = list(u, 0, 'view.waiters');
  const waiters: WaiterView[] = [];
  for (let i = 0; i < a.length; i++) waiters.push(waiterViewFromWire(a[i]));
  return waiters;
}

function placesFromWire(u: unknown): (readonly [LockId, number])[] {
  const a = list(u, 0, 'view.places');
  if (a.length % 2 !== 0) throw new WireError('view.places', 'is no list of pairs');
  const places: (readonly [LockId, number])[] = [];
  for (let i = 0; i < a.length; i += 2) {
    places.push([lockIdFromWire(a[i], 'places.lockId'), natural(a[i + 1], 'places.position')]);
  }
  return places;
}

function entryToWire({ scope, lockId, token }: SessionEntry): unknown[] {
  return [scope, lockId, token];
}

function entryFromWire(u: unknown): SessionEntry {
  const a = list(u, 3, 'view.entries');
  return {
    scope: scopeText(a[0], 'entries.scope'),
    lockId: lockIdFromWire(a[1], 'entries.lockId'),
    token: tokenFromWire(a[2], 'entries.token'),
  };
}

function entriesFromWire(u: unknown): SessionEntry[] {
  const a = list(u, 0, 'view.entries');
  const entries: SessionEntry[] = [];
  for (let i = 0; i < a.length; i++) entries.push(entryFromWire(a[i]));
  return entries;
}
