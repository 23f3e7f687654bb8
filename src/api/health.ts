/**
 * /healthz: whether this process works at all. /readyz: whether it is worth sending requests to.
 * Always true: /healthz does not depend on other peers, or one lost majority would restart them all.
 */
import type { RunningPeer } from '../mesh/types.ts';
import type { HealthAnswer } from './answers.ts';
import { forming, refusedText } from './door.ts';
import { Problem } from './problems.ts';

export function health(peer: RunningPeer): HealthAnswer {
  return {
    status: 'ok',
    peer: peer.name,
    detail: 'This process works. /readyz tells whether a quorum does.',
  };
}

/** Throws `no_quorum` with the reason if requests had better go elsewhere. */
export function readiness(peer: RunningPeer): HealthAnswer {
  const { standing, name } = peer;
  if (standing.kind === 'forming') throw forming(standing.missing);
  if (standing.kind === 'refused') {
    throw new Problem('no_quorum', refusedText(standing));
  }
  if (!peer.hasQuorum) {
    const missing = peer
      .members()
      .filter(({ role, state }) => role === 'voter' && state === 'dead')
      .map((member) => member.name);
    const who = missing.length === 0 ? '' : `, missing: ${missing.join(', ')}`;
    throw new Problem('no_quorum', `No majority of the voters looks alive from here${who}.`, { missing });
  }
  const does = standing.kind === 'voting' ? 'votes' : 'forwards';
  return {
    status: 'ready',
    peer: name,
    detail: `${name} ${does}, and a majority of the voters looks alive.`,
  };
}
