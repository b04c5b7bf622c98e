"""Tools for tests that do not belong to an installation (`tests.harness` has those). They assert nothing about the service.

- `receiver`: a webhook receiver in this process; `sandbox`: the sandbox as a process
- `proxy`, `standby`, `name_server`, `connections`: network faults, a hot standby, a DNS server, recorded connections
- `programs`, `schema`: programs and ports for tests of deploy/, a dump of the schema
- `destination_rows`: destinations and versions without the API
- `host_models`: facts about NexusLeads' models; `special_names`: names and passwords with special characters
- `canary`, `canary_story`, `dump`: searches for leaked secrets; `trip`: counts the files that a push enters
"""
