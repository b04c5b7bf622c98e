"""`clay-push enrich`, `enrichment jobs` and `enrichment cancel`: the estimate comes first, and the rules are those of the API."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from clay_push_service.commands.enrich.request import parse
from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.errors import InvalidError
from clay_push_service.host.enrichment_conditions import EnrichedState
from tests.enrichment.jobs.enriching import Enriching, enriching
from tests.harness.shell import CommandResult, command_environment, shell

LEAD = "6b0c3f3c-6b7b-4f6e-9a52-0d7f1f6c7f10"
HOW = ("--kind", "email", "--basis", "legitimate_interest")


async def run(ready: Enriching, directory: Path, command: str, *arguments: str, typed: bytes = b"") -> CommandResult:
    env = command_environment(ready.context.settings)
    return await shell(directory, *command.split(), "--org", str(ready.api.org_id), *arguments, env=env, typed=typed)


async def job_ids(ready: Enriching) -> Sequence[str]:
    rows = await ready.api.installation.fetch("SELECT id FROM clay.enrichment_jobs ORDER BY created_at, id")
    return [str(row.id) for row in rows]


async def test_the_estimate_is_printed_and_nothing_is_requested_without_a_confirmation(
    database_url: str, tmp_path: Path
) -> None:
    async with enriching(database_url, tmp_path, leads=3) as ready:
        project = ("--project", str(ready.api.project_id), *HOW)
        dry = await run(ready, tmp_path, "enrich", *project, "--dry-run")
        assert dry.exit_code == 0, dry.err
        assert "3 leads would be requested, kind email, by way of the routine." in dry.out
        assert "Estimated cost: 3 to 6 credits, at least 3 actions." in dry.out
        for typed in (b"", b"n\n"):
            refused = await run(ready, tmp_path, "enrich", *project, typed=typed)
            assert refused.exit_code == 1
        assert await job_ids(ready) == []
        confirmed = await run(ready, tmp_path, "enrich", *project, typed=b"y\n")
        assert confirmed.exit_code == 0, confirmed.err
        assert len(await job_ids(ready)) == 1


async def test_leads_of_a_project_are_requested_once_and_recorded_with_actor_and_basis(
    database_url: str, tmp_path: Path
) -> None:
    async with enriching(database_url, tmp_path, leads=52) as ready:
        project = ("--project", str(ready.api.project_id), *HOW, "--most", "52", "--yes")
        requested = await run(ready, tmp_path, "enrich", *project)
        assert requested.exit_code == 0, requested.err
        jobs = [await ready.job(each) for each in await job_ids(ready)]
        assert [job["lead_count"] for job in jobs] == [50, 2]
        assert {job["basis"] for job in jobs} == {"legitimate_interest"}
        assert all(job["created_by"].startswith("shell") and job["id"] in requested.out for job in jobs)
        again = await run(ready, tmp_path, "enrich", *project)
        assert (again.exit_code, "Nothing was requested." in again.out) == (1, True)
        assert len(await job_ids(ready)) == 2


async def test_a_filter_and_a_single_lead_choose_what_is_requested(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=2) as ready:
        first, second = (str(each) for each in ready.lead_ids)
        one = await run(ready, tmp_path, "enrich", "--lead", first, *HOW, "--yes")
        assert one.exit_code == 0, one.err
        await ready.work()
        never = await run(
            ready, tmp_path, "enrich", "--project", str(ready.api.project_id), "--enriched", "never", *HOW, "--yes"
        )
        assert never.exit_code == 0, never.err
        items = [await ready.items(each) for each in await job_ids(ready)]
        assert [[item["lead_id"] for item in each] for each in items] == [[first], [second]]


async def test_a_refusal_of_the_api_is_the_refusal_of_the_command(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=1) as ready:
        unknown = await run(ready, tmp_path, "enrich", "--lead", LEAD, *HOW, "--yes")
        assert (unknown.exit_code, LEAD in unknown.err) == (1, True)
        await ready.save(budget={"credits_per_day": 0, "actions_per_day": None, "time_zone": "UTC"})
        refused = await run(ready, tmp_path, "enrich", "--lead", str(ready.lead_ids[0]), *HOW, "--yes")
        assert (refused.exit_code, "budget" in refused.err) == (1, True)
        assert await job_ids(ready) == []


async def test_jobs_are_listed_by_status_and_one_is_cancelled(database_url: str, tmp_path: Path) -> None:
    async with enriching(database_url, tmp_path, leads=2) as ready:
        job_id = (await ready.enrich())["job_id"]
        listed = await run(ready, tmp_path, "enrichment jobs")
        assert (listed.exit_code, job_id in listed.out) == (0, True), listed.err
        none = await run(ready, tmp_path, "enrichment jobs", "--status", "completed")
        assert job_id not in none.out
        cancelled = await run(ready, tmp_path, "enrichment cancel", job_id)
        assert cancelled.out == "Cancelled: 2 leads will not be requested from Clay.\n"
        assert (await ready.job(job_id))["status"] == "cancelled"
        twice = await run(ready, tmp_path, "enrichment cancel", job_id)
        assert (twice.exit_code, "ended already" in twice.err) == (1, True)
        foreign = await shell(
            tmp_path, "enrichment", "cancel", "--org", str(ready.api.other_org_id), job_id,
            env=command_environment(ready.context.settings),
        )  # fmt: skip
        assert (foreign.exit_code, "no enrichment job" in foreign.err) == (1, True)


def test_words_and_filters_are_parsed() -> None:
    wanted = parse(
        [], "p", kind="full", way="table", basis="consent", min_score=70, enriched="stale", most=7, again=True
    )
    assert (wanted.kind, wanted.way, wanted.basis) == (Kind.FULL, RequestWay.TABLE, LegalBasis.CONSENT)
    assert (wanted.filters.min_score, wanted.filters.enrichment) == (70, EnrichedState.STALE)
    assert (wanted.most, wanted.again) == (7, True)


@pytest.mark.parametrize(
    ("leads", "project", "changed", "report"),
    [
        ([], None, {}, "--lead or --project"),
        ([LEAD], "p", {}, "--lead or --project"),
        (["x"], None, {}, "not a lead id"),
        ([], "p", {"kind": "all"}, "--kind 'all' is not known. Use full or email."),
        ([], "p", {"way": "post"}, "Use routine or table."),
        ([], "p", {"basis": "none"}, "Use consent or legitimate_interest."),
        ([], "p", {"enriched": "old"}, "Use never or stale."),
        ([LEAD], None, {"enriched": "never"}, "need --project"),
    ],
)
def test_a_wrong_argument_is_refused(
    leads: list[str], project: str | None, changed: dict[str, str], report: str
) -> None:
    words = {"kind": "email", "way": "routine", "basis": "consent"} | changed
    enriched = words.pop("enriched", None)
    with pytest.raises(InvalidError, match=report):
        parse(leads, project, kind=words["kind"], way=words["way"], basis=words["basis"], enriched=enriched)
