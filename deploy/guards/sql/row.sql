-- A row that guards itself: it carries the token of whoever wrote it last, and each write compares it in the very
-- statement that writes. No transaction is needed. Put the column into a table of yours with:
--
--   alter table accounts add column fencing_token bigint not null default 0;

create table if not exists accounts (
  id            text   primary key,
  balance       bigint not null,
  fencing_token bigint not null default 0
);

-- Writes, whether the row is there or not. INSERT 0 1: written. INSERT 0 0: the token is stale, stop the work.
prepare write_account (text, bigint, bigint) as
  insert into accounts as old (id, balance, fencing_token) values ($1, $2, $3)
  on conflict (id) do update set balance = excluded.balance, fencing_token = excluded.fencing_token
  where old.fencing_token <= excluded.fencing_token;

-- Reads what is to be changed, and shuts out older holders from then on: a plain select would not, and what it
-- returned could be overwritten before you write. No row: the token is stale, or there is no such account.
prepare take_account (text, bigint) as
  update accounts set fencing_token = $2 where id = $1 and fencing_token <= $2
  returning balance;

-- To delete a row is to forget its token: mark it as deleted instead, or use the table of guards (guard.sql).
