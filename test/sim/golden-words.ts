/**
 * Messages, states and answers of a golden interaction in words that a person can read; ballots are written
 * shortly, as 1.p1, and with the boot only after a restart.
 */
import type { Command, Outcome } from '../../src/lock/command.ts';
import type { LockEvent } from '../../src/lock/event.ts';
import { type LockState, NO_EXPIRY } from '../../src/lock/state.ts';
import type { Message, Verdict } from '../../src/peer/messages.ts';
import type { ClientReply } from '../../src/peer/request.ts';
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

export function stateInWords(state: LockState): string {
  if (state.holders.length === 0) return `free, token ${state.token}`;
  return state.holders
    .map((grant) => `${grant.holder} holds, token ${grant.token}, lease of ${leaseInWords(grant.leaseId)}`)
    .join('; ');
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
      return 'read';
    default:
      return `${command.kind} ${command.lockId}`;
  }
}

function eventInWords(event: LockEvent): string {
  if (event.kind === 'granted') return `granted ${event.grant.lockId}`;
  return `${event.kind === 'ended' ? event.ending : event.kind} ${event.lockId}`;
}

function outcomeInWords(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'granted':
    case 'extended': {
      const { token, leaseMs, leaseId } = outcome.grant;
      const again = outcome.kind === 'granted' && outcome.repeat ? ' already' : '';
      return `${outcome.kind}${again}, token ${token}, lease ${millisInWords(leaseMs)} of ${leaseInWords(leaseId)}`;
    }
    case 'released':
      return `released${outcome.repeat ? ' already' : ''}, token ${outcome.token}`;
    case 'ended':
      return `ended (${outcome.ending}), token ${outcome.token}`;
    default:
      return outcome.kind.replace('_', ' ');
  }
}

function verdictInWords(verdict: Verdict): string {
  if (verdict.kind === 'decided') return `${outcomeInWords(verdict.outcome)}, ${verdict.votes} votes`;
  return verdict.kind.replace('_', ' ');
}

export function replyInWords(reply: ClientReply): string {
  switch (reply.kind) {
    case 'decided': {
      const { outcome, view, votes, voters } = reply;
      const holders = view.holders.map((grant) => `${grant.holder} holds token ${grant.token}`);
      const seen =
        outcome.kind === 'busy' || outcome.kind === 'state' ? ` (${holders.join() || 'free'})` : '';
      return `${outcomeInWords(outcome)}${seen}, ${votes} of ${voters} agreed`;
    }
    case 'not_holder':
      return 'not the holder';
    default: {
      const missing = reply.missing.map((i) => `p${i + 1}`).join(' ');
      return `${reply.kind.replace('_', ' ')}${missing === '' ? '' : `, missing ${missing}`}`;
    }
  }
}

export function messageInWords(message: Message): string {
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
    case 'accepted':
    case 'gap':
      return `${message.kind} ${ballotInWords(message.ballot)} #${message.seq}`;
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
  }
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
