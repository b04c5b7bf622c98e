"""Counts in the sandbox how often each lead arrived, to verify a push at the receiving side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict
from uuid import UUID

import httpx

from clay_push_service.sandbox import DEFAULT_SOURCE

PAGE = 1_000
NEWEST = 10**17


class _Row(TypedDict):
    lead_id: str | None


class _Page(TypedDict):
    rows: list[_Row]
    next_cursor: int | None


@dataclass(frozen=True, slots=True)
class ArrivalCounts:
    once: int
    missing: Sequence[UUID]
    repeated: int
    """Leads with more than one row."""

    def is_complete_since(self, before: "ArrivalCounts") -> bool:
        """True if no lead is missing and no new duplicate arrived. Earlier duplicates were requested with push_again."""
        return not self.missing and self.repeated <= before.repeated


async def count_arrivals(sandbox_url: str, lead_ids: Sequence[UUID], source: str = DEFAULT_SOURCE) -> ArrivalCounts:
    seen: Counter[str | None] = Counter()
    async with httpx.AsyncClient(base_url=sandbox_url, trust_env=False) as client:
        cursor: int | None = NEWEST
        while cursor is not None:
            path = f"/sandbox/sources/{source}/rows"
            answer = await client.get(path, params={"limit": PAGE, "cursor": cursor})
            page: _Page = answer.raise_for_status().json()
            seen.update(row["lead_id"] for row in page["rows"])
            cursor = page["next_cursor"]
    counts = [seen[str(lead_id)] for lead_id in lead_ids]
    return ArrivalCounts(
        once=sum(count == 1 for count in counts),
        missing=[lead_id for lead_id, count in zip(lead_ids, counts, strict=True) if count == 0],
        repeated=sum(count > 1 for count in counts),
    )
