/**
 * A register that was not used lately, as one short text: a few hundred bytes instead of a dozen objects, so that
 * memory follows what is held and not what objects cost.
 * Always true: thawed, it is the register that was frozen, but that its leases may be noted up to a millisecond later,
 * which can only lengthen them. Only what is on disk is frozen.
 */
import { flat, list, millis, natural } from '../lock/plain.ts';
import type { Register } from '../vote/acceptor.ts';
import { leaseIdOf, sameBallot } from '../vote/ballot.ts';
import { ballotFromWire, registerFromWire, registerToWire } from '../vote/wire.ts';

/** How the scope was fought for; see Entry. */
export type Figures = readonly [acquires: number, conflicts: number, holds: number, heldMs: number];

/** Where the wire of a register has its holders, and a holder its lease id. */
const STATE = 4;
const HOLDERS = 2;
const LEASE_ID = 8;
/** What nearly every state and holder ends with is left out. */
const STATE_END = { from: 3, values: ['', [], [], [], 0, [], [], [], null] };
const HOLDER_END = { from: 10, values: [null, null, 0, null] };

export interface Thawed {
  readonly register: Register;
  readonly figures: Figures;
  readonly due: number;
}

/** @param register one that nobody waits for. @param due the second in which it must thaw, or -1. */
export function freeze(register: Register, figures: Figures, due: number): string {
  const { ballot, version, promised, noted } = register;
  const wire = registerToWire(register);
  const own = leaseIdOf(ballot, version);
  for (const grant of holdersOf(wire)) {
    if (grant[LEASE_ID] === own) grant[LEASE_ID] = '';
    shorten(grant, HOLDER_END);
  }
  if (wire[STATE] !== null) shorten(wire[STATE] as unknown[], STATE_END);
  const same = sameBallot(promised, ballot);
  const { round, peer, boot } = promised;
  // What JSON.stringify makes is a chain of parts.
  return flat(
    JSON.stringify([wire, noted.map(Math.ceil), figures, due, ...(same ? [] : [round, peer, boot])]),
  );
}

function shorten(wire: unknown[], { from, values }: typeof STATE_END): void {
  if (wire.length === from + values.length && JSON.stringify(wire.slice(from)) === JSON.stringify(values))
    wire.length = from;
}

function lengthen(wire: unknown[], { from, values }: typeof STATE_END): void {
  if (wire.length === from) wire.push(...values);
}

export function thaw(text: string): Thawed {
  const a = list(JSON.parse(text), 4, 'cold');
  const wire = list(a[0], 5, 'cold.register');
  const ballot = ballotFromWire(wire, 0, 'cold.ballot');
  const own = leaseIdOf(ballot, natural(wire[3], 'cold.version'));
  if (wire[STATE] !== null) lengthen(wire[STATE] as unknown[], STATE_END);
  for (const grant of holdersOf(wire)) {
    if (grant[LEASE_ID] === '') grant[LEASE_ID] = own;
    lengthen(grant, HOLDER_END);
  }
  const { version, state } = registerFromWire(wire);
  const promised = a.length > 4 ? ballotFromWire(a, 4, 'cold.promised') : ballot;
  const noted = list(a[1], 0, 'cold.noted').map((at) => millis(at, false, 'cold.noted'));
  const register = { promised, ballot, version, state, noted, write: 0 };
  return { register, figures: a[2] as Figures, due: a[3] as number };
}

function holdersOf(wire: readonly unknown[]): unknown[][] {
  const state = wire[STATE] as unknown[] | null;
  return state === null ? [] : (state[HOLDERS] as unknown[][]);
}
