/**
 * Addresses and rosters as people write them: HOST:PORT, [IPv6]:PORT, and NAME=HOST:PORT,...
 * Always true: what is read is whole (a host and a port that exist); a fault is a text that says what would be right.
 */
import { VOTERS_MAX } from '../vote/quorum.ts';

export const DEFAULT_PORT = 20194;
export const PEER_NAME_CHARS_MAX = 64;

export interface Address {
  /** Without the brackets of IPv6. */
  readonly host: string;
  readonly port: number;
}

export type Roster = ReadonlyMap<string, string>;

const HOST = /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** @returns the address, or what is wrong. Without a port it is the default one. */
export function readAddress(text: string): Address | string {
  const parts = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = parts?.[3] === undefined ? DEFAULT_PORT : Number(parts[3]);
  if (host === undefined || (parts?.[2] !== undefined && !HOST.test(host))) {
    return `${JSON.stringify(text)} is no address: write HOST:PORT, such as 127.0.0.1:${DEFAULT_PORT} or [::1]:${DEFAULT_PORT}`;
  }
  if (port < 1 || port > 65_535) return `${JSON.stringify(text)} has no such port: write one from 1 to 65535`;
  return { host, port };
}

export function writeAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function urlOf(address: Address): string {
  return `http://${writeAddress(address)}`;
}

/** @returns what is wrong with a peer's name, or undefined. */
export function faultOfPeerName(name: string): string | undefined {
  if (NAME.test(name) && name.length <= PEER_NAME_CHARS_MAX) return undefined;
  return `${JSON.stringify(name)} is no name: 1 to ${PEER_NAME_CHARS_MAX} letters, digits, dots, dashes or underscores`;
}

/** @param input the text of the flag, or the mapping of a config file. @returns addresses by name, or what is wrong. */
export function readRoster(input: string | Readonly<Record<string, string>>): Roster | string {
  const example = `p1=127.0.0.1:${DEFAULT_PORT},p2=127.0.0.1:${DEFAULT_PORT + 1}`;
  const pairs =
    typeof input === 'string'
      ? input.split(',').map((pair) => {
          const at = pair.indexOf('=');
          return at < 0 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
        })
      : Object.entries(input);
  const roster = new Map<string, string>();
  for (const [name = '', text = ''] of pairs) {
    if (text === '')
      return `${JSON.stringify(name)} has no address: write NAME=HOST:PORT,..., such as ${example}`;
    const fault = faultOfPeerName(name);
    if (fault !== undefined) return fault;
    if (roster.has(name)) return `${name} is in it twice`;
    const address = readAddress(text);
    if (typeof address === 'string') return `${name}: ${address}`;
    const written = writeAddress(address);
    for (const [other, taken] of roster)
      if (taken === written) return `${other} and ${name} have the same address`;
    roster.set(name, written);
  }
  if (roster.size === 0) return `names nobody: write ${example}`;
  if (roster.size > VOTERS_MAX) return `has ${roster.size} voters, at most ${VOTERS_MAX}`;
  return roster;
}
