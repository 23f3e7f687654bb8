/**
 * What acts on a lock or a place: release, extend and convert, cancel, heartbeat.
 * Always true: scope or holder name is turned into a lock id before a command leaves (L6), and a conversion names the
 * token that was seen (L9), so that what is late can never hit a later holder.
 */
import type { Command, Outcome } from '../lock/command.ts';
import { type FencingToken, type Grant, type LockId, NO_TOKEN, type SessionId } from '../lock/state.ts';
import { NEVER } from '../vote/task.ts';
import { beatOf, isOver } from './own-session.ts';
import { type Pending, type Steps, scopeOf } from './pending.ts';
import type { Places } from './places.ts';
import type { Decided } from './questions.ts';
import type { CancelRequest, ExtendRequest, HeartbeatRequest, ReleaseRequest } from './request.ts';
import { implicitSession, scopeOfSession } from './sessions.ts';

/** Requests about a lock that is there already. */
export type LockRequest = ReleaseRequest | ExtendRequest | CancelRequest | HeartbeatRequest;

/** No session has this id. */
const NOBODY = '-' as SessionId;

export class Holding {
  private readonly steps: Steps;
  private readonly places: Places;
  private readonly voters: number;

  constructor(steps: Steps, places: Places, voters: number) {
    this.steps = steps;
    this.places = places;
    this.voters = voters;
  }

  actOn(now: number, pending: Pending, request: LockRequest, lockId: LockId): void {
    pending.lockId = lockId;
    const { scope } = request;
    switch (request.op) {
      case 'release': {
        const { force, at } = request;
        const command: Command = { kind: 'release', lockId, gateway: null, force, at };
        this.steps.step(now, pending, scope, command, (_at, found) => this.steps.decided(pending, found));
        return;
      }
      case 'extend':
        this.extend(now, pending, request, lockId);
        return;
      case 'cancel': {
        const command: Command = { kind: 'cancel', lockId, gateway: null, token: NO_TOKEN, at: request.at };
        this.steps.step(now, pending, scope, command, (at, found) => this.cancelled(at, pending, found));
        return;
      }
      case 'heartbeat': {
        // A claim that names no gateway changes nothing, and is told what became of the lock id.
        const command: Command = { kind: 'claim', lockId, gateway: NOBODY, at: 0 };
        this.steps.step(now, pending, scope, command, (at, found) =>
          this.heartbeat(at, pending, lockId, found),
        );
      }
    }
  }

  private extend(now: number, pending: Pending, request: ExtendRequest, lockId: LockId): void {
    const { scope, leaseMs, replaces, mode } = request;
    const command: Command = { kind: 'extend', lockId, leaseMs: leaseMs ?? 1, replaces };
    this.steps.step(now, pending, scope, command, (_at, found, question) => {
      const { outcome } = found;
      const other = outcome.kind === 'extended' && mode !== null && outcome.grant.mode !== mode;
      const waited = pending.waitsSince === NEVER ? 0 : question.sentAt - pending.arrivedAt;
      if (other) this.steps.decided(pending, found, { kind: 'outdated', grant: outcome.grant });
      else this.steps.decided(pending, found, outcome, { countFromMs: waited });
    });
  }

  /** Whoever gives up what nobody has claimed yet gives it up altogether. */
  private cancelled(now: number, pending: Pending, found: Decided): void {
    const { outcome } = found;
    if (outcome.kind !== 'granted' || outcome.grant.unclaimed === null) {
      this.steps.decided(pending, found);
      return;
    }
    const { lockId, unclaimed } = outcome.grant;
    const { gateway } = unclaimed;
    const command: Command = { kind: 'release', lockId, gateway, force: null, at: this.steps.wall() };
    this.steps.step(now, pending, scopeOf(pending), command, (_at, after) =>
      this.steps.decided(
        pending,
        after,
        after.outcome.kind === 'released' ? { kind: 'cancelled' } : after.outcome,
      ),
    );
  }

  private heartbeat(now: number, pending: Pending, lockId: LockId, found: Decided): void {
    const { outcome } = found;
    const session =
      outcome.kind === 'granted' ? outcome.grant.session : implicitSession(lockId, scopeOf(pending));
    if ((outcome.kind !== 'granted' && outcome.kind !== 'queued') || session === null) {
      this.steps.decided(pending, found, outcome.kind === 'granted' ? { kind: 'not_found' } : outcome);
      return;
    }
    this.steps.step(now, pending, scopeOfSession(session), beatOf(session), (_at, after) => {
      const over = isOver(after.outcome);
      const lost = over && outcome.kind === 'granted';
      const { token } = outcome.kind === 'granted' ? outcome.grant : found.view;
      const crashed: Outcome = { kind: 'ended', ending: 'crashed', token, note: null };
      this.steps.decided(pending, found, lost ? crashed : outcome, { beat: !over });
    });
  }

  /** L6: turns scope or holder name into a lock id. */
  resolve(now: number, pending: Pending, request: LockRequest): void {
    this.steps.step(now, pending, request.scope, { kind: 'read' }, (at, found) => {
      const { holders, waiters } = found.view;
      const isMine = ({ lockId, holder }: { lockId: LockId; holder: string }) =>
        request.lockId === null ? holder === request.holder : lockId === request.lockId;
      const nameless = request.lockId === null && request.holder === null;
      const [first, second] = holders.filter(nameless ? (grant) => !grant.named : isMine);
      // Of several permits under one name nobody knows which is meant, and a repeat would end the next one (L6, L10).
      const mine = first?.mode === 'permit' && second !== undefined ? undefined : first;
      const forced = request.op === 'release' && request.force !== null && nameless;
      if (forced && holders.length > 0) this.releaseAll(at, pending, request, holders);
      else if (request.op === 'cancel') {
        const place = nameless ? undefined : waiters.find(isMine);
        const lockId = place?.lockId ?? mine?.lockId;
        if (lockId === undefined) this.steps.decided(pending, found, { kind: 'not_found' });
        else this.actOn(at, pending, request, lockId);
      } else if (mine !== undefined) this.found(at, pending, request, mine.lockId, mine.token);
      else if (request.lockId !== null) this.found(at, pending, request, request.lockId, NO_TOKEN);
      else if (holders.length === 0) this.steps.decided(pending, found, { kind: 'not_found' });
      else {
        const { votes, view } = found;
        this.steps.reply(pending, { kind: 'not_holder', votes, voters: this.voters, view });
      }
    });
  }

  /** A client that names its token is safe from what it asked for earlier and what comes late (L9). */
  private found(
    now: number,
    pending: Pending,
    request: LockRequest,
    lockId: LockId,
    token: FencingToken,
  ): void {
    pending.lockId = lockId;
    if (request.op !== 'extend' || request.mode === null) {
      this.actOn(now, pending, request, lockId);
      return;
    }
    pending.token = request.token ?? token;
    if (request.mode === 'read' || request.waitMs === 0) {
      this.convert(now, pending, request);
      return;
    }
    this.places.whenOpen(now, pending, (at) => this.convert(at, pending, request));
  }

  convert(now: number, pending: Pending, request: ExtendRequest): void {
    const { scope, waitMs } = request;
    const { token } = pending;
    const lockId = pending.lockId!;
    const mode = request.mode!;
    const gateway = this.places.own.id;
    const at = this.steps.wall();
    const command: Command = { kind: 'convert', lockId, mode, token, wait: waitMs > 0, gateway, at };
    this.steps.step(now, pending, scope, command, (then, found, question) => {
      const { outcome } = found;
      pending.changed = true;
      if (outcome.kind === 'converted') this.converted(then, pending, request, found);
      else if (outcome.kind !== 'upgrading') this.steps.decided(pending, found);
      else this.places.wait(then, pending, found, question.sentAt);
    });
  }

  /** An upgrade that waited was granted. */
  promoted(now: number, pending: Pending, found: Decided): void {
    const { outcome } = found;
    if (outcome.kind !== 'granted') return;
    const converted: Outcome = { kind: 'converted', grant: outcome.grant, repeat: false };
    this.converted(now, pending, pending.request as ExtendRequest, { ...found, outcome: converted });
  }

  /** A conversion may ask for a new lease as well; one that was none is an extension. */
  private converted(now: number, pending: Pending, request: ExtendRequest, found: Decided): void {
    const { outcome } = found;
    const none = outcome.kind === 'converted' && outcome.repeat && pending.waitsSince === NEVER;
    if (request.leaseMs === null && !none) this.steps.decided(pending, found);
    else this.extend(now, pending, request, pending.lockId!);
  }

  /** One after the other; the reply shows all of them. */
  private releaseAll(
    now: number,
    pending: Pending,
    request: ReleaseRequest,
    holders: readonly Grant[],
    done = 0,
  ): void {
    const { force, at, scope } = request;
    const { lockId } = holders[done]!;
    pending.lockId = lockId;
    const command: Command = { kind: 'release', lockId, gateway: null, force, at };
    this.steps.step(now, pending, scope, command, (then, found) => {
      pending.changed = true;
      if (done + 1 < holders.length) this.releaseAll(then, pending, request, holders, done + 1);
      else {
        const view = { ...found.view, holders, leftMs: holders.map(() => 0) };
        this.steps.decided(pending, { ...found, view });
      }
    });
  }
}
