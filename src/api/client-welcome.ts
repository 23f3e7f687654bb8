/**
 * What a client is told of the mesh.
 * Always true: the voters come first, in the order in which the peers hash them, so that a client finds a scope's home
 * as they do.
 */
import type { MemberView, RunningPeer } from '../mesh/types.ts';
import { type PeerEntry, PROTOCOL_VERSION, type Welcome } from '../protocol/messages.ts';

export function welcomeOf(peer: RunningPeer): Welcome {
  const members = new Map(peer.members().map((member) => [member.name, member]));
  const peers: PeerEntry[] = [];
  for (const name of peer.voters) {
    const { address, state } = members.get(name) ?? UNHEARD;
    peers.push({ name, address, role: 'voter', state });
    members.delete(name);
  }
  for (const { name, address, role, state } of members.values()) peers.push({ name, address, role, state });
  return {
    kind: 'welcome',
    version: PROTOCOL_VERSION,
    name: peer.name,
    epoch: peer.epoch,
    peers,
    mesh: peer.mesh,
  };
}

/** A voter that nobody has told of yet. */
const UNHEARD: Pick<MemberView, 'address' | 'state'> = { address: '', state: 'dead' };

/** Whether a client that was told the one learns nothing from the other. */
export function isSameWelcome(a: Welcome, b: Welcome): boolean {
  if (a.mesh !== b.mesh || a.epoch !== b.epoch || a.peers.length !== b.peers.length) return false;
  return a.peers.every((one, i) => {
    const { name, address, role, state } = b.peers[i]!;
    return one.name === name && one.address === address && one.role === role && one.state === state;
  });
}
