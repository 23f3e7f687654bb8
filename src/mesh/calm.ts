/**
 * What nobody is in a hurry for: the heartbeats of sessions, and the votes on them. One alone costs six frames, so they
 * wait a little for others (BEAT_GATHER_MS). Only time is lost: a session counts from the send of its heartbeat.
 */
import type { LockEvent } from '../lock/event.ts';
import { SESSION_SCOPE_PREFIX } from '../lock/plain.ts';
import type { Frame, Message } from '../peer/messages.ts';
import type { ClientRequest } from '../peer/request.ts';

export function isCalm({ op }: ClientRequest): boolean {
  return op === 'beat_session';
}

/** @param gathering whether something calm waits already: then answers for sessions may wait with it. */
export function isCalmFrame({ messages }: Frame, gathering: boolean): boolean {
  for (const message of messages) if (!isCalmMessage(message, gathering)) return false;
  return true;
}

function isCalmMessage(message: Message, gathering: boolean): boolean {
  switch (message.kind) {
    case 'accept':
      return message.scope.startsWith(SESSION_SCOPE_PREFIX) && (message.events?.every(isBeat) ?? false);
    case 'accepted':
      // It may be for an opening, too, whose client waits.
      return gathering && message.scope.startsWith(SESSION_SCOPE_PREFIX);
    default:
      return false;
  }
}

function isBeat({ kind }: LockEvent): boolean {
  return kind === 'extended';
}
