/**
 * /api/v1.0/sessions: one sign of life for any number of locks (T5).
 * Always true: a session's id is made here and never used twice; a session that is dead or unknown is a definite
 * 404, for it never comes back.
 */
import type { SessionId } from '../lock/state.ts';
import type { SessionBeat, SessionClosed, SessionOpen } from './answers.ts';
import { type Caller, holderOf } from './caller.ts';
import { ask, type Door } from './door.ts';
import { makeSessionId } from './ids.ts';
import { beatAnswer, closedAnswer, openedAnswer } from './replies.ts';
import { beatRequest, closeRequest, openRequest } from './requests.ts';
import type { SessionRequest } from './schemas.ts';

export async function openSession(door: Door, body: SessionRequest, caller: Caller): Promise<SessionOpen> {
  door.guard.authorize(caller.identity, 'session', null);
  const session = makeSessionId();
  const holder = holderOf(body.holder, caller) ?? door.makeHolder();
  const reply = await ask(door, openRequest(session, holder, body.ttl, Date.now()));
  return openedAnswer(reply, session, door.peer.voters);
}

export async function beatSession(door: Door, id: string, caller: Caller): Promise<SessionBeat> {
  door.guard.authorize(caller.identity, 'session', null);
  const session = id as SessionId;
  return beatAnswer(await ask(door, beatRequest(session, true, Date.now())), session, door.peer.voters);
}

export async function closeSession(door: Door, id: string, caller: Caller): Promise<SessionClosed> {
  door.guard.authorize(caller.identity, 'session', null);
  const session = id as SessionId;
  return closedAnswer(await ask(door, closeRequest(session, Date.now())), session, door.peer.voters);
}
