/** The settings of `quorate peer` and `quorate up`. */

import { z } from 'zod';
import { readDuration } from '../api/durations.ts';
import { isLoopback } from '../api/guard.ts';
import { VOTERS_MAX } from '../vote/quorum.ts';
import { DEFAULT_PORT, faultOfPeerName, readAddress, readRoster } from './address.ts';
import {
  aText,
  oneOf,
  readWith,
  type Settings,
  UsageError,
  type Values,
  wholeNumber,
  yesNo,
} from './settings.ts';

const peerName = aText.superRefine((text, context) => {
  const fault = faultOfPeerName(text);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

const roster = z
  .union([z.string(), z.record(z.string(), z.string())], { error: 'must be NAME=HOST:PORT,...' })
  .transform((input, context) => {
    const value = readRoster(input);
    if (typeof value !== 'string') return value;
    context.addIssue({ code: 'custom', message: value });
    return z.NEVER;
  });

const names = z
  .union([z.string().transform((text) => text.split(',').map((name) => name.trim())), z.array(z.string())], {
    error: 'must be NAME,...',
  })
  .refine((list) => list.every((name) => /^[\w.:-]+$/.test(name)), { error: 'must be host names: NAME,...' });

const duration = readWith((text) => {
  const ms = readDuration(text);
  if (ms === 0) return 'must be longer than 0';
  return typeof ms === 'string' ? `${JSON.stringify(text)} ${ms}` : ms;
});

/** Settings of both commands. */
const common = {
  insecure: {
    help: 'listen beyond this machine although there are no credentials',
    schema: yesNo,
    fallback: false,
  },
  'allow-host': {
    value: 'NAME,...',
    help: 'further host names under which clients may call',
    schema: names,
    fallback: [],
  },
  'request-timeout': {
    value: 'DURATION',
    help: 'how long a request may wait for its vote',
    schema: duration,
    fallback: '5s',
  },
  'log-level': {
    value: 'LEVEL',
    help: 'debug, info, warn, error or silent',
    schema: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
  },
  json: { help: 'say what happens in JSON, one object a line', schema: yesNo, fallback: false },
} as const satisfies Settings;

export const PEER_SETTINGS = {
  name: { value: 'NAME', help: "this peer's name in the roster", schema: peerName, required: true },
  listen: {
    value: 'HOST:PORT',
    help: "where to listen; by default this peer's address in the roster",
    schema: readWith(readAddress),
  },
  roster: {
    value: 'NAME=HOST:PORT,...',
    help: 'all voters, with the addresses under which the others reach them',
    schema: roster,
    required: true,
  },
  'data-dir': { value: 'DIR', help: 'where this peer keeps its votes', schema: aText, required: true },
  advertise: {
    value: 'HOST:PORT',
    help: 'where others reach this peer, if the roster does not say so',
    schema: readWith(readAddress),
  },
  observer: { help: 'forward requests, and do not vote', schema: yesNo, fallback: false },
  ...common,
} as const satisfies Settings;

export const UP_SETTINGS = {
  peers: { value: 'COUNT', help: 'how many peers', schema: wholeNumber(1, VOTERS_MAX), fallback: 3 },
  port: {
    value: 'PORT',
    help: "the first peer's port, counted up for the others",
    schema: wholeNumber(1, 65_535),
    fallback: DEFAULT_PORT,
  },
  host: { value: 'HOST', help: 'where to listen', schema: aText, fallback: '127.0.0.1' },
  'data-dir': { value: 'DIR', help: 'where the peers keep their votes', schema: aText, fallback: '.quorate' },
  ...common,
} as const satisfies Settings;

export type PeerOptions = Values<typeof PEER_SETTINGS>;
export type UpOptions = Values<typeof UP_SETTINGS>;

/** There are no credentials yet, so whoever reaches a peer may take and release every lock. */
export function refuseOpenDoor(flag: string, host: string, insecure: boolean): void {
  if (insecure || isLoopback(host)) return;
  throw new UsageError(
    `${flag} ${host}: other machines could reach this, and no credentials are configured, so anybody there could ` +
      'take and release locks. Listen on 127.0.0.1, or add --insecure if you trust everybody on that network.',
  );
}
