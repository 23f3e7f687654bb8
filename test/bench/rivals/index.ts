/**
 * Everybody that takes part. A load loads only what it talks to.
 */
import type { Client, Rival } from './rival.ts';

interface Entry {
  /** As tables have it. */
  readonly title: string;
  /** Whether callers can share a client object. Then few and many objects are tried, and the faster counts. */
  readonly shares: boolean;
  readonly load: () => Promise<Rival>;
}

/** The first two are ours. Those in front of others with the same servers start them. */
export const RIVALS = {
  quorate: {
    title: 'Quorate, its client',
    shares: true,
    load: () => import('./quorate.ts'),
  },
  http: {
    title: 'Quorate, HTTP',
    shares: false,
    load: () => import('./http.ts'),
  },
  etcd: { title: 'etcd, Lock and Unlock', shares: true, load: () => import('./etcd.ts') },
  redlock: {
    title: 'Redlock, flushed',
    shares: true,
    load: async () => (await import('./redlock.ts')).redis(3, 'flushed'),
  },
  'redlock-memory': {
    title: 'Redlock, memory only',
    shares: true,
    load: async () => (await import('./redlock.ts')).redis(3, 'memory'),
  },
  redis: {
    title: 'one Redis, flushed',
    shares: true,
    load: async () => (await import('./redlock.ts')).redis(1, 'flushed'),
  },
  'redis-memory': {
    title: 'one Redis, memory only',
    shares: true,
    load: async () => (await import('./redlock.ts')).redis(1, 'memory'),
  },
  postgres: { title: 'PostgreSQL, advisory', shares: false, load: () => import('./postgres.ts') },
} as const satisfies Readonly<Record<string, Entry>>;

export type RivalName = keyof typeof RIVALS;
export const NAMES = Object.keys(RIVALS) as readonly RivalName[];
/** Talk to the same mesh. */
export const OURS: readonly RivalName[] = ['quorate', 'http'];

export async function connect(
  name: RivalName,
  address: string,
  callers: number,
  objects: number,
): Promise<readonly Client[]> {
  const rival = await RIVALS[name].load();
  return rival.connect(address, callers, objects);
}
