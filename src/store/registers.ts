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
import { sameBallot } from '../vote/ballot.ts';
import { registerFromWire, registerToWire } from '../vote/wire.ts';
import type { RecordCodec } from './store.ts';

/** Plain values only, as on the wire: no records, no extensions. */
const packr = new Packr({ useRecords: false });

export const registerCodec: RecordCodec<StoredRegister, RegisterWrite> = {
  encode: (register) => packr.pack(registerToWire(register)),
  decode: (bytes) => registerFromWire(packr.unpack(bytes)),
  held: (register) => !isFree(register.state),
  stamp: ({ ballot, version }) => stampOf(ballot.round, ballot.peer, ballot.boot, version),
  after: (write) => write.register,
  from: ({ register: { ballot }, events, from }) =>
    events === null ? null : stampOf(ballot.round, ballot.peer, ballot.boot, from),

  encodeDelta: (write) => packr.pack([registerCodec.from(write), write.register.version, ...changeOf(write)]),

  apply(register, delta) {
    const a = list(packr.unpack(delta), 4, 'delta');
    const stamp = registerCodec.stamp(register);
    if (a[0] !== stamp) throw new WireError('delta', `builds on ${a[0]}, not on ${stamp}`);
    const events = eventsFromWire(a[2]);
    const { ballot } = register;
    return { ballot, version: natural(a[1], 'delta.version'), state: evolved(register.state, events, a[3]) };
  },

  isChange: ({ events }) => events !== null,

  follows: ({ register, from }, before) =>
    before !== undefined && before.version === from && sameBallot(before.ballot, register.ballot),

  toPlain(write, asChange) {
    const { register, from } = write;
    if (!asChange) return registerToWire(register);
    const { ballot, version } = register;
    return [ballot.round, ballot.peer, ballot.boot, version, from, ...changeOf(write)];
  },

  link(plain) {
    const a = list(plain, 5, 'write');
    const to = stampOf(a[0], a[1], a[2], a[3]);
    // Where a change has the version that it builds on, a whole has its state.
    return { from: typeof a[4] === 'number' ? stampOf(a[0], a[1], a[2], a[4]) : null, to };
  },

  fromPlain(plain, before) {
    if (before === undefined) return { register: registerFromWire(plain), events: null, from: 0 };
    const a = list(plain, 7, 'write');
    const events = eventsFromWire(a[5]);
    const version = natural(a[3], 'write.version');
    const register = { ballot: before.ballot, version, state: evolved(before.state, events, a[6]) };
    return { register, events, from: natural(a[4], 'write.from') };
  },

  join(first, next) {
    const { register, events } = next;
    const before = first.events;
    if (before === null || events === null || !registerCodec.follows(next, first.register))
      return { register, events: null, from: 0 };
    if (before.length + events.length > worthKeeping(register.state))
      return { register, events: null, from: 0 };
    const all = first instanceof Joined ? first.events : [...before];
    all.push(...events);
    return new Joined(register, all, first.from);
  },
};

/** A write whose list of events is nobody else's, so that it may grow. */
class Joined implements RegisterWrite {
  readonly register: StoredRegister;
  readonly events: LockEvent[];
  readonly from: number;

  constructor(register: StoredRegister, events: LockEvent[], from: number) {
    this.register = register;
    this.events = events;
    this.from = from;
  }
}

/** More events than that cost as much as the whole register; memory need not keep them. */
function worthKeeping({ holders, queue, parked }: LockState): number {
  return 16 + holders.length + lengthOf(queue) + sizeOf(parked);
}

function changeOf({ register, events }: RegisterWrite): unknown[] {
  return [events!.map(eventToWire), summary(register.state)];
}

function eventsFromWire(u: unknown): LockEvent[] {
  const events: LockEvent[] = [];
  for (const event of list(u, 0, 'change.events')) events.push(eventFromWire(event));
  return events;
}

/** The state after the events, which must be the one that the summary is of. */
function evolved(before: LockState, events: readonly LockEvent[], u: unknown): LockState {
  const state = evolveAll(before, events);
  const expected = list(u, 0, 'change.summary');
  for (const [i, value] of summary(state).entries()) {
    if (i < expected.length && expected[i] !== value)
      throw new WireError('change.summary', `leads to ${summary(state)}, not to ${expected}`);
  }
  return state;
}

function stampOf(round: unknown, peer: unknown, boot: unknown, version: unknown): string {
  return `${round}.${peer}.${boot}.${version}`;
}

/** What shows most events that were left out or doubled: an event never fails, so the stamps alone would not. */
function summary(state: LockState): number[] {
  const { token, retirements, arrivals, holders, queue, parked } = state;
  return [token, retirements, arrivals, holders.length, lengthOf(queue), sizeOf(parked)];
}
