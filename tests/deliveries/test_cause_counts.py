"""The counts of a push job by cause: their order, and how incomplete ones are recognized."""

import pytest

from clay_push_service.clay.cause import Cause
from clay_push_service.deliveries.cause_counts import CauseCount, EndedAs, read_complete
from clay_push_service.states import DeliveryStatus
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import status

FAILED, SKIPPED = DeliveryStatus.FAILED, DeliveryStatus.SKIPPED


def test_causes_of_failed_leads_come_first_and_zeros_are_left_out() -> None:
    stored = (
        '{"skipped already_in_clay sure": 9, "failed unknown unsure": 2, "failed rejected sure": 1, "failed rejected unsure": 2,'
        ' "skipped cancelled sure": 0}'
    )
    assert read_complete(stored, 5, 9) == [
        CauseCount(Cause.REJECTED, 3, 2),
        CauseCount(Cause.UNKNOWN, 2, 2),
        CauseCount(Cause.ALREADY_IN_CLAY, 9, 0),
    ]


@pytest.mark.parametrize(
    ("stored", "failed", "skipped", "is_complete"),
    [
        (None, 0, 0, True),
        (None, 1, 0, False),  # a job of an earlier release
        ('{"failed rejected sure": 1}', 2, 0, False),  # an earlier release ended one of them
        ('{"failed rejected sure": 1}', 0, 1, False),
        ('{"failed rejected sure": 1}', 1, 0, True),
    ],
)
def test_counts_are_complete_if_their_sums_are_the_counters(
    stored: str | None, failed: int, skipped: int, *, is_complete: bool
) -> None:
    assert (read_complete(stored, failed, skipped) is not None) is is_complete


def test_a_key_is_read_as_it_is_written() -> None:
    for ended in (EndedAs(FAILED, Cause.UNKNOWN, is_unsure=True), EndedAs(SKIPPED, Cause.ERASED)):
        assert EndedAs.of(ended.key) == ended


async def test_a_job_of_an_earlier_release_is_counted_by_its_deliveries(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=4) as api:
        api.receiver.answer = lambda number, _: status(422 if number < 3 else 200)
        job = await api.push_and_drain()
        counted = await causes(api, job["id"])
        assert counted == [("rejected", 3)]
        await api.installation.fetch("UPDATE clay.push_jobs SET cause_counts = NULL")
        assert await causes(api, job["id"]) == counted


async def causes(api: Api, job_id: str) -> list[tuple[str, int]]:
    return [(each["cause"], each["count"]) for each in (await api.job(job_id))["causes"]]
