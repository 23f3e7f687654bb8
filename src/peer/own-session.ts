/**
 * The session under which a gateway keeps the places of its clients (T6): opened before the first of them waits,
 * beaten while anybody does, closed when long nobody has. When it dies all the same, because this peer was cut off
 * or stood still, a new one with a new id takes its place, and whoever still waits here asks again under that.
 */
import type { Command, Outcome } from '../lock/command.ts';
import type { LockId, SessionId } from '../lock/state.ts';
import { NEVER } from '../vote/task.ts';
import { GATEWAY_BEAT_MS, GATEWAY_TTL_MS } from './limits.ts';
import type { Finding, Question } from './questions.ts';
import { scopeOfSession } from './sessions.ts';

/** Beats without anybody waiting before the session is closed. */
const IDLE_BEATS_MAX = 15;

export interface OwnSessionPort {
  /** A text that no other session of any peer ever had. */
  freshId(): SessionId;
  ask(
    now: number,
    scope: string,
    command: Command,
    timeoutMs: number,
    done: (now: number, finding: Finding, question: Question) => void,
  ): void;
  /** Whether anybody waits here. */
  isNeeded(): boolean;
  /** The session died: whoever waits must ask again. */
  onLost(now: number): void;
  wall(): number;
}

export class OwnSession {
  id: SessionId;
  /** When to be woken, by this peer's clock. */
  wakeAt = NEVER;
  private readonly port: OwnSessionPort;
  private state: 'none' | 'opening' | 'open' = 'none';
  private idleBeats = 0;
  private waiting: ((now: number, open: boolean) => void)[] = [];

  constructor(port: OwnSessionPort) {
    this.port = port;
    this.id = port.freshId();
  }

  get isOpen(): boolean {
    return this.state === 'open';
  }

  /** Calls back once the session is open, or cannot be opened at present. */
  whenOpen(now: number, then: (now: number, open: boolean) => void): void {
    this.idleBeats = 0;
    if (this.state === 'open') {
      then(now, true);
      return;
    }
    this.waiting.push(then);
    if (this.state === 'none') this.open(now);
  }

  private open(now: number): void {
    this.state = 'opening';
    const { id } = this;
    const command = openingOf(id, GATEWAY_TTL_MS, '', false, this.port.wall());
    this.port.ask(now, scopeOfSession(id), command, GATEWAY_TTL_MS / 2, (at, finding) => {
      if (id !== this.id) return;
      const open = finding.kind === 'decided' && finding.outcome.kind === 'granted';
      this.state = open ? 'open' : 'none';
      // An opening without an answer may yet come to pass: that id is spent.
      if (open) this.wakeAt = at + GATEWAY_BEAT_MS;
      else this.id = this.port.freshId();
      const told = this.waiting;
      this.waiting = [];
      for (const then of told) then(at, open);
    });
  }

  wake(now: number): void {
    if (now < this.wakeAt) return;
    this.wakeAt = NEVER;
    if (this.state !== 'open') return;
    this.idleBeats = this.port.isNeeded() ? 0 : this.idleBeats + 1;
    if (this.idleBeats > IDLE_BEATS_MAX) this.close(now);
    else this.beat(now);
  }

  private beat(now: number): void {
    this.wakeAt = now + GATEWAY_BEAT_MS;
    const { id } = this;
    this.port.ask(now, scopeOfSession(id), beatOf(id), GATEWAY_BEAT_MS, (at, finding) => {
      if (id === this.id && finding.kind === 'decided' && isOver(finding.outcome)) this.lost(at);
    });
  }

  private lost(now: number): void {
    this.reset();
    this.port.onLost(now);
  }

  private close(now: number): void {
    const { id } = this;
    this.reset();
    this.port.ask(now, scopeOfSession(id), closingOf(id, this.port.wall()), GATEWAY_TTL_MS, () => {});
  }

  private reset(): void {
    this.state = 'none';
    this.wakeAt = NEVER;
    this.idleBeats = 0;
    this.id = this.port.freshId();
  }
}

/** Opens a session: its register is held by the session itself, for its time to live. */
export function openingOf(id: SessionId, ttlMs: number, holder: string, named: boolean, at: number): Command {
  return {
    kind: 'acquire',
    lockId: id as string as LockId,
    holder,
    named,
    priority: 'normal',
    reason: null,
    session: null,
    ttlMs: 0,
    permits: 0,
    mode: 'write',
    leaseMs: ttlMs,
    wait: false,
    claimMs: 0,
    gateway: id,
    repeat: 0,
    again: false,
    seen: 0,
    at,
  };
}

/**
 * A sign of life: the lease is set anew, and stays as long as it was.
 * @param list whether the answer shall list the session's locks and places.
 */
export function beatOf(id: SessionId, list = false): Command {
  const command = { kind: 'extend', lockId: id as string as LockId, leaseMs: 1, replaces: null } as const;
  return list ? { ...command, list } : command;
}

export function closingOf(id: SessionId, at: number): Command {
  return { kind: 'release', lockId: id as string as LockId, gateway: null, force: null, at };
}

/** Whether a session that answers so is dead. */
export function isOver(outcome: Outcome): boolean {
  return outcome.kind === 'ended' || outcome.kind === 'not_found';
}
