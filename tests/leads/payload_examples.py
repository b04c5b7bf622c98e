"""A lead with its delivery, and functions that build and read a payload."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload import Payload, build

DELIVERY = UUID("00000000-0000-4000-8000-0000000000dd")


LEAD, PROJECT, SOURCE = (UUID(int=number) for number in (1, 2, 3))


THEN = datetime(2026, 2, 11, tzinfo=UTC)


JOHN = LeadRow(
    LEAD, PROJECT, "Acme Platform Leads", SOURCE, "acme/platform", "johndoe", "John Doe", "john@example.com",
    "https://github.com/johndoe", "https://avatars.githubusercontent.com/u/1", "Acme Corp", "San Francisco, CA",
    "Senior Engineer at Acme", 45, 230, 120, "https://linkedin.com/in/johndoe", "Senior Software Engineer at Acme Corp",
    "Acme Corp", "Senior Software Engineer", "Senior", "Technology", 8, ["Python", "Kubernetes", "Go"], "DECISION_MAKER",
    Decimal("0.87"), "Senior engineer with 8 years experience...", Decimal("82.5"), Decimal("75.0"), Decimal("88.0"),
    Decimal("90.0"), Decimal("70.0"), "high", True,
    1, 342, 45, 98, 210, 67, 23, 18, Decimal(89), True, False, date(2024, 3, 15), date(2026, 2, 10),
)  # fmt: skip


Json = dict[str, object]


def read(payload: Payload) -> Json:
    """Read the payload strictly: no NaN, valid UTF-8 only."""

    def refuse(word: str) -> object:
        raise AssertionError(word)

    found = json.loads(payload.body.decode("utf-8", "strict"), parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def built(row: LeadRow) -> Json:
    return read(build(row, DELIVERY, THEN))
