"""Shared test support. It contains no assertions about the service.

Start with `world.world(database_url)`: NexusLeads' tables with leads, a destination, and functions to accept and drain.
Most tests need nothing else. The other modules, from small to large:

- `databases`, `runtime`, `roles`, `matrix`: fresh databases, the role of the code under test, NexusLeads' vintage and billing
- `nexusleads`, `host_models`: NexusLeads' tables, filled row by row, and facts about its models
- `receiver`: an in-process webhook receiver; `sandbox`: the sandbox as a process
- `app`, `routes`: the API in memory, and every route of it
- `pushing`: the API with a project and a webhook; `vintages`: the same for each vintage
- `attached`: a world that is attached to NexusLeads, with mirror and inbox
- `shell`, `warm_shell`, `serving`, `supervisor`: `clay-push` commands, `serve` and workers as processes
- `stage`: API, worker and sandbox as processes, with the sample leads
- `proxy`, `standby`, `name_server`, `dials`: network faults, a standby, DNS, and recorded connections
- `odd_names`, `odd_roles`: names with special characters; `canary`, `canary_story`, `dump`: searches for leaked secrets
"""
