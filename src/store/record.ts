/**
 * The frame around each value on disk: version byte, CRC-32 (little endian), payload.
 * Always true: the checksum covers the key too, so a value that turns up under another key is damage as well.
 * `unframe` returns a view of its input.
 */
import { crc32 } from 'node:zlib';

export const FRAME_VERSION = 1;
const HEAD_BYTES = 5;

export function frame(key: string, payload: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  out[0] = FRAME_VERSION;
  out.set(payload, HEAD_BYTES);
  out.writeUInt32LE(checksum(key, payload), 1);
  return out;
}

/** The payload, or why there is none. */
export function unframe(key: string, bytes: Buffer): Uint8Array | string {
  if (bytes.length < HEAD_BYTES) return `its ${bytes.length} bytes are too few`;
  if (bytes[0] !== FRAME_VERSION) return `its version byte is ${bytes[0]}, not ${FRAME_VERSION}`;
  const payload = bytes.subarray(HEAD_BYTES);
  return bytes.readUInt32LE(1) === checksum(key, payload) ? payload : 'its checksum does not match';
}

function checksum(key: string, payload: Uint8Array): number {
  return crc32(payload, crc32(key, FRAME_VERSION));
}
