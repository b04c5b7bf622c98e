"""A write that is repeated because the response to its COMMIT was lost changes nothing."""

import asyncio

import orjson
from sqlalchemy import make_url

from tests.harness.installation import install_with_drainer
from tests.support.proxy import Cut, proxying
from tests.support.receiver import OK, Behaviour, Receiver, status

RECORD = b"status = kind.status"
"""Text that only the statement that writes results contains."""
RATE_LIMIT_MS = 1000
"""A paced slice claims the leads of one second: here one lead. So it claims again while the result writer waits."""


async def test_a_repeated_result_does_not_match_the_next_claim_of_its_lead(database_url: str) -> None:
    """The first lead gets a 5xx and is due again. Its result is committed, but the response to COMMIT is lost.

    The same slice claims and sends the lead again. Then the connection is reset, and the first result is written a second time.
    """
    lead_ids: list[str] = []
    sent_again = asyncio.Event()

    def refuses_the_first(number: int, body: bytes) -> Behaviour:
        lead_ids.append(orjson.loads(body)["_meta"]["nexusleads_contributor_id"])
        if lead_ids.count(lead_ids[0]) == 2:
            sent_again.set()
        return status(503) if number == 0 else OK

    url = make_url(database_url)
    async with proxying(url.port or 5432) as proxy:
        through_proxy = url.set(port=proxy.port).render_as_string(hide_password=False)
        clay = Receiver(answer=refuses_the_first)
        async with install_with_drainer(
            through_proxy, clay, leads=3, rate_limit_ms=RATE_LIMIT_MS, lease_seconds=60.0
        ) as (
            w,
            drainer,
            _,
        ):
            accepted = await w.push()
            proxy.cuts.append(lost := Cut(b"COMMIT", delivered=True, after=RECORD, until=sent_again))
            await w.drain_all(drainer, 60.0)
            assert lost.done == 1, "the response to the result writer's COMMIT was lost"
            job = await w.job(accepted.job_id)
            assert (job.success_count, job.failed_count) == (3, 0)
            assert clay.leads == {lead_ids[0]: 2, **dict.fromkeys(set(lead_ids) - {lead_ids[0]}, 1)}
            attempts = {str(row.contributor_id): row.attempts for row in await w.deliveries(accepted.job_id)}
            assert attempts == clay.leads
