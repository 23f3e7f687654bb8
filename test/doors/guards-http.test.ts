/** The guard in deploy/guards/http, on a real server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { type Marks, memoryMarks } from '../../deploy/guards/fence.ts';
import { FileGuard } from '../../deploy/guards/file/guard.ts';
import { type FencingOptions, fencing } from '../../deploy/guards/http/guard.ts';
import { checkMarks, shuffled, inOrder as sorted } from './guards.ts';
import { until } from './up.ts';

const running: FastifyInstance[] = [];
const dirs: string[] = [];
afterEach(async () => {
  for (const app of running.splice(0)) await app.close();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

/** Its handler writes down when it begins and ends, and stays inside until the test lets its token go on. */
class Shop {
  readonly log: string[] = [];
  private readonly held = new Map<number, Promise<void>>();
  private url = '';

  static async open(options: Partial<FencingOptions> = {}): Promise<Shop> {
    const shop = new Shop();
    const app = Fastify({ forceCloseConnections: true });
    running.push(app);
    const guard = fencing({ scope: () => 'orders', marks: memoryMarks(), ...options });
    app.post(
      '/orders',
      { preHandler: guard.preHandler },
      guard.inOrder(({ fence }) => shop.work(fence!)),
    );
    shop.url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/orders`;
    return shop;
  }

  private async work({ fencingToken, slot }: { fencingToken: number; slot: number }): Promise<object> {
    const name = slot === 0 ? `${fencingToken}` : `${fencingToken}/${slot}`;
    this.log.push(`+${name}`);
    await this.held.get(fencingToken);
    this.log.push(`-${name}`);
    if (fencingToken === 13) throw new Error('unlucky');
    return { wrote: fencingToken };
  }

  /** Handlers with this token stay inside. @returns what lets them go on. */
  hold(token: number): () => void {
    let go!: () => void;
    this.held.set(token, new Promise((resolve) => (go = resolve)));
    return go;
  }

  begun(name: string): Promise<void> {
    return until(`the handler of ${name} has begun`, () => this.log.includes(`+${name}`));
  }

  async post(token: number | string | undefined, more: Record<string, string> = {}, signal?: AbortSignal) {
    const headers = { ...more, ...(token === undefined ? {} : { 'lock-fencing-token': String(token) }) };
    const answer = await fetch(this.url, { method: 'POST', headers, ...(signal ? { signal } : {}) });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.json() };
  }

  /** Resolves once requests with `token` are refused: a newer one is through the preHandler. */
  refused(token: number): Promise<void> {
    return until(`${token} is stale`, async () => (await this.post(token)).status === 409);
  }
}

test('marks in memory keep the rule of all marks', () => checkMarks(memoryMarks(), 'marks'));

test('takes the first token, newer ones and the same one again; a stale one is 409 and runs nothing', async () => {
  const shop = await Shop.open();
  expect(await shop.post(5)).toMatchObject({ status: 200, body: { wrote: 5 } });
  expect((await shop.post(7)).status).toBe(200);
  expect((await shop.post(7)).status).toBe(200);
  expect(await shop.post(6)).toMatchObject({
    status: 409,
    type: expect.stringMatching(/^application\/problem\+json/),
    body: { status: 409, code: 'stale_token', detail: expect.stringMatching(/stale fencing token 6/) },
  });
  expect((await shop.post(6, { 'lock-slot': '1' })).status).toBe(200);
  expect(shop.log).toEqual(['+5', '-5', '+7', '-7', '+7', '-7', '+6/1', '-6/1']);
});

test.each([undefined, '', 'abc', '-1', '1e3', '1.5', ' ', '0x10', '9007199254740992', '5, 6'])(
  'a request with the token %j is 400',
  async (token) => {
    const shop = await Shop.open();
    expect(await shop.post(token)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(shop.log).toEqual([]);
  },
);

test('a token of another scope means nothing: 400', async () => {
  const shop = await Shop.open({ scope: () => 'Aufträge/1' });
  expect((await shop.post(1, { 'lock-scope': 'orders' })).status).toBe(400);
  expect((await shop.post(1, { 'lock-scope': encodeURIComponent('Aufträge/1') })).status).toBe(200);
  expect((await shop.post(1, { 'lock-slot': 'one' })).status).toBe(400);
});

test('concurrent writers: handlers of different tokens never overlap, and run in the order of the tokens', async () => {
  const shop = await Shop.open();
  const answers = await Promise.all(shuffled(200).map(async (token) => (await shop.post(token)).status));
  expect(answers.filter((status) => status !== 200 && status !== 409)).toEqual([]);
  const begun = shop.log.filter((line) => line.startsWith('+')).map((line) => Number(line.slice(1)));
  expect(shop.log).toEqual(begun.flatMap((token) => [`+${token}`, `-${token}`]));
  expect(begun).toEqual(sorted(begun));
  expect(begun.at(-1)).toBe(200);
});

test('a newer token waits for a handler with an older one, even if the client of that has gone', async () => {
  const shop = await Shop.open();
  const go = shop.hold(5);
  const gone = new AbortController();
  const older = shop.post(5, {}, gone.signal).catch(() => 'gone');
  await shop.begun('5');
  const newer = shop.post(6);
  await shop.refused(5);
  gone.abort();
  expect(await older).toBe('gone');
  expect((await shop.post(4)).status).toBe(409);
  expect(shop.log).toEqual(['+5']);
  go();
  expect((await newer).status).toBe(200);
  expect(shop.log).toEqual(['+5', '-5', '+6', '-6']);
});

test('a handler that throws lets the next one in', async () => {
  const shop = await Shop.open();
  expect((await shop.post(13)).status).toBe(500);
  expect((await shop.post(14)).status).toBe(200);
});

test('the holder of one token may send several requests at once', async () => {
  const shop = await Shop.open();
  const go = shop.hold(5);
  const both = [shop.post(5), shop.post(5)];
  await until('both are inside', () => shop.log.join() === '+5,+5');
  go();
  expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
});

test('a wait that takes too long is 503, and its handler does not run', async () => {
  const shop = await Shop.open({ patienceMs: 50 });
  const go = shop.hold(5);
  const older = shop.post(5);
  await shop.begun('5');
  expect(await shop.post(6)).toMatchObject({ status: 503, body: { code: 'still_running' } });
  go();
  await older;
  expect(shop.log).toEqual(['+5', '-5']);
  expect((await shop.post(5)).status).toBe(409);
});

test('an old request whose mark answers late does not run after a newer one', async () => {
  const inner = memoryMarks();
  let go!: () => void;
  const late = new Promise<void>((resolve) => (go = resolve));
  let raised = false;
  const marks: Marks = {
    async raise(fence) {
      await inner.raise(fence);
      if (fence.fencingToken !== 5 || raised) return;
      raised = true;
      await late;
    },
  };
  const shop = await Shop.open({ marks });
  const older = shop.post(5);
  await until('its mark is set', () => raised);
  expect((await shop.post(6)).status).toBe(200);
  go();
  expect((await older).status).toBe(409);
  expect(shop.log).toEqual(['+6', '-6']);
});

test('marks on disk outlive the server', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-guard-'));
  dirs.push(dir);
  const path = join(dir, 'orders');
  const before = await Shop.open({ marks: new FileGuard(path) });
  expect((await before.post(7)).status).toBe(200);
  const after = await Shop.open({ marks: new FileGuard(path) });
  expect((await after.post(6)).status).toBe(409);
  expect((await after.post(8)).status).toBe(200);
  expect((await before.post(7)).status).toBe(409);
});
