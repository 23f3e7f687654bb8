/** GET /api/v1.0/peers: the members of the mesh as this peer sees them. */
import type { RunningPeer } from '../mesh/types.ts';
import { majority } from '../vote/quorum.ts';
import type { PeersAnswer } from './answers.ts';

export function listPeers(peer: RunningPeer): PeersAnswer {
  const peers = peer.members().map(({ name, address, role, state, rttMs }) => ({
    name,
    address,
    role,
    state,
    rtt_ms: rttMs === null ? null : Math.max(0, Math.round(rttMs * 1_000) / 1_000),
  }));
  return { peers, epoch: peer.epoch, quorum: majority(peer.voters.length) };
}
