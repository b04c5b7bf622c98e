"""Parses a push that the host queued from an inbox entry. Its JSON is untrusted and may contain anything."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from clay_push_service.push_jobs.schemas import MAX_LEADS


@dataclass(frozen=True, slots=True)
class HostPush:
    """One job that the host queued. In mode `auto` the rule selects the leads and `lead_ids` are not used."""

    entry_id: int
    host_job_id: UUID
    project_id: UUID | None
    org_id: UUID | None
    created_by: UUID | None
    push_mode: str | None
    lead_ids: Sequence[UUID]
    attempts: int

    @property
    def refusal(self) -> str | None:
        """Why this push is refused; None: it is accepted."""
        if not self.lead_ids:
            return "This job contains no leads. Select leads and push them again."
        if len(self.lead_ids) > MAX_LEADS:
            return f"One push accepts up to {MAX_LEADS:,} leads. Push them in several parts."
        return None


class InboxRow(NamedTuple):
    """An entry of `clay.inbox`, as the host wrote it."""

    id: int
    host_job_id: UUID
    project_id: UUID | None
    created_by: UUID | None
    push_mode: str | None
    metadata: str
    attempts: int


def host_push(row: InboxRow) -> HostPush:
    parsed = json.loads(row.metadata)
    metadata = parsed if isinstance(parsed, dict) else {}
    listed = metadata.get("lead_ids")
    ids = [_parse_id(each) for each in listed] if isinstance(listed, list) else []
    return HostPush(
        row.id,
        row.host_job_id,
        row.project_id or _parse_id(metadata.get("project_id")),
        _parse_id(metadata.get("org_id")),
        row.created_by,
        row.push_mode,
        list(dict.fromkeys(each for each in ids if each is not None)),
        row.attempts,
    )


def _parse_id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
