/**
 * Messages, states and answers of a golden interaction in words that a person can read; ballots are written
 * shortly, as 1.p1, and with the boot only after a restart.
 */
import type { Command, Outcome } from '../../src/lock/command.ts';
import type { LockEvent } from '../../src/lock/event.ts';
import { everybody } from '../../src/lock/queue.ts';
import { type Grant, type LockState, NO_EXPIRY } from '../../src/lock/state.ts';
import { values } from '../../src/lock/tree.ts';
import type { Message, Verdict } from '../../src/peer/messages.ts';
import type { ClientReply } from '../../src/peer/request.ts';
import { sessionOfScope } from '../../src/peer/sessions.ts';
import type { News } from '../../src/peer/told.ts';
import type { Register, Row } from '../../src/vote/acceptor.ts';
import { type Ballot, compareBallots, isEndOfRound } from '../../src/vote/ballot.ts';

export function ballotInWords(ballot: Ballot): string {
  if (ballot.round === 0) return '0';
  if (isEndOfRound(ballot)) return `the end of ${ballot.round}`;
  return `${ballot.round}.${ballot.peer}${ballot.boot > 1 ? ` (boot ${ballot.boot})` : ''}`;
}

export function stampInWords(ballot: Ballot, version: number): string {
  return version === 0 ? 'nothing' : `${ballotInWords(ballot)} v${version}`;
}

/** A lease id is the stamp of the change that set it. */
function leaseInWords(leaseId: string): string {
  const [round, peer, boot, version] = leaseId.split('.') as [string, string, string, string];
  return stampInWords({ round: Number(round), peer, boot: Number.parseInt(boot, 36) }, Number(version));
}

export function scopeInWords(scope: string): string {
  const session = sessionOfScope(scope);
  return session === undefined ? scope : `session ${shortly(session)}`;
}

/** A gateway's sessions are numbered from where a long number was drawn: its end tells them apart. */
function shortly(text: string): string {
  return text.replace(/\b(p\d+-\d+-)\d+(\d{3})\b/g, '$1$2');
}

export function stateInWords(state: LockState): string {
  const words = state.holders.map(holdingInWords);
  for (const { lockId } of everybody(state.queue)) words.push(`${lockId} waits`);
  for (const { lockId } of values(state.parked)) words.push(`${lockId} is kept a place`);
  if (state.upgrade !== null) words.push(`${state.upgrade.lockId} waits to write`);
  return words.length === 0 ? `free, token ${state.token}` : shortly(words.join('; '));
}

function holdingInWords({ holder, lockId, mode, token, leaseId, unclaimed }: Grant): string {
  const how = `${mode === 'read' ? ' to read' : ''}${unclaimed === null ? '' : ' (unclaimed)'}`;
  return `${holder || lockId} holds${how}, token ${token}, lease of ${leaseInWords(leaseId)}`;
}

export function millisInWords(ms: number): string {
  if (ms === NO_EXPIRY) return 'none';
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

export function commandInWords(command: Command): string {
  switch (command.kind) {
    case 'acquire':
      return `acquire ${command.lockId}`;
    case 'read':
    case 'look':
      return command.kind;
    case 'sweep':
      return `sweep ${command.session}`;
    case 'convert':
      return `convert ${command.lockId} to ${command.mode}`;
    default:
      return `${command.kind} ${command.lockId}`;
  }
}

function eventInWords(event: LockEvent): string {
  switch (event.kind) {
    case 'granted':
      return `granted ${event.grant.lockId}`;
    case 'queued':
      return `queued ${event.waiter.lockId}`;
    case 'upgrading':
      return `upgrading ${event.upgrade?.lockId ?? 'nobody'}`;
    case 'deserted':
      return `deserted ${event.gateway}`;
    case 'converted':
      return `converted ${event.lockId} to ${event.mode}`;
    case 'ended':
      return `${event.ending} ${event.lockId}`;
    default:
      return `${event.kind} ${event.lockId}`;
  }
}

function outcomeInWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'granted':
    case 'extended':
    case 'converted':
    case 'upgrading': {
      const to = outcome.kind === 'converted' ? ` to ${outcome.grant.mode}` : '';
      const again = 'repeat' in outcome && outcome.repeat ? ' already' : '';
      return `${outcome.kind}${to}${again}, ${grantInWords(outcome.grant)}`;
    }
    case 'queued':
      return `queued at ${outcome.position}`;
    case 'elsewhere':
      return `waits elsewhere at ${outcome.position}`;
    case 'released':
      return `released${outcome.repeat ? ' already' : ''}, token ${outcome.token}`;
    case 'ended':
      return `ended (${outcome.ending}), token ${outcome.token}`;
    default:
      return outcome.kind.replace('_', ' ');
  }
}

function grantInWords({ token, leaseMs, leaseId }: Grant): string {
  return `token ${token}, lease ${millisInWords(leaseMs)} of ${leaseInWords(leaseId)}`;
}

function verdictInWords(verdict: Verdict): string {
  if (verdict.kind === 'decided') return `${outcomeInWords(verdict.outcome)}, ${verdict.votes} votes`;
  return verdict.kind.replace('_', ' ');
}

export function replyInWords(reply: ClientReply): string {
  switch (reply.kind) {
    case 'decided': {
      const { outcome, view, votes, voters, countFromMs } = reply;
      const holders = view.holders.map((grant) => `${grant.holder} holds token ${grant.token}`);
      const seen =
        outcome.kind === 'busy' || outcome.kind === 'state' ? ` (${holders.join() || 'free'})` : '';
      const count =
        countFromMs === 0 ? '' : `, counted from ${millisInWords(countFromMs)} after it was asked`;
      return `${outcomeInWords(outcome)}${seen}, ${votes} of ${voters} agreed${count}`;
    }
    case 'waiting':
      return `waiting at ${reply.position}, ${reply.votes} of ${reply.voters} agreed`;
    case 'no_session':
      return `no session ${reply.session}`;
    case 'overloaded':
      return `overloaded: ${reply.limit}`;
    case 'not_holder':
      return 'not the holder';
    default: {
      const missing = reply.missing.map((i) => `p${i + 1}`).join(' ');
      return `${reply.kind.replace('_', ' ')}${missing === '' ? '' : `, missing ${missing}`}`;
    }
  }
}

/** @param plain the scope that goes without saying; others are named. */
export function messageInWords(message: Message, plain: string): string {
  const about = 'scope' in message && message.scope !== plain ? `, ${scopeInWords(message.scope)}` : '';
  return `${shortly(bareMessageInWords(message))}${about}`;
}

function bareMessageInWords(message: Message): string {
  switch (message.kind) {
    case 'prepare':
      return `prepare ${ballotInWords(message.ballot)}`;
    case 'promised': {
      const { ballot, accepted, version, state } = message;
      const holders = state.holders.map((grant) => grant.holder).join() || 'free';
      const has = version === 0 ? 'nothing' : `${stampInWords(accepted, version)}: ${holders}`;
      return `promised ${ballotInWords(ballot)}, has ${has}`;
    }
    case 'nack':
      return `nack ${ballotInWords(message.ballot)}, promised ${ballotInWords(message.promised)}`;
    case 'accept': {
      const { ballot, version, seq, events, state } = message;
      const body =
        state !== null ? 'state' : events !== null ? events.map(eventInWords).join(' + ') : 'probe';
      return `accept ${stampInWords(ballot, version)} #${seq} (${body})`;
    }
    case 'accepted': {
      const watching = message.watching === true ? ', watching' : '';
      return `accepted ${ballotInWords(message.ballot)} #${message.seq}${watching}`;
    }
    case 'gap':
      return `gap ${ballotInWords(message.ballot)} #${message.seq}`;
    case 'chosen':
      return `chosen ${stampInWords(message.ballot, message.version)}`;
    case 'ask':
      return 'ask';
    case 'report': {
      const { promised, accepted, flushed, overdue, dueMs } = message;
      const due = dueMs < 0 ? '' : `, next in ${millisInWords(dueMs)}`;
      const over = overdue.map(([, leaseId]) => `, overdue ${leaseInWords(leaseId)}`).join('');
      const stamp = stampInWords(accepted.ballot, accepted.version);
      return `report (promised ${ballotInWords(promised)}, has ${stamp}${flushed ? '' : ' unflushed'}${over}${due})`;
    }
    case 'forward':
      return `forward ${commandInWords(message.command)}`;
    case 'answer':
      return `answer ${verdictInWords(message.verdict)}`;
    case 'notice': {
      const { grant, votes } = message;
      const how = grant.unclaimed === null ? `may ${grant.mode}` : 'may claim';
      return `notice ${grant.lockId} ${how}, ${grantInWords(grant)}, ${votes} votes`;
    }
    case 'obituary':
      return `obituary ${message.session}`;
  }
}

export function newsInWords({ ballot, version, facts, compared, begins }: News): string {
  const stamp = stampInWords(ballot, version);
  if (begins !== null) return `it begins with ${stamp}: ${stateInWords(begins)}`;
  const words = facts.map(({ kind, lockId, token, ending }) => {
    return `${ending ?? kind} ${lockId}${token === 0 ? '' : `, token ${token}`}`;
  });
  return `${stamp}${compared ? ', the difference' : ''}: ${words.join('; ')}`;
}

/** What a row of the acceptor's table did. */
export function rowInWords(row: Row, before: Register, after: Register): string {
  const raised =
    compareBallots(before.promised, after.promised) === 0
      ? ''
      : `promised ${ballotInWords(before.promised)} -> ${ballotInWords(after.promised)}`;
  const words: Record<Row, string> = {
    A: '',
    B: 'waits for a higher horizon',
    C: raised,
    D: '',
    E: 'waits for a higher horizon',
    F: 'has it',
    G: [raised, `accepted ${stampInWords(after.ballot, after.version)}: ${stateInWords(after.state)}`]
      .filter(Boolean)
      .join(', '),
    H: `accepted ${stampInWords(after.ballot, after.version)}: ${stateInWords(after.state)}`,
    I: [raised, 'lacks what it builds on'].filter(Boolean).join(', '),
    J: '',
  };
  return `row ${row}${words[row] === '' ? '' : `: ${words[row]}`}`;
}
