/**
 * Frames of /client as bytes: the MessagePack of an array of messages, no records, no extensions.
 * Always true: a frame of several messages is at most PEER_FRAME_BYTES_MAX long, or split until it is; what comes in
 * is an array of values that have yet to be checked, but whose texts were UTF-8, or a WireError.
 */
import { Packr } from 'msgpackr';
import { list, WireError } from '../lock/plain.ts';
import { PEER_FRAME_BYTES_MAX } from '../protocol/limits.ts';

/** Clients in other languages may write any number with 64 bits. */
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

export function unpackFrame(bytes: Buffer): readonly unknown[] {
  let value: unknown;
  try {
    value = packr.unpack(bytes);
  } catch (error) {
    throw new WireError('frame', error instanceof Error ? error.message : String(error));
  }
  const frame = list(value, 0, 'frame');
  checkTexts(frame, bytes);
  return frame;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the letters of ASCII
const BEYOND_ASCII = /[^\u0000-\u007f]/;

/**
 * What is not UTF-8 is read in one way in a short frame and in another in a long one, and one scope would be two. What
 * was UTF-8 stands in the frame as it is written.
 */
function checkTexts(frame: readonly unknown[], bytes: Buffer): void {
  let from = 0;
  for (const message of frame) {
    if (!Array.isArray(message)) continue;
    for (const value of message) {
      if (typeof value !== 'string' || !BEYOND_ASCII.test(value)) continue;
      from = bytes.indexOf(value, from, 'utf8');
      if (from < 0) throw new WireError('frame', 'has a text that is not UTF-8');
    }
  }
}

export function packFrame(messages: readonly unknown[], send: (bytes: Buffer) => void): void {
  const bytes = packr.pack(messages);
  if (bytes.length <= PEER_FRAME_BYTES_MAX || messages.length < 2) {
    send(bytes);
    return;
  }
  const half = messages.length >> 1;
  packFrame(messages.slice(0, half), send);
  packFrame(messages.slice(half), send);
}
