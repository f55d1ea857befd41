-- Two roles: the owner runs migrations, the application works without the right to change the
-- schema, so that it can neither drop a trigger that guards the audit trail nor the trail itself.
-- Once, as a superuser, in the still empty database:
--   psql -d evenkeel -v owner_password=... -v app_password=... -f deploy/roles.sql
-- Then migrate, back up and restore with the owner's DATABASE_URL; run deploy/rights.sql as the
-- owner after the first migration and after a restore; serve with the application's.
\set ON_ERROR_STOP on
begin;
create role evenkeel_owner login password :'owner_password';
create role evenkeel_app login password :'app_password';
revoke all on schema public from public;
alter schema public owner to evenkeel_owner;
-- A restore makes the schema anew.
select format('grant create on database %I to evenkeel_owner', current_database()) \gexec
commit;
