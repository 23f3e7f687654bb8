/**
 * npx tsx test/bench/dead-home.ts
 * How long a request waits when its scope's home has just been killed with -9: 60 scopes at once, five times, asked
 * of the other two peers in the very moment of the kill. About a third of the scopes have the dead peer as their home.
 */
import { Cluster } from '../process/cluster.ts';
import { quantile } from './stats.ts';

const SCOPES = 60;
const cluster = await Cluster.start(3);
const waits: number[] = [];
try {
  for (let round = 0; round < 5; round++) {
    const scopes = Array.from({ length: SCOPES }, (_, i) => `dead-home/${round}/${i}`);
    const warm = scopes.map((scope, i) => cluster.lock(cluster.nodes[i % 3]!, { scope, action: 'status' }));
    await Promise.all(warm);
    const victim = cluster.nodes[round % 3]!;
    const others = cluster.nodes.filter((node) => node !== victim);
    const killed = cluster.kill(victim);
    const asked = scopes.map(async (scope, i) => {
      const started = performance.now();
      const answer = await cluster.lock(others[i % 2]!, { scope, action: 'lock' });
      if (answer.status !== 200) throw new Error(`${scope}: ${answer.status} ${JSON.stringify(answer.body)}`);
      waits.push(performance.now() - started);
    });
    await Promise.all([killed, ...asked]);
    cluster.launch(victim);
    await cluster.ready();
  }
} finally {
  await cluster.stop();
}
const at = (share: number) => quantile(waits, share).toFixed(0);
console.log(
  `${waits.length} requests around 5 kills: median ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`,
);
