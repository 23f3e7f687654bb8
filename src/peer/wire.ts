/**
 * Frames of messages as positional arrays of plain values, and back.
 * Always true: every frame, whatever its kind, starts with the format version, the mesh id, the epoch and its
 * kind. A message of a kind that this version does not know is left out, as if the network had lost it; anything
 * else that is wrong refuses the frame with a WireError.
 */
import { list, millis, natural, scopeText, text, UnknownKindError, upTo, WireError } from '../lock/plain.ts';
import type { FencingToken } from '../lock/state.ts';
import {
  commandFromWire,
  commandToWire,
  grantsFromWire,
  grantToWire,
  outcomeFromWire,
  outcomeToWire,
} from '../lock/wire.ts';
import { VOTERS_MAX } from '../vote/quorum.ts';
import { voteFromWire, voteToWire } from '../vote/wire.ts';
import type { Frame, Message, Verdict, View } from './messages.ts';

/** Raised only when older peers could not skip what is new. */
export const FRAME_VERSION = 1;
/** The kind of a frame of messages; other kinds belong to the links. */
export const MESSAGES = 0;
export const MESH_ID_CHARS_MAX = 64;

/** Kinds of messages. Only ever appended; those of the vote are below 64. */
const FIRST_OWN_KIND = 64;
const FORWARD = 64;
const ANSWER = 65;

const DECIDED = 0;
const NO_QUORUM = 1;
const UNKNOWN = 2;

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
    default:
      throw new UnknownKindError('verdict.kind', kind);
  }
}

function viewToWire(view: View): unknown[] {
  const { acquires, conflicts, holds, heldMs } = view.contention;
  return [
    view.token,
    view.retirements,
    view.holders.map(grantToWire),
    view.leftMs,
    [acquires, conflicts, holds, heldMs],
  ];
}

function viewFromWire(u: unknown): View {
  const a = list(u, 5, 'view');
  const holders = grantsFromWire(a[2], 'view.holders');
  const left = list(a[3], holders.length, 'view.leftMs');
  const leftMs: number[] = [];
  for (let i = 0; i < holders.length; i++) leftMs.push(millis(left[i], true, 'view.leftMs'));
  const c = list(a[4], 4, 'view.contention');
  return {
    token: natural(a[0], 'view.token') as FencingToken,
    retirements: natural(a[1], 'view.retirements'),
    holders,
    leftMs,
    contention: {
      acquires: natural(c[0], 'contention.acquires'),
      conflicts: natural(c[1], 'contention.conflicts'),
      holds: natural(c[2], 'contention.holds'),
      heldMs: millis(c[3], false, 'contention.heldMs'),
    },
  };
}
