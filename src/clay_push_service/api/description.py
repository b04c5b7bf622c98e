"""Introduction of the OpenAPI document: authentication, pushes, problem codes, tags and examples."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from clay_push_service.ops.models import EXAMPLE_STATUS
from clay_push_service.problem_codes import PROBLEM_CODES
from clay_push_service.push_jobs import openapi_examples as examples

_ROWS: Final = "\n".join(
    f"| `{code}` | {problem.status} | {problem.meaning} | {problem.remedy} |" for code, problem in PROBLEM_CODES.items()
)
DESCRIPTION: Final = f"""\
## Authentication
Send `Authorization: Bearer` with a NexusLeads access token or a service key. `X-Org-Id` selects the organization; without it
the caller's only organization is used. Any member may read and push. Only an owner or admin may change or test settings.

## A push
`POST /api/clay/push` or `push-filtered` returns 202 with a push job. Follow it with `GET /api/clay/jobs/{{id}}` or live with
`/events`; `/leads` lists the outcome of each lead. With an `Idempotency-Key`, repeating the request within 24 hours returns the
first response. With `dry_run=true` nothing is queued.

Leads that are in Clay are skipped. A lead that may be in Clay (`unknown`: it was sent and no response arrived) is never sent
again without an explicit request: Clay bills every row and does not detect duplicates.

## Lists
Send `next_cursor` as `cursor` to get the next page; null marks the last page. An empty `cursor`, `status` or `cause` is ignored.

## Parameters
An undeclared query parameter returns 422 with the nearest known name; so does a single-valued parameter that is sent twice. Only
`/healthz`, `/readyz`, `/metrics` and the routes of NexusLeads' frontend ignore unknown parameters.

## Errors
Every error response is `application/problem+json` (RFC 9457). `code` is stable and for programs; `detail` is one sentence for
a person.

| `code` | status | meaning | remedy |
|---|---|---|---|
{_ROWS}
"""
EXAMPLES: Final[Mapping[str, Mapping[str, JsonValue]]] = {
    "CancelAnswer": examples.CANCELLED,
    "DeliveryView": examples.DELIVERY,
    "JobView": examples.JOB_VIEW,
    "LeadView": examples.LEAD_VIEW,
    "Preview": examples.PREVIEW,
    "PushAnswer": examples.PUSH_ANSWER,
    "Status": EXAMPLE_STATUS,
    "StatusView": examples.STATUS,
}
"""Examples of responses, by schema. Added at the end, because FastAPI removes nulls from the examples of a model."""
TAGS: Final = [
    {"name": "push", "description": "Push leads, preview a push, and list which leads are in Clay."},
    {"name": "jobs", "description": "Push jobs: progress, the outcome of each lead, retry and cancel."},
    {"name": "settings", "description": "The default destination of an organization's leads, and a test of it."},
    {"name": "destinations", "description": "The Clay tables of an organization, and the workspaces whose pace they share."},
    {"name": "auto-export", "description": "Auto-export rules of projects, and their runs after a scan."},
    {"name": "schedules", "description": "Pushes at set times: schedules, their previews and their runs."},
    {"name": "mappings", "description": "Which columns Clay tables receive, in versions, and templates of Clay tables."},
    {"name": "exclusions", "description": "Leads, e-mail domains, addresses and segments that are never sent to Clay."},
    {"name": "routes", "description": "Segments, which are saved filters, and routes, which choose the destination of a lead."},
    {
        "name": "enrichment",
        "description": "Settings of enrichment, their test, and estimates; values that Clay found for leads; results that come back.",
    },
    {"name": "privacy", "description": "Erase leads, and read the audit log."},
    {"name": "operation", "description": "For load balancers, Prometheus and on-call engineers."},
    {"name": "NexusLeads' frontend", "description": "Routes for the pages of NexusLeads, in its own formats; new clients use the other routes."},
]  # fmt: skip
