/**
 * What a conversion comes to (L9). Lease and lease id stay; the lock takes the next token and keeps the former, so
 * that a repeat which names that one is told the present grant.
 *
 *   row  guard                                                   events             outcome
 *   V0   it is a permit, or shall be one                         -                  misfit              L10
 *   V1   the lock id does not hold (decide.ts)                   -                  ended, queued or not_found
 *   V2   it holds in that mode, under the token or the former    -                  converted (repeat)
 *   V3   it holds under another token, or is unclaimed           -                  outdated
 *   V4   to read                                                 converted          converted
 *   V5   to write, and it is the only reader                     converted          converted
 *   V6   to write, and another reader waits for that             -                  deadlock
 *   V7   to write, and it shall not wait                         -                  busy
 *   V8   to write, and it waits for that already                 (upgrading)        upgrading
 *   V9   to write                                                upgrading          upgrading
 */
import type { Convert, Outcome } from './command.ts';
import type { Decision } from './decide.ts';
import type { LockEvent } from './event.ts';
import type { FencingToken, Grant, LockState } from './state.ts';

export function convert(state: LockState, command: Convert, held: Grant): Decision {
  const { lockId, mode, gateway } = command;
  if (held.mode === 'permit' || mode === 'permit') {
    return unchanged({ kind: 'misfit', permits: held.permits });
  }
  const known = command.token === held.token || command.token === held.former;
  if (held.mode === mode && known) return unchanged({ kind: 'converted', grant: held, repeat: true });
  if (command.token !== held.token || held.unclaimed !== null) {
    return unchanged({ kind: 'outdated', grant: held });
  }
  const token = (state.token + 1) as FencingToken;
  const grant: Grant = { ...held, mode, token, former: held.token };
  const { upgrade } = state;
  if (mode === 'read' || state.holders.length === 1) {
    return {
      outcome: { kind: 'converted', grant, repeat: false },
      events: [{ kind: 'converted', lockId, mode, token, gateway: null }],
    };
  }
  const upgrading: LockEvent = { kind: 'upgrading', upgrade: { lockId, gateway } };
  if (upgrade !== null) {
    if (upgrade.lockId !== lockId) return unchanged({ kind: 'deadlock', grant: held });
    if (!command.wait) return unchanged({ kind: 'busy', position: 1 });
    const moves = upgrade.gateway !== gateway;
    return { outcome: { kind: 'upgrading', grant: held }, events: moves ? [upgrading] : [] };
  }
  if (!command.wait) return unchanged({ kind: 'busy', position: 1 });
  return { outcome: { kind: 'upgrading', grant: held }, events: [upgrading] };
}

function unchanged(outcome: Outcome): Decision {
  return { outcome, events: [] };
}
