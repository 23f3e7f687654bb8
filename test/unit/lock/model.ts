/**
 * One scope as a clerk with a paper notebook would keep it: one slot, one counter, and a list of every lock id that
 * ever ended, which is never cut. It was written from the words of the rules (L1, L4 to L7), not from the code, and
 * shares nothing with it but the shape of commands and outcomes.
 * Always true: it changes in place, and looks things up by walking the whole list.
 */
import type { Command, Outcome } from '../../../src/lock/command.ts';
import type { Ending, FencingToken, Grant, LeaseId, LockState } from '../../../src/lock/state.ts';

const MEMORY = 64;

export class Notebook {
  slot: Grant | null = null;
  counter = 0;
  readonly over: { id: string; why: Ending; token: number }[] = [];

  do(command: Command, leaseId: string): Outcome {
    if (command.kind === 'read') return { kind: 'state' };
    const mine = this.slot !== null && this.slot.lockId === command.lockId;
    const past = this.lookUp(command.lockId);
    const bygone = past && ({ kind: 'ended', ending: past.why, token: past.token as never } as const);

    if (command.kind === 'acquire') {
      if (mine) {
        if (command.named && command.holder !== this.slot!.holder) return { kind: 'mismatch' };
        return { kind: 'granted', grant: this.slot!, repeat: true };
      }
      if (bygone) return bygone;
      if (this.over.length > command.seen + MEMORY) return { kind: 'stale' };
      if (this.slot !== null) {
        return this.slot.holder === command.holder
          ? { kind: 'already_held', grant: this.slot }
          : { kind: 'busy' };
      }
      this.counter += 1;
      const { kind: _kind, seen: _seen, ...wanted } = command;
      this.slot = { ...wanted, token: this.counter as never, leaseId: leaseId as LeaseId };
      return { kind: 'granted', grant: this.slot, repeat: false };
    }

    if (command.kind === 'release') {
      if (mine) return { kind: 'released', token: this.strike(command.lockId, 'released'), repeat: false };
      if (past?.why === 'released') return { kind: 'released', token: past.token as never, repeat: true };
      return bygone ?? { kind: 'not_found' };
    }

    if (command.kind === 'extend') {
      if (!mine) return bygone ?? { kind: 'not_found' };
      const held = this.slot!;
      let lease = command.leaseMs;
      if (command.replaces !== held.leaseId) {
        if (held.leaseMs === 0) lease = 0;
        if (lease !== 0 && lease < held.leaseMs) lease = held.leaseMs;
      }
      this.slot = { ...held, leaseMs: lease, leaseId: leaseId as LeaseId };
      return { kind: 'extended', grant: this.slot };
    }

    if (command.kind === 'cancel') {
      if (mine) return { kind: 'granted', grant: this.slot!, repeat: true };
      if (bygone && past.why !== 'cancelled') return bygone;
      if (!past) this.strike(command.lockId, 'cancelled');
      return { kind: 'cancelled' };
    }

    if (!mine || this.slot!.leaseId !== command.leaseId) return { kind: 'not_found' };
    this.strike(command.lockId, 'expired');
    return { kind: 'expired' };
  }

  /** What the code's state must look like now. */
  page(): LockState {
    const remembered = this.over.slice(Math.max(0, this.over.length - MEMORY));
    return {
      token: this.counter as never,
      holders: this.slot === null ? [] : [this.slot],
      retired: remembered.map(({ id, why, token }) => ({
        lockId: id as never,
        ending: why,
        token: token as never,
      })),
      retirements: this.over.length,
    };
  }

  private lookUp(id: string) {
    let found: (typeof this.over)[number] | undefined;
    for (let i = 0; i < this.over.length; i++) {
      if (this.over[i]!.id === id && this.over.length - i <= MEMORY) found = this.over[i];
    }
    return found;
  }

  private strike(id: string, why: Ending): FencingToken {
    const token = this.slot?.lockId === id ? this.slot.token : 0;
    if (token !== 0) this.slot = null;
    this.over.push({ id, why, token });
    return token as FencingToken;
  }
}
