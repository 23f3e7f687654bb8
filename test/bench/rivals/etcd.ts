/**
 * etcd as its package starts it, three members, and its own lock service: the Lock and Unlock calls of v3lock, one
 * lease per caller. Clients talk to the leader, which saves etcd a hop and is its fastest way.
 */
import { join } from 'node:path';
import { freePorts } from '../../process/cluster.ts';
import type { Guard } from '../guard.ts';
import { decode, type Field, GrpcConnection } from './grpc.ts';
import { type Client, installed, LEASE_MS, once, type Servers } from './rival.ts';

const MEMBERS = 3;

export function missing(): string | undefined {
  return installed('etcd') ? undefined : 'etcd (Debian: etcd-server)';
}

export async function start(guard: Guard): Promise<Servers> {
  const dir = guard.makeDir();
  const ports = await freePorts(MEMBERS * 2);
  const members = Array.from({ length: MEMBERS }, (_, i) => ({
    name: `m${i}`,
    clients: `127.0.0.1:${ports[i]}`,
    peers: `http://127.0.0.1:${ports[MEMBERS + i]}`,
  }));
  const roster = members.map(({ name, peers }) => `${name}=${peers}`).join(',');
  const children = members.map(({ name, clients, peers }) => {
    const flags = {
      name,
      'data-dir': join(dir, name),
      'listen-client-urls': `http://${clients}`,
      'advertise-client-urls': `http://${clients}`,
      'listen-peer-urls': peers,
      'initial-advertise-peer-urls': peers,
      'initial-cluster': roster,
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    return guard.spawn('etcd', args, { stdio: 'ignore' });
  });
  const address = await once('etcd has a leader', () => findLeader(members.map(({ clients }) => clients)));
  return { address, pids: () => children.map(({ pid }) => pid!) };
}

/** By Maintenance.Status: field 2 of the header is who answers, field 4 who leads. */
async function findLeader(addresses: readonly string[]): Promise<string | undefined> {
  for (const address of addresses) {
    const connection = await GrpcConnection.open(address);
    try {
      const status = await connection.call('/etcdserverpb.Maintenance/Status', {});
      if (decode(status[1] as Uint8Array)[2] === status[4]) return address;
    } finally {
      connection.close();
    }
  }
  return undefined;
}

class EtcdClient implements Client {
  private readonly connection: GrpcConnection;
  private readonly lease: Field;

  constructor(connection: GrpcConnection, lease: Field) {
    this.connection = connection;
    this.lease = lease;
  }

  async acquire(scope: string): Promise<() => Promise<void>> {
    const name = Buffer.from(scope);
    const { 2: key } = await this.connection.call('/v3lockpb.Lock/Lock', { 1: name, 2: this.lease });
    return async () => {
      await this.connection.call('/v3lockpb.Lock/Unlock', { 1: key! });
    };
  }

  close(): void {
    this.connection.close();
  }
}

export async function connect(address: string, callers: number, objects: number): Promise<readonly Client[]> {
  const connections = await Promise.all(Array.from({ length: objects }, () => GrpcConnection.open(address)));
  const ttl = BigInt((LEASE_MS * 10) / 1_000);
  return Promise.all(
    Array.from({ length: callers }, async (_, i) => {
      const connection = connections[i % objects]!;
      const { 2: lease } = await connection.call('/etcdserverpb.Lease/LeaseGrant', { 1: ttl });
      return new EtcdClient(connection, lease!);
    }),
  );
}
