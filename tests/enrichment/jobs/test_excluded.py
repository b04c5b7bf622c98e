"""Exclusions come before every enrichment: when it is requested, and again when its run starts."""

import asyncio
from pathlib import Path
from uuid import UUID

from clay_push_service.enrichment.jobs.excluded import end_excluded
from clay_push_service.routing.exclusions import ExclusionKind, add_exclusion
from tests.enrichment.jobs.enriching import BASIS, JOBS, enriching


async def test_excluded_leads_are_not_requested_from_clay(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=3) as app:
        first, second, third = app.lead_ids

        async def exclude(lead_id: object) -> None:
            body = {"lead_id": str(lead_id), "reason": "asked us to stop"}
            await app.api.call("POST", "/api/clay/exclusions", body, status=201)

        await exclude(first)
        job = await app.enrich(again=True)
        assert (job["lead_count"], job["skipped_count"]) == (3, 1)
        await exclude(third)
        await app.work()
        outcomes = await app.outcomes(job["job_id"])
        assert outcomes == {("found", None): 1, ("skipped", "excluded"): 2}
        [run] = await app.clay_runs()
        assert len(run["items"]) == 1
        path = f"/api/clay/leads/{first}/enrich"
        by_hand = await app.api.call("POST", path, {"kind": "email", "basis": BASIS}, status=202)
        assert await app.outcomes(by_hand["job_id"]) == {("skipped", "excluded"): 1}
        assert await app.value(second) is not None


async def test_a_new_exclusion_ends_queued_items_at_once_and_no_others(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=4) as app:
        first, second, third, fourth = app.lead_ids
        job_id = (await app.enrich([first, second, third]))["job_id"]
        alone = (await app.enrich([fourth]))["job_id"]

        async def exclude(**target: str) -> int:
            answer = await app.api.call("POST", "/api/clay/exclusions", {"reason": "r", **target}, status=201)
            return int(answer["stopped_enrichment_count"])

        assert await exclude(lead_id=str(second)) == 1
        assert await app.outcomes(job_id) == {(None, None): 2, ("skipped", "excluded"): 1}
        assert await exclude(lead_id=str(fourth)) == 1
        assert (await app.job(alone))["status"] == "completed"
        assert await exclude(domain="example.com") == 0
        await app.start()
        assert await exclude(lead_id=str(first)) == 0, "Clay works on it already"
        await app.work()
        assert await app.outcomes(job_id) == {("found", None): 2, ("skipped", "excluded"): 1}
        await app.check_totals()


async def test_an_exclusion_that_is_added_while_leads_are_queued_comes_before_the_start(
    database_url: str, tmp_path: Path
) -> None:
    async with enriching(database_url, tmp_path, leads=2) as app:
        job_id = (await app.enrich())["job_id"]
        async with app.api.database.transaction() as connection:  # without the end of queued items
            tables = await app.api.installation.host_tables.tables(connection)
            await add_exclusion(
                connection, tables, app.api.org_id, "user:owner", app.lead_ids[1], ExclusionKind.EXCLUSION, "r"
            )
        await app.work()
        assert await app.outcomes(job_id) == {("found", None): 1, ("skipped", "excluded"): 1}
        [run] = await app.clay_runs()
        assert len(run["items"]) == 1


async def test_an_exclusion_of_another_organization_ends_nothing(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=1) as app:
        job_id = (await app.enrich())["job_id"]
        async with app.api.database.transaction() as connection:
            tables = await app.api.installation.host_tables.tables(connection)
            await add_exclusion(
                connection, tables, app.api.org_id, "user:owner", app.lead_ids[0], ExclusionKind.EXCLUSION, "r"
            )
            assert await end_excluded(connection, tables, app.api.other_org_id, [UUID(job_id)]) == 0
        assert (await app.job(job_id))["pending_count"] == 1


async def test_concurrent_exclusions_requests_and_runs_do_not_deadlock(database_url: str, tmp_path: Path) -> None:
    """Each transaction locks enrichment jobs before destinations and push jobs: PostgreSQL reports no deadlock."""
    async with enriching(database_url, tmp_path, leads=24) as app:
        excluded, requested = app.lead_ids[:12], app.lead_ids[12:]
        first = (await app.enrich(app.lead_ids[:18]))["job_id"]

        async def exclude(lead_id: UUID) -> None:
            await app.api.call("POST", "/api/clay/exclusions", {"lead_id": str(lead_id), "reason": "r"}, status=201)

        async def cancel() -> None:
            """The job may have ended already: the worker runs at the same time."""
            response = await app.api.send("POST", f"{JOBS}/{first}/cancel", "owner")
            assert response.status_code == 200 or response.json()["code"] == "job_ended", response.text

        await asyncio.gather(
            *(exclude(each) for each in excluded), app.work(), app.work(), cancel(),
            *(app.enrich([each], again=True) for each in requested[6:]),
        )  # fmt: skip
        await app.work()
        outcomes = await app.outcomes(first)
        assert sum(outcomes.values()) == 18
        assert all(outcome in {"found", "skipped", "cancelled"} for outcome, _ in outcomes)
        await app.check_totals()
