-- A table of guards: one row per scope holds the highest fencing token that was seen. For everything that is not one
-- row of its own (several tables, deletions, a migration). Run this file once; PostgreSQL 9.5 or later.

create table if not exists fencing_guards (
  scope         text    not null,
  slot          integer not null default 0, -- permits of a semaphore overlap: their tokens are compared per slot
  fencing_token bigint  not null check (fencing_token >= 0),
  primary key (scope, slot)
);

-- The first statement of each transaction that reads or writes what the lock guards:
--
--   begin;
--   select fence('billing', 42);
--   update invoices set ...;
--   commit;
--
-- It ends the transaction if a newer token was seen. Otherwise others who name this scope wait for the commit, so
-- nobody newer comes between the check and the writes. It has to come before the first read, or what was read may be
-- overwritten by a stale holder who came before the fence.
create or replace function fence(lock_scope text, lock_token bigint, lock_slot integer default 0)
returns void language plpgsql as $$
begin
  insert into fencing_guards as guard (scope, slot, fencing_token)
  values (lock_scope, lock_slot, lock_token)
  on conflict (scope, slot) do update set fencing_token = excluded.fencing_token
  where guard.fencing_token <= excluded.fencing_token;
  if not found then
    raise exception 'stale fencing token % for scope %', lock_token, lock_scope
      using errcode = 'QF001', hint = 'The lock was granted to somebody else since. Stop the work.';
  end if;
end $$;
