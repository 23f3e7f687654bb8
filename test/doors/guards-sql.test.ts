/** The guards in deploy/guards/sql, on a real PostgreSQL. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StaleTokenError } from '../../deploy/guards/fence.ts';
import { fenced, postgresMarks } from '../../deploy/guards/sql/guard.ts';
import { checkMarks, fence, inOrder, shuffled, taken } from './guards.ts';
import { missing, Postgres } from './guards-servers.ts';
import { until } from './up.ts';

const sql = (name: string) =>
  readFileSync(new URL(`../../deploy/guards/sql/${name}`, import.meta.url), 'utf8');

describe.skipIf(missing.postgres)('guards in SQL (skipped without PostgreSQL)', () => {
  let server: Postgres;
  let db: pg.Client;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await Postgres.start();
    db = await server.connect();
    pool = server.pool();
    await db.query(sql('row.sql'));
    await db.query(sql('guard.sql'));
    await db.query('create table journal (seq bigserial, scope text, token bigint)');
  });
  afterAll(async () => {
    await db?.end();
    // Not awaited: after a test that failed a connection may be in use, and only ends with the server.
    void pool?.end();
    await server?.stop();
  });

  /** The tokens that wrote, in the order of their commits: who writes holds the lock of the row or of the guard. */
  async function journal(scope: string): Promise<number[]> {
    const { rows } = await db.query('select token from journal where scope = $1 order by seq', [scope]);
    return rows.map(({ token }) => Number(token));
  }

  const note = (tx: pg.ClientBase, scope: string, token: number) =>
    tx.query('insert into journal (scope, token) values ($1, $2)', [scope, token]);

  const rows = async (client: pg.Client, statement: string) => (await client.query(statement)).rowCount;

  const waiting = () =>
    until('somebody waits for a lock', async () => {
      const { rowCount } = await db.query("select 1 from pg_stat_activity where wait_event_type = 'Lock'");
      return rowCount !== 0;
    });

  describe('a row that guards itself', () => {
    test('takes the first token, newer ones and the same one again, and refuses a stale one', async () => {
      expect(await rows(db, "execute write_account('ann', 100, 5)")).toBe(1);
      expect(await rows(db, "execute write_account('ann', 170, 7)")).toBe(1);
      expect(await rows(db, "execute write_account('ann', 160, 6)")).toBe(0);
      expect(await rows(db, "execute write_account('ann', 175, 7)")).toBe(1);
      expect(await rows(db, "execute take_account('ann', 6)")).toBe(0);
      expect((await db.query("execute take_account('ann', 8)")).rows).toEqual([{ balance: '175' }]);
      // Nothing was written under 8 yet, but it has read.
      expect(await rows(db, "execute write_account('ann', 171, 7)")).toBe(0);
      expect((await db.query("select * from accounts where id = 'ann'")).rows).toEqual([
        { id: 'ann', balance: '175', fencing_token: '8' },
      ]);
    });

    test('concurrent writers: the order of the writes is the order of the tokens', async () => {
      await db.query(`
        create function note_write() returns trigger language plpgsql as $$
        begin
          insert into journal (scope, token) values (new.id, new.fencing_token);
          return new;
        end $$;
        create trigger noted after insert or update on accounts for each row execute function note_write();
      `);
      const clients = await Promise.all(Array.from({ length: 8 }, () => server.connect()));
      for (const client of clients) await client.query(sql('row.sql'));
      const tokens = shuffled(120);
      const wrote = await Promise.all(
        clients.map(async (client, i) => {
          const mine: number[] = [];
          for (const token of tokens.filter((_, at) => at % clients.length === i)) {
            const count = await rows(client, `execute write_account('busy', ${token}, ${token})`);
            if (count === 1) mine.push(token);
          }
          return mine;
        }),
      );
      for (const client of clients) await client.end();
      const order = await journal('busy');
      expect(order).toEqual(inOrder(wrote.flat()));
      expect(order.at(-1)).toBe(120);
      expect(order.length).toBeLessThan(120);
    });
  });

  describe('a table of guards', () => {
    test('keeps the rule of all marks', () => checkMarks(postgresMarks(pool), 'marks'));

    test('first use, by many at once: the order of the commits is the order of the tokens', async () => {
      for (const scope of ['first/1', 'first/2', 'first/3']) {
        const wrote = await taken(shuffled(30), (token) =>
          fenced(pool, fence(token, scope), async (tx) => {
            await note(tx, scope, token);
          }),
        );
        expect(await journal(scope)).toEqual(inOrder(wrote));
        expect(wrote).toContain(30);
      }
    });

    /** A transaction behind the fence that stays open until it is told to go on. */
    function open(scope: string, token: number, slot = 0) {
      let go!: (error?: Error) => void;
      const told = new Promise<void>((resolve, reject) => {
        go = (error) => (error === undefined ? resolve() : reject(error));
      });
      let inside!: () => void;
      const entered = new Promise<void>((resolve) => {
        inside = resolve;
      });
      const done = fenced(pool, fence(token, scope, slot), async (tx) => {
        inside();
        await told;
        await note(tx, scope, token);
      });
      done.catch(() => undefined);
      return { go, entered, done };
    }

    test('a newer holder waits for the commit of an older one', async () => {
      const older = open('newer waits', 5);
      await older.entered;
      const newer = open('newer waits', 6);
      newer.go();
      await waiting();
      older.go();
      await Promise.all([older.done, newer.done]);
      expect(await journal('newer waits')).toEqual([5, 6]);
    });

    test('an older holder that waits for the commit of a newer one is refused after it', async () => {
      const newer = open('older waits', 6);
      await newer.entered;
      const older = open('older waits', 5);
      older.go();
      await waiting();
      newer.go();
      await newer.done;
      await expect(older.done).rejects.toThrow(StaleTokenError);
      expect(await journal('older waits')).toEqual([6]);
    });

    test('what a transaction throws rolls back its mark as well, and reaches the caller', async () => {
      const newer = open('rolled back', 6);
      await newer.entered;
      const older = open('rolled back', 5);
      older.go();
      await waiting();
      newer.go(new Error('no paper left'));
      await expect(newer.done).rejects.toThrow('no paper left');
      await older.done;
      expect(await journal('rolled back')).toEqual([5]);
    });

    test('permits of a semaphore neither wait for nor refuse each other', async () => {
      const one = open('permits', 9, 1);
      await one.entered;
      await fenced(pool, fence(8, 'permits', 0), (tx) => note(tx, 'permits', 8));
      one.go();
      await one.done;
      expect(await journal('permits')).toEqual([8, 9]);
      await expect(fenced(pool, fence(8, 'permits', 1), async () => undefined)).rejects.toThrow(
        StaleTokenError,
      );
    });

    test('a connection that breaks in the transaction is thrown away, and nothing was written', async () => {
      const broken = fenced(pool, fence(3, 'broken'), async (tx) => {
        await note(tx, 'broken', 3);
        const { rows: found } = await tx.query('select pg_backend_pid() as pid');
        await db.query('select pg_terminate_backend($1)', [found[0].pid]);
        await tx.query('select 1');
      });
      await expect(broken).rejects.toThrow();
      expect(await journal('broken')).toEqual([]);
      await fenced(pool, fence(2, 'broken'), (tx) => note(tx, 'broken', 2));
      expect(await journal('broken')).toEqual([2]);
    });
  });
});
