/**
 * Frames as bytes: msgpack of positional arrays of plain values, no records, no extensions.
 * Always true: a frame of several messages that goes out is smaller than FRAME_BYTES_MAX, or split until it is; what
 * comes in is a value that the wire decoders have yet to check, or a WireError.
 */
import { Packr } from 'msgpackr';
import { WireError } from '../lock/plain.ts';
import type { Frame } from '../peer/messages.ts';
import { frameToWire } from '../peer/wire.ts';
import { FRAME_BYTES_MAX } from './limits.ts';

const packr = new Packr({ useRecords: false });

export function pack(wire: readonly unknown[]): Buffer {
  return packr.pack(wire);
}

/** Byte arrays in the result are views of `bytes`; the wire decoders let none through. */
export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch (error) {
    throw new WireError('frame', error instanceof Error ? error.message : String(error));
  }
}

/** The frame, or the frames of its halves where it is too large. */
export function packFrame(frame: Frame, send: (bytes: Buffer) => void): void {
  const bytes = pack(frameToWire(frame));
  const { messages } = frame;
  if (bytes.length <= FRAME_BYTES_MAX || messages.length < 2) {
    send(bytes);
    return;
  }
  const half = messages.length >> 1;
  packFrame({ ...frame, messages: messages.slice(0, half) }, send);
  packFrame({ ...frame, messages: messages.slice(half) }, send);
}
