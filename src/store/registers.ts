/**
 * Registers as bytes: the one file of this room that knows what a record is.
 * Always true: decoding what was encoded gives the same register; other bytes are a WireError, never a register.
 */
import { Packr } from 'msgpackr';
import type { StoredRegister } from '../vote/acceptor.ts';
import { registerFromWire, registerToWire } from '../vote/wire.ts';
import type { RecordCodec } from './store.ts';

/** Plain values only, as on the wire: no records, no extensions. */
const packr = new Packr({ useRecords: false });

export const registerCodec: RecordCodec<StoredRegister> = {
  encode: (register) => packr.pack(registerToWire(register)),
  decode: (bytes) => registerFromWire(packr.unpack(bytes)),
  held: (register) => register.state.holders.length > 0,
};
