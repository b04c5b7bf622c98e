"""The test harness: one installation of the service on a database of its own, and the parts that a test adds to it.

Start with `install(database_url)` of `installation`: NexusLeads' tables with an organization, a project and leads, settings,
and plain functions to configure a webhook, push leads, drain the job, and read its deliveries. Most tests need nothing else.
Each of the following parts has the attribute `installation`:

- `api`: the HTTP application in this process. `run_api`: as in production; `run_local_api`: it may send to a receiver on
  this machine; `run_api_with_leads`: the same with a project of leads and a saved webhook
- `attached`: mirror and inbox beside the installation, with manual passes, and NexusLeads' own job processor
- `service`: API in this process, worker and sandbox as processes
- `fault_run`: workers under a supervisor that reach PostgreSQL through a proxy, and the check that no lead is lost

What these are built from:

- `databases`, `runtime`, `roles`, `special_roles`: servers and fresh databases, the role of the code under test, other roles
- `nexusleads`: NexusLeads' tables, filled row by row or in bulk; `matrix`: which table names and billing a test gets
- `settings`: the secrets and settings of tests, the environment of a process, access tokens
- `shell`, `warm_shell`, `served`, `supervisor`: commands, `serve` and workers as processes
- `routes`: every route of the API as a call

`tests.support` has the tools that are no part of an installation: receiver, sandbox process, proxy and others.
"""
