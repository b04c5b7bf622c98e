"""What the API's description says before its first path: who calls, what a push is, every problem code; what each tag is, and examples."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from clay_push_service.ops.models import EXAMPLE_STATUS
from clay_push_service.problem_codes import PROBLEM_CODES
from clay_push_service.push_jobs import openapi_examples as examples

_ROWS: Final = "\n".join(
    f"| `{code}` | {said.status} | {said.meaning} | {said.remedy} |" for code, said in PROBLEM_CODES.items()
)
DESCRIPTION: Final = f"""\
## Who is calling
`Authorization: Bearer` with NexusLeads' access token, or with a service key. `X-Org-Id` names the organization; without it
it is the caller's only one. Any member may read and push; changing settings and testing needs an owner or admin.

## A push
`POST /api/clay/push` or `push-filtered` answers 202 with a push job. Follow it with `GET /api/clay/jobs/{{id}}` or live with
`/events`; `/leads` says what became of each lead. With an `Idempotency-Key` the same request within 24 hours gets the first
answer; with `dry_run=true` nothing is queued.

A lead that Clay has is skipped, and one that it may have (`unknown`: it was sent and no answer came) is never sent again
unasked: Clay bills every row and knows no duplicates.

## Lists
`next_cursor` goes back as `cursor`; null is the end. An empty `cursor`, `status` or `cause` is as if it were not there.

## Parameters
A query parameter that a route does not declare is 422 and names the near match, and so is a single one that is given twice. Only
`/healthz`, `/readyz`, `/metrics` and the routes of NexusLeads' frontend ignore what they do not know.

## Errors
Every refusal is `application/problem+json` (RFC 9457). `code` is stable and for programs, `detail` is one sentence for a
person.

| `code` | status | what it means | what to do |
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
"""Of answers, by schema. Put in at the end: FastAPI takes every null out of an example that a model brings."""
TAGS: Final = [
    {"name": "push", "description": "Pushing leads, what a push would do, and what Clay has of whom."},
    {"name": "jobs", "description": "Push jobs: how far they are, what became of each lead, retry and cancel."},
    {"name": "settings", "description": "Where an organization's leads go, and a test of it."},
    {"name": "auto-export", "description": "A project's rule, and its run after a scan."},
    {"name": "privacy", "description": "Erasing people, and the audit log."},
    {"name": "operation", "description": "For load balancers, Prometheus and whoever is on call."},
    {"name": "NexusLeads' frontend", "description": "What NexusLeads' own pages call, in its shapes; new clients use the rest."},
]  # fmt: skip
