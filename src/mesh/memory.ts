/**
 * What a peer keeps on its disk besides votes: the roster that it stored, and what it saw of other voters.
 * Always true: what is read back is what was written, or an error that stops the peer: it must not start with a
 * roster that it misread.
 */
import { list, natural, text, upTo } from '../lock/plain.ts';
import type { Stored } from '../peer/formation.ts';
import type { SavedSeen } from '../peer/standing.ts';
import { MESH_ID_CHARS_MAX } from '../peer/wire.ts';
import { IDENTITY_CHARS_MAX } from '../vote/wire.ts';
import { nameFromWire, reasonFromWire, reasonToWire, rosterFromWire, rosterToWire } from './control.ts';

export const ROSTER_KEY = 'roster';
export const SEEN_KEY = 'seen';

const STORED = 0;
const COUNTED = 1;

export function storedToMeta(stored: Stored): unknown {
  if (stored.kind === 'nothing') return null;
  return [stored.kind === 'counted' ? COUNTED : STORED, stored.mesh, rosterToWire(stored.roster)];
}

export function storedFromMeta(u: unknown): Stored {
  if (u === undefined || u === null) return { kind: 'nothing' };
  const a = list(u, 3, 'stored roster');
  return {
    kind: upTo(a[0], COUNTED, 'stored roster.kind') === COUNTED ? 'counted' : 'stored',
    mesh: text(a[1], 1, MESH_ID_CHARS_MAX, 'stored roster.mesh'),
    roster: rosterFromWire(a[2]),
  };
}

export function seenToMeta(seen: readonly SavedSeen[]): unknown {
  return seen.map(({ name, identity, boot, position, refused }) => [
    name,
    identity,
    boot,
    position,
    refused === null ? null : reasonToWire(refused),
  ]);
}

export function seenFromMeta(u: unknown): SavedSeen[] {
  if (u === undefined || u === null) return [];
  return list(u, 0, 'seen').map((entry) => {
    const a = list(entry, 5, 'seen');
    const refused = a[4] === null ? null : reasonFromWire(a[4]);
    return {
      name: nameFromWire(a[0], 'seen.name'),
      identity: text(a[1], 1, IDENTITY_CHARS_MAX, 'seen.identity'),
      boot: natural(a[2], 'seen.boot'),
      position: natural(a[3], 'seen.position'),
      refused: refused === 'stranger' ? null : refused,
    };
  });
}
