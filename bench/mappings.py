"""Compares the processor time of payloads built by a mapping with that of the fixed payload, in interleaved rounds."""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.mapping.catalogue import FIELDS
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.compile import compile_columns
from clay_push_service.leads.payload import Payload, build

LEADS = 50_000
ROUND = 1_000
"""Leads between two changes of the builder: a change of the machine's speed affects all of them."""
FIELDS_MAPPED = 39
THEN = datetime(2026, 2, 11, tzinfo=UTC)
LIMIT = 1.15

Build = Callable[[LeadRow, UUID, datetime], Payload]


@dataclass(frozen=True, slots=True)
class MappingCost:
    what: str
    microseconds: float
    """Of processor time, a lead."""
    ratio: float
    """Median of the rounds' ratios to the fixed payload."""


def run() -> list[MappingCost]:
    """Build the same 50,000 leads with each builder."""
    builders = _builders()
    rows = [_row(number) for number in range(LEADS)]
    ids = [uuid4() for _ in range(ROUND)]
    spent: dict[str, list[float]] = {what: [] for what in builders}
    for start in range(0, LEADS, ROUND):
        batch = rows[start : start + ROUND]
        # Each round begins with another builder, because the first one warms the caches.
        names = list(builders)
        first = start // ROUND % len(names)
        for what in (*names[first:], *names[:first]):
            spent[what].append(_seconds(builders[what], batch, ids))
    fixed = spent["fixed payload"]
    return [
        MappingCost(
            what,
            1e6 * sum(seconds) / LEADS,
            statistics.median(each / base for each, base in zip(seconds, fixed, strict=True)),
        )
        for what, seconds in spent.items()
    ]


def table(made: list[MappingCost]) -> str:
    lines = [f"{each.what:44} {each.microseconds:8.2f} µs {each.ratio:8.3f}" for each in made]
    return "\n".join([f"{'':44} {'a lead':>11} {'ratio':>8}", *lines])


def _builders() -> dict[str, Build]:
    names = [name for name, field in FIELDS.items() if field.attribute and field.counts][:FIELDS_MAPPED]
    plain = [Column(name, field=name, type=FIELDS[name].type) for name in names]
    template = Column(
        "greeting", template="Hi {full_name:first_word|github_username}, you work at {current_company|company}"
    )
    uncounted = Column("repository", field="repository")
    return {
        "fixed payload": build,
        "39 mapped fields": compile_columns(plain).build,
        "39 mapped fields and one template": compile_columns([*plain, template]).build,
        "the same and a field that does not count": compile_columns([*plain, template, uncounted]).build,
    }


def _seconds(builder: Build, rows: list[LeadRow], ids: list[UUID]) -> float:
    started = time.process_time()
    for row, delivery_id in zip(rows, ids, strict=True):
        builder(row, delivery_id, THEN)
    return time.process_time() - started


def _row(number: int) -> LeadRow:
    return LeadRow(
        uuid4(), UUID(int=2), "Acme Platform Leads", UUID(int=3), "acme/platform", f"user{number}", f"John Doe {number}",
        f"john{number}@example.com", f"https://github.com/user{number}", f"https://avatars.githubusercontent.com/u/{number}",
        "Acme Corp", "San Francisco, CA", "Senior Engineer at Acme", 45, number % 1000, 120,
        f"https://linkedin.com/in/user{number}", "Senior Software Engineer at Acme Corp", "Acme Corp",
        "Senior Software Engineer", "Senior", "Technology", 8, ["Python", "Kubernetes", "Go"], "DECISION_MAKER", 0.87,
        "Senior engineer with 8 years experience and many commits.", 82.5, 75.0, 88.0, 90.0, number % 100 / 1.0, "high", True,
        1, 342, 45, 98, 210, 67, 23, 18, Decimal(89), True, False, date(2024, 3, 15), date(2026, 2, 10),
    )  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(table(run()) + "\n")
