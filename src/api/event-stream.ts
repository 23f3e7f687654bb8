/**
 * GET /api/v1.0/events: what happens to one scope, as server-sent events.
 * Always true: a stream ends with its connection, when this peer stops, or when its reader leaves too much unread; an
 * end that is this peer's is said in a last event. A reader whose machine is gone is noticed: something is said every
 * 15 s.
 */
import type { ServerResponse } from 'node:http';
import type { ClientReply } from '../peer/request.ts';
import type { EventBody } from './answers-events.ts';
import type { Door } from './door.ts';
import { endOf, watchScope } from './events.ts';
import type { Exchange } from './exchange.ts';

/** A reader that leaves this much unread is cut off. */
export const UNREAD_BYTES_MAX = 1_048_576;
/** How long one that was cut off may still read what was said before. */
const LINGER_MS = 5_000;
const COMMENT_EVERY_MS = 15_000;
/** A browser comes back this long after a stream has ended. */
const RETRY_MS = 1_000;

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Proxies that gather answers would hold back events.
  'x-accel-buffering': 'no',
};

const OVER: ClientReply = { kind: 'unknown', missing: [] };

const STOPS = 'This peer is stopping: watch at another peer.';

/** Streams until the stream is over. The caller has authorized it, and has taken the response from the framework. */
export async function streamEvents(door: Door, scope: string, exchange: Exchange): Promise<void> {
  const stream = new EventStream(scope, exchange.response);
  const run = () => new Promise<ClientReply>((resolve) => stream.begin(door, exchange, () => resolve(OVER)));
  await door.waits.until(
    run,
    () => stream.end(STOPS),
    () => undefined,
  );
  // Of one that came while this peer stops nothing has begun.
  stream.end(STOPS);
}

class EventStream {
  private readonly scope: string;
  private readonly response: ServerResponse;
  private timer: NodeJS.Timeout | undefined;
  private unwatch = () => {};
  private over = false;
  private done = () => {};

  constructor(scope: string, response: ServerResponse) {
    this.scope = scope;
    this.response = response;
    response.writeHead(200, HEADERS);
    response.write(`retry: ${RETRY_MS}\n\n`);
  }

  /** @param done called once it is over. */
  begin(door: Door, exchange: Exchange, done: () => void): void {
    this.done = done;
    this.timer = setInterval(() => this.response.write(': still here\n\n'), COMMENT_EVERY_MS);
    this.timer.unref();
    this.unwatch = watchScope(door, this.scope, (body) => this.say(body));
    exchange.whenGone(() => this.close());
    if (exchange.gone) this.close();
  }

  private say(body: EventBody): void {
    if (this.over) return;
    this.write(body);
    if (body.event === 'end') this.finish();
    else if (this.response.writableLength > UNREAD_BYTES_MAX) {
      this.end(
        `More than ${UNREAD_BYTES_MAX} bytes were left unread: read faster, and ask \`status\` first.`,
      );
    }
  }

  private write(body: EventBody): void {
    const { id, event } = body;
    const name = id === undefined ? '' : `id: ${id}\n`;
    this.response.write(`${name}event: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
  }

  /** Says why it ends, and ends. */
  end(detail: string): void {
    if (this.over) return;
    this.write(endOf(this.scope, detail));
    this.finish();
  }

  private finish(): void {
    this.close();
    const { response } = this;
    response.end();
    const timer = setTimeout(() => response.destroy(), LINGER_MS);
    timer.unref();
    response.once('close', () => clearTimeout(timer));
  }

  /** Nothing is said any more. */
  private close(): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.timer);
    this.unwatch();
    this.done();
  }
}
