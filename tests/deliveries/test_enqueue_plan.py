"""The second check of a push computes the history of its leads once, not once for each delivery.

PostgreSQL has no statistics of rows that the same transaction inserted. It expects one row where there are 50,000.
"""

from collections.abc import Iterator
from typing import Any

from clay_push_service.deliveries.enqueue import SKIP_SENT_MEANWHILE
from tests.harness.installation import install


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


async def test_second_check_computes_the_history_once(database_url: str) -> None:
    async with install(database_url, leads=20) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        accepted = await w.push()
        [destination] = await w.fetch("SELECT id FROM clay.destinations")
        values: dict[str, object] = {
            "job_ids": [accepted.job_id], "destination_id": destination.id, "table_epoch": 1, "after_job": None,
            "resend_in_clay": False, "resend_maybe": False, "in_clay": "", "maybe_in_clay": "", "changed": [], "changed_since": [],
        }  # fmt: skip
        async with w.database.driver() as connection:
            explained = await connection.fetchval(
                "EXPLAIN (ANALYZE, FORMAT JSON) " + SKIP_SENT_MEANWHILE.sql,
                *(values[name] for name in SKIP_SENT_MEANWHILE.names),
            )
        [plan] = explained
        aggregates = [each for each in nodes(plan["Plan"]) if each["Node Type"] == "Aggregate"]
        assert [each["Actual Loops"] for each in aggregates] == [1]
