/** Requests to POST /api/v1.0/lock, as a client on its own connection sends them. */
import { until } from './up.ts';

export interface Asked {
  readonly status: number;
  readonly type: string;
  readonly retryAfter: string;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are judged by the tests that ask for them
  readonly body: any;
}

/** @param gone closes the connection when it is aborted. */
export async function ask(url: string, body: object, gone?: AbortSignal): Promise<Asked> {
  const response = await fetch(`${url}/api/v1.0/lock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ action: 'lock', ...body }),
    ...(gone === undefined ? {} : { signal: gone }),
  });
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  return { status, type, retryAfter: headers.get('retry-after') ?? '', body: await response.json() };
}

/** Acquires what is free, for a minute unless it says otherwise. */
export async function lock(url: string, body: object): Promise<Asked['body']> {
  const asked = await ask(url, { timeout: '60s', ...body });
  if (asked.status !== 200) throw new Error(`${asked.status} ${JSON.stringify(asked.body)}`);
  return asked.body;
}

/** The status, once these wait for the scope, in this order. */
export async function shown(url: string, scope: string, waiters: readonly string[]): Promise<Asked['body']> {
  let body: Asked['body'];
  await until(`${waiters.join(', ') || 'nobody'} waits for ${scope}`, async () => {
    ({ body } = await ask(url, { scope, action: 'status' }));
    return body.waiters.map(({ holder }: { holder: string }) => holder).join() === waiters.join();
  });
  return body;
}
