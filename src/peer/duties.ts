/**
 * What a voter does of its own accord: ends leases and sessions that ran out, sweeps what lived with a dead session,
 * gives up places that were kept for long, and tells gateways what a change did besides what was asked for.
 * Always true: the scope's home acts at once, the i-th in its line i steps later; every command proposed here is
 * safe whoever proposes it, and however often.
 */
import type { Command } from '../lock/command.ts';
import type { LockEvent } from '../lock/event.ts';
import type { Grant, LockId, LockState, SessionId } from '../lock/state.ts';
import { values } from '../lock/tree.ts';
import { firstOverAt, overAt } from '../vote/acceptor.ts';
import { LINE_STEP_MS } from '../vote/limits.ts';
import { NEVER, type Settlement, type Task } from '../vote/task.ts';
import { PLACE_KEPT_MS, REAP_EVERY_MS } from './limits.ts';
import type { Notice, SessionEntry } from './messages.ts';
import { closingOf } from './own-session.ts';
import type { Entry } from './scopes.ts';
import { implicitSession, Sessions, scopeOfSession, sessionOfScope } from './sessions.ts';

/** How long a voter's own command may wait for its vote; it is asked for again if it is still wanted. */
const OWN_COMMAND_MS = 2_000;

export interface DutiesPort {
  readonly now: number;
  /** The entry, if it is in memory. */
  peek(scope: string): Entry | undefined;
  /** The state, if it is in memory. */
  state(scope: string): LockState | undefined;
  /** This voter's place in the line of the scope, among those that look alive. */
  rank(scope: string): number;
  wall(): number;
  submit(scope: string, task: Task): void;
  checkExpiry(entry: Entry): void;
  /** Somebody who waits at this gateway was granted, or upgraded: chosen. */
  notice(gateway: SessionId, notice: Notice): void;
  /** The session's death is chosen: the others may know. */
  obituary(session: SessionId): void;
  trustsOwnCopy(): boolean;
}

export class Duties {
  private readonly port: DutiesPort;
  private readonly sessions: Sessions;
  /** Sessions that a majority is being asked about, by the number of the question. */
  private readonly lookUps = new Map<number, SessionId>();
  private nextLookUp = 0;

  constructor(port: DutiesPort) {
    this.port = port;
    this.sessions = new Sessions({
      get now() {
        return port.now;
      },
      state: (scope) => port.state(scope),
      ownCopyUntil: (session) => {
        const register = port.peek(scopeOfSession(session))?.register;
        return register === undefined || register.state.holders.length === 0
          ? undefined
          : overAt(register, 0);
      },
      rank: (scope) => port.rank(scope),
      lookUp: (session) => this.lookUp(session),
      sweep: (scope, session) => this.propose(scope, { kind: 'sweep', session, at: port.wall() }),
    });
  }

  get nextWake(): number {
    return this.sessions.nextWake;
  }

  wake(): void {
    this.sessions.wake();
  }

  /** The register was taken whole. */
  noteState(scope: string, state: LockState): void {
    this.sessions.noteState(scope, state);
  }

  noteEvents(scope: string, events: readonly LockEvent[]): void {
    this.sessions.noteEvents(scope, events);
  }

  /** Held no more in this scope. */
  noteGone(scope: string, { session, lockId }: Grant): void {
    if (session !== null) this.sessions.noteGone(session, scope, lockId);
  }

  /** The locks and places of the session, if the scope is one's register. */
  entriesOf(scope: string): readonly SessionEntry[] {
    const session = sessionOfScope(scope);
    return session === undefined ? [] : this.sessions.entriesOf(session);
  }

  // --- what runs out ---

  look(entry: Entry): void {
    if (entry.watchAt <= this.port.now) this.lookAtLeases(entry);
    if (entry.reapAt <= this.port.now) this.lookAtPlaces(entry);
  }

  /** T3 */
  private lookAtLeases(entry: Entry): void {
    const { now } = this.port;
    const actAt = firstOverAt(entry.register) + this.port.rank(entry.scope) * LINE_STEP_MS;
    if (actAt > now) {
      entry.watchAt = actAt;
      return;
    }
    entry.watchAt = now + LINE_STEP_MS;
    this.port.checkExpiry(entry);
  }

  /** Kept places are given up after a while. One clock may decide that: nobody believes in a place. */
  private lookAtPlaces(entry: Entry): void {
    const { now } = this.port;
    const kept = new Map<LockId, number>();
    const rank = this.port.rank(entry.scope);
    for (const { lockId } of values(entry.register.state.parked)) {
      const since = entry.kept.get(lockId) ?? now;
      kept.set(lockId, since);
      if (since + PLACE_KEPT_MS + rank * LINE_STEP_MS > now) continue;
      this.propose(entry.scope, { kind: 'reap', lockId, at: this.port.wall() });
    }
    entry.kept = kept;
    entry.reapAt = kept.size === 0 ? NEVER : now + REAP_EVERY_MS;
  }

  /** @param request the number of a session that is looked up, or -1. */
  private propose(scope: string, command: Command, request = -1): void {
    const deadline = this.port.now + OWN_COMMAND_MS;
    this.port.submit(scope, { command, deadline, from: -1, request, sent: false });
  }

  // --- sessions (T5) ---

  private lookUp(session: SessionId): void {
    if (this.port.trustsOwnCopy()) {
      this.sessions.died(session);
      return;
    }
    const request = this.nextLookUp++;
    this.lookUps.set(request, session);
    this.propose(scopeOfSession(session), { kind: 'read' }, request);
  }

  /** What a command of this voter's own came to. */
  settled(task: Task, settlement: Settlement): void {
    const session = this.lookUps.get(task.request);
    this.lookUps.delete(task.request);
    if (session === undefined || settlement.kind !== 'decided') return;
    this.sessions.lookedUp(session, settlement.state.holders[0]?.leaseMs);
  }

  /** The session's time to live, if this voter's own copy of it has not run out. */
  ttlHere(session: SessionId): number | undefined {
    const register = this.port.peek(scopeOfSession(session))?.register;
    if (register === undefined || firstOverAt(register) <= this.port.now) return undefined;
    return register.state.holders[0]?.leaseMs;
  }

  /** Another peer knows that this session's death is chosen. */
  died(session: SessionId): void {
    this.sessions.died(session);
  }

  // --- news ---

  /** Tells those concerned what a change, which is chosen, did besides what was asked for. */
  announce(scope: string, { events, outcome, state, votes }: Settlement & { kind: 'decided' }): void {
    const session = sessionOfScope(scope);
    let held: Map<LockId, Grant> | undefined;
    for (const event of events) {
      if (event.kind === 'ended' && session === undefined) this.closeImplicit(scope, event.lockId);
      if (event.kind !== 'promoted' && event.kind !== 'converted') continue;
      if (event.gateway === null) continue;
      // Thousands may be promoted at once, and most changes promote nobody.
      held ??= new Map(state.holders.map((grant) => [grant.lockId, grant]));
      const grant = held.get(event.lockId);
      if (grant === undefined) continue;
      const { retirements } = state;
      this.port.notice(event.gateway, { kind: 'notice', scope, grant, votes, retirements });
    }
    if (session === undefined || events.length === 0) return;
    if (outcome.kind !== 'expired' && !(outcome.kind === 'released' && !outcome.repeat)) return;
    this.sessions.died(session);
    this.port.obituary(session);
  }

  /** A session that was opened for one lock alone ends with it. */
  private closeImplicit(scope: string, lockId: LockId): void {
    const session = implicitSession(lockId, scope);
    if (!this.sessions.isAlive(session)) return;
    this.propose(scopeOfSession(session), closingOf(session, this.port.wall()));
  }
}
