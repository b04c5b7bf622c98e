"""What the host wanted to push, read from an entry of our inbox; its JSON may hold anything, so nothing in it is trusted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from clay_push_service.push_jobs.schemas import MAX_LEADS


@dataclass(frozen=True, slots=True)
class HostPush:
    """One job that the host queued. `lead_ids` are a hint only where the mode is `auto`: the rule decides."""

    entry_id: int
    host_job_id: UUID
    project_id: UUID | None
    org_id: UUID | None
    created_by: UUID | None
    push_mode: str | None
    lead_ids: Sequence[UUID]
    attempts: int

    @property
    def refused(self) -> str | None:
        """Why these leads cannot be pushed as they are named."""
        if not self.lead_ids:
            return "This job names no leads."
        if len(self.lead_ids) > MAX_LEADS:
            return f"One push takes up to {MAX_LEADS:,} leads: push them in parts."
        return None


def host_push(row: Row[Any]) -> HostPush:
    found = json.loads(row.metadata)
    metadata = found if isinstance(found, dict) else {}
    listed = metadata.get("lead_ids")
    ids = [_id(each) for each in listed] if isinstance(listed, list) else []
    return HostPush(
        row.id,
        row.host_job_id,
        row.project_id or _id(metadata.get("project_id")),
        _id(metadata.get("org_id")),
        row.created_by,
        row.push_mode,
        list(dict.fromkeys(each for each in ids if each is not None)),
        row.attempts,
    )


def _id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
