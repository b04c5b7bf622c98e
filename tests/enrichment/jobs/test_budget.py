"""Daily budgets: an item reserves its upper estimate before it starts, so a budget is never exceeded."""

from decimal import Decimal
from pathlib import Path

import pytest

from clay_push_service.enrichment.ledger.budget import Budget, Reservation
from tests.enrichment.jobs.enriching import ROUTINES, enriching


def budget(**amounts: object) -> dict[str, object]:
    return {"credits_per_day": None, "actions_per_day": None, "time_zone": "Europe/Berlin"} | amounts


@pytest.mark.parametrize(
    ("credits_left", "actions_left", "wanted", "fits"),
    [(None, None, 50, 50), ("20", None, 50, 2), ("19.99", None, 50, 1), ("9", None, 50, 0), ("-3", None, 5, 0),
     ("100", "3", 50, 3), ("20", "50", 1, 1), (None, "0.5", 9, 0)],
)  # fmt: skip
def test_number_of_items_that_fit_the_budget(
    credits_left: str | None, actions_left: str | None, wanted: int, fits: int
) -> None:
    credits_, actions = (None if each is None else Decimal(each) for each in (credits_left, actions_left))
    left = Budget(credits_, actions)
    assert left.fits(Reservation(Decimal(10), Decimal(1)), wanted) == fits


async def test_a_batch_of_18_to_40_credits_stops_before_a_budget_of_20(database_url: str, tmp_path: Path) -> None:
    priced = {**ROUTINES["full"], "credits": {"low": 4.5, "high": 10}}
    settings = {"routines": {"full": priced}, "budget": budget(credits_per_day=20)}
    async with enriching(database_url, tmp_path, leads=4, settings=settings) as app:
        accepted = await app.enrich(kind="full")
        assert accepted["estimate"]["credits"] == {"low": 18, "high": 40}
        assert "covers at least 2 of them" in accepted["message"]
        await app.work()
        outcomes = await app.outcomes(accepted["job_id"])
        assert outcomes == {("found", None): 2, ("failed", "budget_exhausted"): 2}
        spent = (await app.job(accepted["job_id"]))["spent"]["credits"]
        assert spent <= 20
        refused = await app.enrich(kind="full", status=409, again=True)
        assert (refused["code"], refused["detail"]) == (
            "budget_exhausted", "The daily budget is used up: 0 of 20 credits are left, and one lead reserves 10.",
        )  # fmt: skip
        assert (await app.clay())["items"] == 2
        await app.check_totals()


async def test_reported_credits_free_a_part_of_the_budget(database_url: str, tmp_path: Path) -> None:
    priced = {
        **ROUTINES["full"],
        "credits": {"low": 4.5, "high": 10},
        "outputs": {**ROUTINES["full"]["outputs"], "credits": "Credits"},
    }
    settings = {"routines": {"full": priced}, "budget": budget(credits_per_day=20)}
    async with enriching(database_url, tmp_path, leads=4, settings=settings) as app:
        await app.plan(
            routines={"full": {"outputs": {"Work Email": "a@example.com", "Credits": "4.5"}}}, run_seconds=60
        )
        accepted = await app.enrich(kind="full")
        await app.start()
        wait = await app.start()
        assert wait is not None
        assert wait > 0, "results that are awaited can still lower what is reserved"
        await app.sandbox.admin.post("/sandbox/api/clock", json={"advance_seconds": 61})
        await app.plan(routines={"full": {"outputs": {"Work Email": "a@example.com", "Credits": "4.5"}}})
        await app.work()
        # 2 × 4.5 used, one more reserves 10: 19. Then 13.5 used, and another 10 would exceed 20.
        assert await app.outcomes(accepted["job_id"]) == {
            ("partial", None): 3, ("failed", "budget_exhausted"): 1,
        }  # fmt: skip
        assert (await app.job(accepted["job_id"]))["spent"]["credits"] == 13.5
        await app.check_totals()


async def test_only_what_started_today_counts(database_url: str, tmp_path: Path) -> None:
    settings = {"budget": budget(actions_per_day=2)}
    async with enriching(database_url, tmp_path, leads=3, settings=settings) as app:
        first = await app.enrich()
        await app.work()
        assert (await app.outcomes(first["job_id"]))[("failed", "budget_exhausted")] == 1
        await app.api.installation.fetch("UPDATE clay.enrichment_items SET started_at = started_at - interval '1 day'")
        again = await app.enrich(again=True)
        await app.work()
        assert (await app.outcomes(again["job_id"]))[("found", None)] == 2
