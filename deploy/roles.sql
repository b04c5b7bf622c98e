-- The role of least rights that web and worker run as. Run it once, as a superuser or a role with CREATEROLE, with psql:
--   SERVICE_ROLE_PASSWORD=… psql --set ON_ERROR_STOP=1 --file deploy/roles.sql nexusleads
-- Afterwards `clay-push migrate` grants it the use of schema `clay`, and `clay-push attach` the columns of NexusLeads' tables.
-- Running it again sets the password anew and changes nothing else.
\set ON_ERROR_STOP on
\getenv password SERVICE_ROLE_PASSWORD
SELECT 'CREATE ROLE clay_push' WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'clay_push') \gexec
ALTER ROLE clay_push WITH LOGIN NOCREATEDB NOCREATEROLE PASSWORD :'password';
SELECT format('GRANT CONNECT ON DATABASE %I TO clay_push', current_database()) \gexec
GRANT USAGE ON SCHEMA public TO clay_push;
