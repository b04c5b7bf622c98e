"""The test harness: one installation of the service on its own database, and parts that a test can add.

Start with `install(database_url)` in `installation`. It provides NexusLeads' tables with an organization, a project and leads,
the settings, and functions that configure a webhook, push leads, drain the job and read its deliveries. Most tests need
nothing else. Each of the following parts has the attribute `installation`:

- `api`: the HTTP application in this process. `run_api` uses production settings; `run_local_api` allows webhooks on this
  machine; `run_api_with_leads` adds a project with leads and a saved webhook
- `attached`: mirror and inbox, run pass by pass, and NexusLeads' own job processor
- `service`: the API in this process; the worker and the sandbox as processes
- `fault_run`: supervised workers that reach PostgreSQL through a proxy, and the check that no lead is lost

The parts use these modules:

- `databases`, `runtime`, `roles`, `special_roles`: servers and empty databases, the role of the code under test, other roles
- `nexusleads`: NexusLeads' tables, filled row by row or in bulk; `matrix`: chooses the table names and billing of a test
- `settings`: settings and secrets for tests, the environment of a process, access tokens
- `shell`, `warm_shell`, `served`, `supervisor`: run commands, `serve` and workers as processes
- `routes`: one call for each route of the API

`tests.support` has the tools that do not belong to an installation: receiver, sandbox process, proxy and others.
"""
