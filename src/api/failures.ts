/**
 * Turns whatever goes wrong in a door into a Problem, and writes problems.
 * Always true: every answer that is not a success is `application/problem+json` with code, certainty and next,
 * whichever layer refused: the parser of HTTP, the router, the body, the schema or the core.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { BODY_BYTES_MAX, otherType } from './body.ts';
import { type FieldError, invalid, Problem, problemBody } from './problems.ts';

const CONTENT_TYPE = 'application/problem+json; charset=utf-8';

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const { allow, retryAfterS } = problem.extra;
  if (allow !== undefined) reply.header('allow', allow);
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS));
  return reply
    .code(problem.status)
    .header('content-type', CONTENT_TYPE)
    .send(JSON.stringify(problemBody(problem)));
}

/** @param bug is told of errors that nobody planned for. */
export function toProblem(error: unknown, bug: (error: unknown) => void): Problem {
  if (error instanceof Problem) return error;
  switch ((error as { code?: unknown } | null)?.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE': {
      const detail = `The body is larger than 1 MiB: send at most ${BODY_BYTES_MAX} bytes`;
      return new Problem('invalid_request', `${detail}.`, { errors: [{ field: '', detail }] }, 413);
    }
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return otherType();
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalid([
        { field: 'Content-Length', detail: 'is not the length of the body: send what it says' },
      ]);
    case 'FST_ERR_BAD_URL':
      return invalid([{ field: 'path', detail: 'is not percent-encoded UTF-8: encode each byte as %XX' }]);
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return invalid([{ field: '', detail: 'The connection ended before the body did: send it whole' }]);
  }
  bug(error);
  return new Problem('internal', 'This peer met an error of its own; its log says more.');
}

/** Names every bad field and what would be right. */
export function fromZod(error: z.ZodError, known: readonly string[]): Problem {
  const errors: FieldError[] = [];
  for (const issue of error.issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const field of issue.keys) errors.push({ field, detail: unknownField(field, known) });
    } else errors.push({ field: issue.path.join('.'), detail: issue.message });
  }
  return invalid(errors);
}

function unknownField(field: string, known: readonly string[]): string {
  const near = known.find((name) => distance(field.toLowerCase(), name) <= 2);
  return `is not a known field: ${near === undefined ? `leave it out; known are ${known.join(', ')}` : `did you mean ${near}`}`;
}

/** Letters to add, drop or change to come from one word to the other; 3 stands for more than that. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Answers what the parser of HTTP itself refused; there is no request then, only a socket. */
export function onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  endWith(socket, badHttp(error.code));
}

/** Answers on the bare socket, and ends it. */
export function endWith(socket: Duplex, problem: Problem): void {
  const body = JSON.stringify(problemBody(problem));
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.on('error', () => undefined);
  // Not end(): what keeps sending garbage is not waited for.
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

function badHttp(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new Problem(
        'invalid_request',
        'The request headers are larger than 16 KiB: send less.',
        {},
        431,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem(
        'invalid_request',
        'The request did not arrive whole in time: send it faster.',
        {},
        408,
      );
    default:
      return new Problem('invalid_request', 'This is not HTTP/1.1: send a well-formed request.');
  }
}
