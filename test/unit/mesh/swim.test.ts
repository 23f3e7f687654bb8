import { describe, expect, test } from 'vitest';
import { INCARNATION_MAX } from '../../../src/mesh/gossip.ts';
import { Swim } from '../../../src/mesh/swim.ts';
import {
  FORGET_MS,
  log2Of,
  MEMBERS_MAX,
  PERIOD_MS,
  SUSPICION_PERIODS,
  SYNC_PERIODS,
} from '../../../src/mesh/swim-limits.ts';
import { Net } from './swim-net.ts';

const suspicionMs = (members: number) => SUSPICION_PERIODS * log2Of(members) * PERIOD_MS;
/** Two rounds of turns bring everybody's ping, one more period its failure, then the suspicion; told in no time. */
const silentDeathMs = (members: number) => 2 * members * PERIOD_MS + suspicionMs(members);

function mesh(voters: number, seed: number): Net {
  const net = new Net(voters, seed);
  net.connectAll();
  net.run(5_000);
  return net;
}

describe('who lives', () => {
  test('all are alive to all, with addresses, roles and round trips', () => {
    const net = mesh(3, 1);
    net.run(5_000);
    const members = net.node('p1').swim.members();
    expect(members.map(({ name, address, role, state }) => [name, address, role, state])).toEqual([
      ['p0', 'host:p0', 'voter', 'alive'],
      ['p1', 'host:p1', 'voter', 'alive'],
      ['p2', 'host:p2', 'voter', 'alive'],
    ]);
    expect(members[1]!.rttMs).toBeNull();
    expect(members[0]!.rttMs).toBeGreaterThan(4);
    expect(net.node('p1').changes).toEqual([
      { name: 'p0', alive: true },
      { name: 'p2', alive: true },
    ]);
    expect([0, 1, 2].map((i) => net.node('p1').swim.isAlive(`p${i}`))).toEqual([true, true, true]);
  });

  test('kill -9: suspect within round trips, dead after the suspicion time', () => {
    for (let seed = 0; seed < 20; seed++) {
      const n = 3 + (seed % 8);
      const net = mesh(n, seed);
      net.kill('p1');
      net.run(40);
      expect([seed, ...net.seen('p1')]).toEqual([seed, 'suspect']);
      for (const { swim, lives } of net.nodes.values()) if (lives) expect(swim.isAlive('p1')).toBe(false);
      net.run(suspicionMs(n) - 41);
      expect([seed, ...net.seen('p1')]).not.toContain('dead');
      net.run(PERIOD_MS);
      expect([seed, ...net.seen('p1')]).toEqual([seed, 'dead']);
    }
  });

  test('kill -9: suspect by what the members tell each other, before any period ends', () => {
    const net = mesh(5, 3);
    net.kill('p1');
    net.run(60);
    const told = net.nodes
      .get('p0')!
      .swim.members()
      .find(({ name }) => name === 'p1')!;
    expect(told.state).toBe('suspect');
    // Not only doubted: a record that has climbed would be dead after the suspicion time alone.
    expect(net.node('p0').swim.nextWake).toBeLessThanOrEqual(net.now + PERIOD_MS);
    net.run(suspicionMs(5) + 20);
    expect(net.seen('p1')).toEqual(['dead']);
  });

  test('a death without a sound: dead to all within the bound', () => {
    for (let seed = 0; seed < 20; seed++) {
      const n = seed % 2 === 0 ? 10 : 3;
      const net = mesh(n, seed);
      net.stop('p1');
      net.run(silentDeathMs(n));
      expect([seed, ...net.seen('p1')]).toEqual([seed, 'dead']);
    }
  });

  test('who stood still is alive again at once, and takes nobody for dead', () => {
    const net = mesh(5, 4);
    net.stop('p1');
    net.run(60_000);
    expect(net.seen('p1')).toEqual(['dead']);
    net.resume('p1');
    net.run(PERIOD_MS);
    for (const name of net.nodes.keys()) expect(net.seen(name)).toEqual(['alive']);
  });

  test('one lost link among many: the others hear nothing of it, and the two ask others first', () => {
    const net = mesh(5, 5);
    net.cut('p0', 'p1');
    net.run(6);
    expect(net.sees('p0', 'p1')).toBe('suspect');
    net.run(60);
    expect(net.sees('p0', 'p1')).toBe('alive');
    net.run(30_000);
    expect(net.seen('p1')).toEqual(['alive']);
    expect(net.node('p1').swim.incarnation).toBe(1_000);
    expect(net.node('p0').swim.isAlive('p1')).toBe(false);
    expect(net.node('p2').swim.isAlive('p1')).toBe(true);
    net.connect('p0', 'p1');
    expect(net.node('p0').swim.isAlive('p1')).toBe(true);
  });

  test('a mesh in two halves, and whole again', () => {
    const net = mesh(6, 6);
    const halves = [
      ['p0', 'p1', 'p2'],
      ['p3', 'p4', 'p5'],
    ] as const;
    for (const a of halves[0]) for (const b of halves[1]) net.cut(a, b);
    net.run(30_000);
    for (const a of halves[0]) for (const b of halves[1]) expect(net.sees(a, b)).toBe('dead');
    net.connectAll();
    net.run(100);
    for (const name of net.nodes.keys()) expect(net.seen(name)).toEqual(['alive']);
  });

  test('a restart is a higher incarnation: alive as soon as it has a link', () => {
    const net = mesh(3, 7);
    net.kill('p1');
    net.run(30_000);
    net.start('p1', 2);
    net.connect('p0', 'p1');
    net.run(20);
    expect(net.sees('p0', 'p1')).toBe('alive');
    net.run(10_000);
    expect(net.sees('p2', 'p1')).toBe('alive');
    expect(net.node('p2').swim.isAlive('p1')).toBe(false);
  });

  test('who leaves is gone at once, for people dead, and comes back', () => {
    const net = mesh(4, 8);
    net.node('p1').swim.leave(net.now);
    for (const { to, payload } of net.node('p1').swim.takeMessages()) {
      net.node(to).swim.receive(net.now, 'p1', payload);
    }
    expect(net.node('p1').swim.nextWake).toBe(Number.POSITIVE_INFINITY);
    net.kill('p1');
    net.run(20);
    expect(net.seen('p1')).toEqual(['dead']);
    net.run(20_000);
    net.start('p1', 2);
    net.connectAll();
    net.run(20);
    expect(net.seen('p1')).toEqual(['alive']);
  });
});

describe('with one message in five lost', () => {
  test.each([1, 2, 3])('a live member is never kept dead (seed %i)', (seed) => {
    const net = mesh(10, seed);
    net.loss = 0.2;
    const names = [...net.nodes.keys()];
    const since = new Map<string, number>();
    let worst = 0;
    let bad = 0;
    let dead = 0;
    const minutes = 5;
    for (let step = 0; step < minutes * 600; step++) {
      net.run(100);
      for (const { name, swim } of net.nodes.values()) {
        for (const { name: of, state } of swim.members()) {
          const pair = `${name} ${of}`;
          if (state === 'alive') since.delete(pair);
          else {
            bad++;
            if (state === 'dead') dead++;
            since.set(pair, since.get(pair) ?? net.now);
            worst = Math.max(worst, net.now - since.get(pair)!);
          }
        }
      }
    }
    const looks = minutes * 600 * names.length * (names.length - 1);
    expect(worst).toBeLessThan(suspicionMs(10) + 5 * PERIOD_MS);
    expect(bad / looks).toBeLessThan(0.05);
    expect(dead / looks).toBeLessThan(0.001);
    expect(net.nodes.get('p0')!.swim.incarnation).toBeGreaterThan(1_000);
    net.loss = 0;
    net.run(2 * 10 * PERIOD_MS);
    for (const name of names) expect(net.seen(name)).toEqual(['alive']);
  });

  test.each([4, 5, 6])('a dead member is dead to all, all the same (seed %i)', (seed) => {
    const net = mesh(10, seed);
    net.loss = 0.2;
    net.stop('p3');
    net.run(silentDeathMs(10));
    expect(net.seen('p3')).toEqual(['dead']);
  });
});

describe('gossip dies down', () => {
  test.each([1, 2, 3])(
    'after the faults end nothing waits, and only pings and their acks go on (seed %i)',
    (seed) => {
      const net = mesh(10, seed);
      net.loss = 0.3;
      net.kill('p9');
      for (let i = 0; i < 20; i++) {
        net.cut(`p${i % 9}`, `p${(i + 1 + (i % 5)) % 9}`);
        net.run(1_500);
        net.connectAll();
      }
      net.loss = 0;
      net.run(60_000);
      for (const { swim } of net.nodes.values())
        if (swim !== net.node('p9').swim) expect(swim.waiting).toBe(0);
      net.reset();
      net.run(100 * PERIOD_MS);
      const perMember = net.sent / 9 / 100;
      expect(perMember).toBeGreaterThan(1.9);
      // A ping and an ack, and once in 20 periods all that is known.
      expect(perMember).toBeLessThan(2.1);
      expect(net.told / 9 / 100).toBeLessThan(1);
    },
  );

  test('a member that one peer alone takes for dead is mended through others', () => {
    const net = mesh(3, 9);
    net.cut('p0', 'p2');
    net.run(50);
    // p0 takes p2 for dead, and nobody else does.
    net.node('p0').swim.receive(net.now, 'p1', [4, 0, [['p2', '', 2, 1_000]]]);
    expect(net.sees('p0', 'p2')).toBe('dead');
    net.run(45 * PERIOD_MS);
    expect(net.sees('p0', 'p2')).toBe('alive');
  });
});

describe('one member by itself', () => {
  const alone = (...links: string[]) => {
    const swim = new Swim({ name: 'p0', address: '', incarnation: 1, random: () => 0.5 }, [], 0);
    for (const name of links) swim.linkUp(0, name, '', 1);
    swim.takeMessages();
    return swim;
  };
  const stateOf = (swim: Swim, of: string) => swim.members().find(({ name }) => name === of)!.state;
  const suspicion = [4, 0, [['p2', '', 1, 1]]];

  test('a message to a suspect tells it so, long after the rumour was told often enough', () => {
    const swim = alone('p1', 'p2');
    swim.receive(1, 'p1', suspicion);
    for (let seq = 0; swim.waiting > 0; seq++) swim.receive(1, 'p1', [0, seq, []]);
    swim.takeMessages();
    swim.receive(1, 'p1', [0, 90, []]);
    swim.receive(1, 'p2', [0, 91, []]);
    swim.receive(1, 'p1', [2, 92, [], 'p2']);
    expect(swim.takeMessages().map(({ to, payload }) => [to, payload[0], payload[2]])).toEqual([
      ['p1', 1, []],
      ['p2', 1, [['p2', '', 1, 1]]],
      ['p2', 0, [['p2', '', 1, 1]]],
    ]);
  });

  test('now and then somebody is told all that is known, for what was lost more often than it was told', () => {
    const swim = alone('p1', 'p2');
    swim.receive(1, 'p1', [4, 0, [['watcher', 'host:w', 0, 5]]]);
    for (let i = 0; i < 100; i++) swim.receive(1, 'p1', [0, i, []]);
    swim.takeMessages();
    expect(swim.waiting).toBe(0);
    while (swim.nextWake < 2.5 * SYNC_PERIODS * PERIOD_MS) swim.tick(swim.nextWake);
    const news = swim.takeMessages().filter(({ payload }) => payload[0] === 4);
    const everything = news.filter(({ payload }) => (payload[2] as unknown[]).length === 4);
    expect(everything).toHaveLength(2);
    expect(JSON.stringify(everything[0]!.payload)).toContain('["watcher","host:w",');
  });

  test('a ping on behalf of another ends with a nack when the link closes', () => {
    const swim = alone('p1', 'p2');
    swim.receive(1, 'p1', [2, 77, [], 'p2']);
    swim.takeMessages();
    swim.linkDown(2, 'p2');
    expect(swim.takeMessages().map(({ to, payload }) => [to, payload[0], payload[1]])).toContainEqual([
      'p1',
      3,
      77,
    ]);
  });

  test('after standing still, suspects and pings get the time that they had left', () => {
    const swim = alone('p1', 'p2');
    swim.receive(1, 'p1', suspicion);
    swim.tick(100_000);
    expect(swim.members().map(({ state }) => state)).toEqual(['alive', 'alive', 'suspect']);
    expect(stateOf(swim, 'p2')).toBe('suspect');
    for (let now = 100_000; now < 103_000; now = Math.max(now + 1, swim.nextWake)) swim.tick(now);
    swim.receive(103_000, 'p2', [1, 9, [['p2', '', 0, 2]]]);
    expect(stateOf(swim, 'p2')).toBe('alive');
  });

  test('a suspicion that is older than its answer is answered to whoever tells it, and to nobody else', () => {
    const swim = alone('p1', 'p2');
    swim.receive(1, 'p1', [4, 0, [['p0', '', 1, 1]]]);
    const [first, second] = swim.takeMessages();
    expect([first!.to, second!.to, first!.payload]).toEqual(['p1', 'p2', [4, 0, [['p0', '', 0, 2]]]]);
    swim.receive(1, 'p2', [4, 0, [['p0', '', 1, 1]]]);
    expect(swim.takeMessages()).toEqual([{ to: 'p2', payload: [4, 0, [['p0', '', 0, 2]]] }]);
  });
});

describe('observers', () => {
  test('are found by whom they have no link to, with their address, and are no voters', () => {
    const net = mesh(3, 1);
    net.start('watcher');
    net.connect('watcher', 'p0');
    net.run(10_000);
    const seen = net
      .node('p2')
      .swim.members()
      .find(({ name }) => name === 'watcher');
    expect(seen).toMatchObject({ address: 'host:watcher', role: 'observer', state: 'alive' });
    expect(net.node('p2').swim.addressOf('watcher')).toBe('host:watcher');
    expect(net.node('watcher').swim.members()).toHaveLength(4);
    expect(net.node('watcher').swim.members()[3]).toMatchObject({ name: 'watcher', role: 'observer' });
  });

  test('are forgotten long after their death, and not learned again from those who forget later', () => {
    const net = mesh(3, 2);
    net.start('watcher');
    net.connectAll();
    net.run(5_000);
    net.kill('watcher');
    net.run(FORGET_MS);
    expect(net.seen('watcher')).toEqual(['dead']);
    net.run(30_000);
    expect(net.seen('watcher')).toEqual(['unknown']);
    net.node('p0').swim.receive(net.now, 'p1', [4, 0, [['watcher', '', 2, 1_000]]]);
    expect(net.sees('p0', 'watcher')).toBeUndefined();
  });

  test('are not noted beyond a bound', () => {
    const { swim } = mesh(3, 3).node('p0');
    for (let i = 0; i < 300; i++) swim.receive(6_000, 'p1', [4, 0, [[`o${i}`, '', 0, 1]]]);
    swim.linkUp(6_000, 'late', 'host:late', 1);
    expect(swim.members()).toHaveLength(MEMBERS_MAX);
    expect(swim.isAlive('late')).toBe(false);
  });

  test('become voters, and voters observers, as the roster says', () => {
    const { swim } = mesh(3, 4).node('p0');
    swim.enter(6_000, [
      ['p0', ''],
      ['p2', ''],
      ['p7', 'host:7'],
    ]);
    expect(swim.members().map(({ name, role, address }) => [name, role, address])).toEqual([
      ['p0', 'voter', 'host:p0'],
      ['p1', 'observer', 'host:p1'],
      ['p2', 'voter', 'host:p2'],
      ['p7', 'voter', 'host:7'],
    ]);
  });
});

describe('oddities', () => {
  test('a wrong payload names its field and changes nothing', () => {
    const { swim } = mesh(3, 1).node('p0');
    const before = swim.members();
    expect(() => swim.receive(6_000, 'p1', [4, 0, [['p2', '', 2, 1_000.5]]])).toThrow('rumour.incarnation');
    expect(swim.members()).toEqual(before);
  });

  test('an alive rumour of itself with a higher incarnation is taken over, not fought', () => {
    const { swim } = mesh(3, 1).node('p0');
    swim.receive(6_000, 'p1', [4, 0, [['p0', '', 0, 5_000]]]);
    expect(swim.incarnation).toBe(5_000);
    expect(swim.takeMessages()).toEqual([]);
  });

  test('no incarnation grows beyond what others can read', () => {
    const net = mesh(3, 1);
    const { swim } = net.node('p0');
    swim.linkUp(6_000, 'p2', 'host:p2', Number.MAX_SAFE_INTEGER);
    swim.receive(6_000, 'p1', [4, 0, [['p0', '', 2, INCARNATION_MAX]]]);
    expect(swim.incarnation).toBeLessThanOrEqual(INCARNATION_MAX);
    for (const { payload } of swim.takeMessages()) net.node('p1').swim.receive(6_000, 'p0', payload);
  });

  test('an ack of somebody who was not asked proves nothing', () => {
    const swim = new Swim({ name: 'p0', address: '', incarnation: 1, random: () => 0.5 }, [['p1', '']], 0);
    swim.linkUp(0, 'p1', '', 1);
    swim.linkUp(0, 'p2', '', 1);
    const ping = swim.takeMessages().find(({ to, payload }) => to === 'p1' && payload[0] === 0)!;
    swim.receive(5, 'p2', [1, ping.payload[1], []]);
    expect(swim.members().find(({ name }) => name === 'p1')!.rttMs).toBeNull();
    swim.receive(5, 'p1', [1, ping.payload[1], []]);
    expect(swim.members().find(({ name }) => name === 'p1')!.rttMs).toBe(5);
  });

  test('the same seed, the same run', () => {
    const trace = () => {
      const net = mesh(5, 77);
      net.loss = 0.1;
      net.kill('p4');
      net.run(20_000);
      return net.trace;
    };
    expect(trace()).toBe(trace());
  });
});
