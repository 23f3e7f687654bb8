/**
 * Reads request bodies.
 * Always true: the bytes are JSON whatever the content type among JSON, none and the form type that plain
 * `curl -d` sends; every other type is 415; a body that is not JSON says where, and a body that is not UTF-8 is
 * refused, for two scopes must never become one by a replacement character.
 */
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { invalid, Problem } from './problems.ts';

export const BODY_BYTES_MAX = 1024 * 1024;

const EXAMPLE = '{"scope":"db-migration","action":"lock"}';

export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const json = ['application/json', 'application/x-www-form-urlencoded'];
  app.addContentTypeParser(json, { parseAs: 'buffer' }, (_request, body, done) => read(body as Buffer, done));
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.headers['content-type'] === undefined) read(body as Buffer, done);
    else done(otherType());
  });
}

function read(body: Buffer, done: (error: Error | null, value?: object | null) => void): void {
  let value: object | null;
  try {
    value = readJson(body);
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, value);
}

export function otherType(): Problem {
  const detail =
    'must be application/json, application/x-www-form-urlencoded (read as JSON), or left out; the body is JSON';
  const errors = [{ field: 'Content-Type', detail }];
  return new Problem('invalid_request', `Content-Type ${detail}.`, { errors }, 415);
}

/** The object that the bytes stand for, null for none. Of two equal keys the last one counts. */
export function readJson(body: Buffer): object | null {
  if (body.length === 0) return null; // the route knows whether it needs one
  if (!isUtf8(body)) throw invalid([{ field: '', detail: 'The body is not UTF-8: send JSON in UTF-8' }]);
  const text = body.toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (text.trim() === '') throw emptyBody();
    const why = (error as SyntaxError).message;
    const bare = /:\s*(\d+(?:ms|s|m|h|d))\b/.exec(text)?.[1];
    const hint =
      bare === undefined ? `send an object such as ${EXAMPLE}` : `write durations as text: "${bare}"`;
    throw invalid([{ field: '', detail: `The body is not JSON (${why}): ${hint}` }]);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalid([{ field: '', detail: `The body must be a JSON object, such as ${EXAMPLE}` }]);
}

export function emptyBody(): Problem {
  return invalid([{ field: '', detail: `The body is empty: send a JSON object such as ${EXAMPLE}` }]);
}

/** For routes that need no body: nothing, or an object without fields. */
export function refuseFields(body: unknown): void {
  const fields = Object.keys((body as object | null | undefined) ?? {});
  if (fields.length === 0) return;
  throw invalid(fields.map((field) => ({ field, detail: 'is not a known field: leave it out' })));
}
