/** Who sent a request, as far as its connection tells. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Exchange } from './exchange.ts';
import { faultOfName } from './fields.ts';
import type { Identity } from './guard.ts';
import { invalid } from './problems.ts';
import { HOLDER_BYTES_MAX } from './schemas.ts';

/** What the connection tells besides the body. */
export interface Caller {
  readonly identity: Identity;
  readonly headers: IncomingHttpHeaders;
  readonly exchange: Exchange;
}

/** The holder: the field, else the header; undefined if neither is there. */
export function holderOf(field: string | undefined, { headers }: Caller): string | undefined {
  if (field !== undefined) return field;
  const header = headers['x-lock-holder'];
  if (typeof header !== 'string') return undefined;
  // Node reads headers as Latin-1; what was sent as UTF-8 is the same name as in the field.
  const text = Buffer.from(header, 'latin1').toString('utf8');
  const fault = text.includes('\uFFFD') ? 'is no valid UTF-8' : faultOfName(text, HOLDER_BYTES_MAX);
  if (fault === undefined) return text;
  const detail = `${fault}: give 1 to ${HOLDER_BYTES_MAX} bytes of UTF-8, no control characters`;
  throw invalid([{ field: 'X-Lock-Holder', detail }]);
}
