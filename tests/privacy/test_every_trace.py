"""Stores personal values in every place that can contain them. After an erasure, a dump of the schema contains none."""

import json
import unicodedata
from uuid import UUID, uuid4

import pytest

from clay_push_service.deliveries.sweep import sweep
from clay_push_service.privacy.erase import erase
from clay_push_service.privacy.retention import empty_old_jobs
from tests.harness.installation import Installation, install
from tests.support.dump import dump

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"
NOW = {
    "username": "zorblatt-gh",
    "full_name": "Zoë Zorblatt",
    "email": "zoe@zorblatt.example",
    "company": "Zorblatt Labs",
}
FORMER = ["zz.former@oldmail.example", "Zoë Quixwell", "quixwell-gh", "Quixwell Ltd"]
OTHERS = "another person"


async def store_traces(installation: Installation, lead_id: UUID) -> list[str]:
    """Store the values in a delivery, in filters of push jobs (as a search and in both company lists), in the inbox and in refusals."""
    await installation.fetch(
        f"UPDATE public.{installation.name('leads')} SET username = :username, full_name = :full_name, email = :email, company = :company"
        " WHERE id = :id", id=lead_id, **NOW,
    )  # fmt: skip
    await installation.configure(WEBHOOK)
    held = (await installation.push([lead_id])).job_id
    await installation.fetch(
        "UPDATE clay.clay_push_log SET payload_hash = sha256('zorblatt'), error_message = 'Zorblatt broke it'"
    )
    values = [*NOW.values(), *FORMER]
    for value in values:
        for report in (value, value.upper(), unicodedata.normalize("NFD", value)):
            filters = {"search": report, "min_score": 3}
            await add_job(installation, held, filters)
        await add_job(installation, held, {"companies": [value, OTHERS], "min_score": 3})
        await add_job(installation, held, {"exclude_companies": [value]})
    await installation.fetch("UPDATE clay.push_jobs SET filters = CAST(:report AS jsonb) WHERE id = :id", id=held,
                  report=json.dumps({"search": "acme", "companies": ["Held Company"]}))  # fmt: skip
    metadata = {"lead_ids": [str(lead_id).upper(), str(uuid4())], "project_id": str(installation.project_id), "push_mode": "selected",
                "leads": [dict(NOW)], "note": FORMER[0]}  # fmt: skip
    await installation.fetch(
        "INSERT INTO clay.inbox (host_job_id, project_id, metadata, done_at, end_status, end_message, written_at)"
        " VALUES (gen_random_uuid(), :project, CAST(:report AS jsonb), now(), 'failed', :refusal, now())",
        project=installation.project_id, report=json.dumps(metadata), refusal=f"These are no leads of your project: {lead_id}.",
    )  # fmt: skip
    for value in [*values, str(lead_id)]:
        await installation.fetch(
            "INSERT INTO clay.idempotency_keys (org_id, key, request_hash, status, response)"
            " VALUES (:org_id, :key, sha256('request'), 202, '{}')",
            org_id=installation.org_id, key=f"push-{value}",
        )  # fmt: skip
    return [*values, str(lead_id), "Held Company"]


async def add_job(installation: Installation, like: UUID, filters: dict[str, object]) -> None:
    await installation.fetch(
        "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, filters, status,"
        " finished_at) SELECT gen_random_uuid(), org_id, project_id, destination_id, destination_version_id, table_epoch, 'filtered',"
        " CAST(:filters AS jsonb), 'completed', now() FROM clay.push_jobs WHERE id = :id",
        id=like, filters=json.dumps(filters),
    )  # fmt: skip


def remaining_values(stored: str, values: list[str]) -> list[str]:
    def plain(report: str) -> str:
        return unicodedata.normalize("NFC", report).casefold()

    return [value for value in values if plain(value) in plain(stored)]


async def erase_leads(installation: Installation, lead_id: UUID, former: list[str] | None) -> None:
    async with installation.database.transaction() as connection:
        tables = await installation.host_tables.tables(connection)
        await erase(connection, tables, installation.org_id, "user:owner", [lead_id], former)


@pytest.mark.parametrize("former", [None, FORMER], ids=["former values unknown", "former values given"])
@pytest.mark.parametrize("host_deleted_first", [False, True])
async def test_no_value_of_the_person_remains(
    database_url: str, former: list[str] | None, host_deleted_first: bool
) -> None:
    async with install(database_url, leads=3) as installation:
        lead_id = installation.lead_ids[0]
        values = await store_traces(installation, lead_id)
        await add_job(
            installation, (await installation.fetch("SELECT id FROM clay.push_jobs LIMIT 1"))[0].id, {"search": OTHERS}
        )
        assert remaining_values(await dump(installation.database), values) == values
        if host_deleted_first:
            await installation.fetch(f"DELETE FROM public.{installation.name('leads')} WHERE id = :id", id=lead_id)
        known = former
        if former is not None and host_deleted_first:
            known = [*former, *NOW.values()]  # the newest values are also former values
        await erase_leads(installation, lead_id, known)
        assert remaining_values(await dump(installation.database), values) == []
        searches = await installation.fetch(
            "SELECT filters ->> 'search' AS report FROM clay.push_jobs WHERE filters ? 'search'"
        )
        assert [row.report for row in searches] == ([] if former is None else [OTHERS])


async def test_a_search_for_another_person_remains_when_former_values_are_given(database_url: str) -> None:
    async with install(database_url, leads=2) as installation:
        await store_traces(installation, installation.lead_ids[0])
        [job, *_] = await installation.fetch(
            "SELECT id FROM clay.push_jobs WHERE filters ->> 'search' = :report", report=NOW["email"]
        )
        await installation.fetch(
            "UPDATE clay.push_jobs SET filters = jsonb_build_object('search', 'kermit') WHERE id = :id", id=job.id
        )
        await erase_leads(installation, installation.lead_ids[0], [])
        assert (await installation.job(job.id)).filters == {"search": "kermit"}


async def test_retention_empties_searches_company_lists_and_the_inbox(database_url: str) -> None:
    async with install(database_url, leads=2) as installation:
        values = await store_traces(installation, installation.lead_ids[0])
        await installation.fetch(
            "UPDATE clay.clay_push_log SET state = 'done', status = 'success', finished_at = now()"
        )
        await installation.fetch(
            "UPDATE clay.push_jobs SET status = 'completed', finished_at = now() - interval '400 days'"
        )
        await installation.fetch("UPDATE clay.inbox SET done_at = now() - interval '400 days'")
        await installation.fetch("UPDATE clay.idempotency_keys SET created_at = now() - interval '400 days'")
        await empty_old_jobs(installation.database, 180, batches=100)
        async with installation.database.transaction() as connection:
            await sweep(connection)
        kept = [str(installation.lead_ids[0])]  # the ledger of leads that Clay stored
        assert remaining_values(await dump(installation.database), values) == kept
