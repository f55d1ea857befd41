-- What the application role may do; as evenkeel_owner, and harmless to repeat:
--   psql "$OWNER_DATABASE_URL" -f deploy/rights.sql
\set ON_ERROR_STOP on
begin;
grant usage on schema public to evenkeel_app;
grant select, insert, update, delete on all tables in schema public to evenkeel_app;
grant usage, select, update on all sequences in schema public to evenkeel_app;
grant execute on all functions in schema public to evenkeel_app;
-- For what later migrations will make.
alter default privileges in schema public grant select, insert, update, delete on tables to evenkeel_app;
alter default privileges in schema public grant usage, select, update on sequences to evenkeel_app;
alter default privileges in schema public grant execute on functions to evenkeel_app;
-- Entries and seals are added and read, nothing else. A trigger refuses the rest as well; without
-- the right there is nothing to refuse.
revoke update, delete on audit_entry, audit_seal from evenkeel_app;
commit;
