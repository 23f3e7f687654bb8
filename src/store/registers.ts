/**
 * Registers and their changes as bytes: the one file of this room that knows what a record is.
 * Always true: decoding what was encoded gives the same register, and applying an encoded change to the register
 * that it builds on gives the one that it led to; other bytes, or another register, are a WireError.
 */
import { Packr } from 'msgpackr';
import { evolveAll, type LockEvent } from '../lock/event.ts';
import { list, natural, WireError } from '../lock/plain.ts';
import { lengthOf } from '../lock/queue.ts';
import { isFree, type LockState } from '../lock/state.ts';
import { sizeOf } from '../lock/tree.ts';
import { eventFromWire, eventToWire } from '../lock/wire-events.ts';
import type { RegisterWrite, StoredRegister } from '../vote/acceptor.ts';
import type { Ballot } from '../vote/ballot.ts';
import { registerFromWire, registerToWire } from '../vote/wire.ts';
import type { RecordCodec } from './store.ts';

/** Plain values only, as on the wire: no records, no extensions. */
const packr = new Packr({ useRecords: false });

export const registerCodec: RecordCodec<StoredRegister, RegisterWrite> = {
  encode: (register) => packr.pack(registerToWire(register)),
  decode: (bytes) => registerFromWire(packr.unpack(bytes)),
  held: (register) => !isFree(register.state),
  stamp: (register) => stampOf(register.ballot, register.version),
  after: (write) => write.register,
  from: ({ register, events, from }) => (events === null ? null : stampOf(register.ballot, from)),
  encodeDelta({ register, events, from }) {
    const { ballot, version, state } = register;
    return packr.pack([stampOf(ballot, from), version, events!.map(eventToWire), summary(state)]);
  },
  apply(register, delta) {
    const a = list(packr.unpack(delta), 4, 'delta');
    const stamp = stampOf(register.ballot, register.version);
    if (a[0] !== stamp) throw new WireError('delta', `builds on ${a[0]}, not on ${stamp}`);
    const version = natural(a[1], 'delta.version');
    const events: LockEvent[] = [];
    for (const event of list(a[2], 0, 'delta.events')) events.push(eventFromWire(event));
    const state = evolveAll(register.state, events);
    const expected = list(a[3], 0, 'delta.summary');
    for (const [i, value] of summary(state).entries()) {
      if (i < expected.length && expected[i] !== value)
        throw new WireError('delta.summary', `leads to ${summary(state)}, not to ${expected}`);
    }
    return { ballot: register.ballot, version, state };
  },
};

function stampOf({ round, peer, boot }: Ballot, version: number): string {
  return `${round}.${peer}.${boot}.${version}`;
}

/** What shows most events that were left out or doubled: an event never fails, so the stamps alone would not. */
function summary(state: LockState): number[] {
  const { token, retirements, arrivals, holders, queue, parked } = state;
  return [token, retirements, arrivals, holders.length, lengthOf(queue), sizeOf(parked)];
}
