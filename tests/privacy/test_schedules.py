"""An erasure empties filters and names of schedules that may name the person, and pauses such a schedule: it would push more leads."""

from datetime import timedelta
from uuid import UUID

import pytest

from clay_push_service.leads.filters import LeadFilters
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.person_export import export_person
from clay_push_service.privacy.retention import empty_old_jobs
from tests.harness.installation import Installation, install
from tests.schedules.planned import plan, run_once, runs, stored
from tests.support.dump import dump

NAME, COMPANY = "Zoë Zorblatt", "Zorblatt Labs"


async def erase_lead(installation: Installation, former: list[str] | None) -> None:
    async with installation.database.transaction() as connection:
        tables = await installation.host_tables.tables(connection)
        await erase(connection, tables, installation.org_id, "user:owner", [installation.lead_ids[0]], former)


async def name_lead(installation: Installation) -> None:
    leads = installation.name("leads")
    await installation.fetch(
        f"UPDATE public.{leads} SET full_name = :name, company = :company WHERE id = :id",
        name=NAME, company=COMPANY, id=installation.lead_ids[0],
    )  # fmt: skip


@pytest.mark.parametrize("former", [None, []], ids=["former values unknown", "former values given"])
async def test_filters_and_names_that_name_the_person_are_emptied(database_url: str, former: list[str] | None) -> None:
    async with install(database_url, leads=2) as installation:
        await name_lead(installation)
        naming = [
            await plan(installation, filters=LeadFilters(search="zorblatt", min_score=3)),
            await plan(installation, filters=LeadFilters(companies=("ZORBLATT LABS",), min_score=3)),
            await plan(installation, filters=LeadFilters(exclude_companies=(COMPANY, "Acme"), min_score=3)),
        ]
        named = await plan(installation, name=f"For {NAME}")
        search = await plan(installation, filters=LeadFilters(search="kermit"))
        other = await plan(installation, filters=LeadFilters(companies=("Umbrella",)))
        await erase_lead(installation, former)
        for schedule_id in naming:
            row = await stored(installation, schedule_id)
            assert (row.filters, row.paused_because, row.next_due_at) == ({"min_score": 3}, "erasure", None)
        assert "zorblatt" not in (await dump(installation.database)).casefold()
        assert (await stored(installation, named)).paused_because is None
        # A search may contain a value of the person that is not known.
        assert (await stored(installation, search)).paused_because == ("erasure" if former is None else None)
        assert (await stored(installation, other)).filters == {"companies": ["Umbrella"]}


async def test_the_export_of_a_person_contains_schedules_that_name_the_person(database_url: str) -> None:
    async with install(database_url, leads=2) as installation:
        await name_lead(installation)
        schedule_id = await plan(installation, filters=LeadFilters(search=NAME))
        await plan(installation, filters=LeadFilters(search="kermit"))
        async with installation.database.transaction() as connection:
            tables = await installation.host_tables.tables(connection)
            found = await export_person(
                connection, tables, None, installation.org_id, "user:owner", installation.lead_ids[0]
            )
        assert [UUID(str(row["id"])) for row in found.kept["schedules"] if isinstance(row, dict)] == [schedule_id]


async def test_old_runs_are_deleted(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        schedule_id = await plan(installation, catch_up=timedelta(days=7))
        await run_once(installation, schedule_id)
        await empty_old_jobs(installation.database, 180)
        assert len(await runs(installation, schedule_id)) == 1
        await installation.fetch("UPDATE clay.schedule_runs SET started_at = now() - interval '181 days'")
        await empty_old_jobs(installation.database, 180)
        assert await runs(installation, schedule_id) == []
