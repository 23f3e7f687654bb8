/**
 * The frame around each value on disk: version byte, CRC-32 (little endian), payload.
 * Always true: the checksum covers the key too, so a value that turns up under another key is damage as well.
 * `unframe` returns a view of its input.
 */
import { crc32 } from 'node:zlib';

export const FRAME_VERSION = 1;
const HEAD_BYTES = 5;

/** @param parts the payload, in one piece or in two. */
export function frame(key: string, ...parts: readonly Uint8Array[]): Buffer {
  let end = HEAD_BYTES;
  for (const part of parts) end += part.length;
  const out = Buffer.allocUnsafe(end);
  out[0] = FRAME_VERSION;
  end = HEAD_BYTES;
  for (const part of parts) {
    out.set(part, end);
    end += part.length;
  }
  out.writeUInt32LE(checksum(key, out.subarray(HEAD_BYTES)), 1);
  return out;
}

/** The payload, or why there is none. */
export function unframe(key: string, bytes: Buffer): Buffer | string {
  if (bytes.length < HEAD_BYTES) return `its ${bytes.length} bytes are too few`;
  if (bytes[0] !== FRAME_VERSION) return `its version byte is ${bytes[0]}, not ${FRAME_VERSION}`;
  const payload = bytes.subarray(HEAD_BYTES);
  return bytes.readUInt32LE(1) === checksum(key, payload) ? payload : 'its checksum does not match';
}

function checksum(key: string, payload: Uint8Array): number {
  return crc32(payload, crc32(key, FRAME_VERSION));
}
