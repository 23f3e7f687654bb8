/**
 * As much gRPC as the benchmark needs: unary calls over one HTTP/2 connection, and protobuf messages of integers and
 * bytes, by field number. Of our own, for the usual library takes two to three times the processor time per call, and
 * on one machine that is time taken from the servers.
 */
import { type ClientHttp2Session, connect } from 'node:http2';

export type Field = bigint | Uint8Array;

/** Flag and length of the one message that a unary call sends and gets. */
const PREFIX_BYTES = 5;
/** More than one connection of the benchmark has under way. */
const WINDOW_BYTES = 1 << 20;

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt.asUintN(64, value);
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  bytes.push(Number(left));
  return Buffer.from(bytes);
}

/** A protobuf message with these fields. */
export function encode(fields: Readonly<Record<number, Field>>): Buffer {
  const parts: Uint8Array[] = [];
  for (const [number, field] of Object.entries(fields)) {
    const isBytes = typeof field !== 'bigint';
    parts.push(varint((BigInt(number) << 3n) | (isBytes ? 2n : 0n)));
    if (isBytes) parts.push(varint(BigInt(field.length)), field);
    else parts.push(varint(field));
  }
  return Buffer.concat(parts);
}

/** The fields of a message that has only integers and bytes; of a repeated field the last one. */
export function decode(message: Uint8Array): Record<number, Field> {
  const fields: Record<number, Field> = {};
  let at = 0;
  const next = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new Error('the message ends in the middle of a number');
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = next();
    const number = Number(tag >> 3n);
    if ((tag & 7n) === 0n) fields[number] = next();
    else if ((tag & 7n) === 2n) {
      const length = Number(next());
      fields[number] = message.subarray(at, at + length);
      at += length;
    } else throw new Error(`field ${number} has a type that is not read here`);
  }
  return fields;
}

export class GrpcConnection {
  private readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
  }

  /** @param address host and port */
  static open(address: string): Promise<GrpcConnection> {
    const session = connect(`http://${address}`, { settings: { initialWindowSize: WINDOW_BYTES } });
    return new Promise((resolve, reject) => {
      session.once('error', reject);
      session.once('connect', () => resolve(new GrpcConnection(session)));
    });
  }

  /** @throws if the server says anything but OK. */
  call(path: string, request: Readonly<Record<number, Field>>): Promise<Record<number, Field>> {
    const message = encode(request);
    const frame = Buffer.alloc(PREFIX_BYTES + message.length);
    frame.writeUInt32BE(message.length, 1);
    message.copy(frame, PREFIX_BYTES);
    return new Promise((resolve, reject) => {
      const headers = {
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      };
      const stream = this.session.request(headers);
      const chunks: Buffer[] = [];
      let status: unknown;
      let text: unknown;
      const note = (told: Record<string, unknown>) => {
        status = told['grpc-status'] ?? status;
        text = told['grpc-message'] ?? text;
      };
      stream.on('response', note);
      stream.on('trailers', note);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () => {
        if (Number(status) !== 0) reject(new Error(`${path}: ${status} ${text}`));
        else
          resolve(decode((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).subarray(PREFIX_BYTES)));
      });
      stream.end(frame);
    });
  }

  close(): void {
    this.session.destroy();
  }
}
