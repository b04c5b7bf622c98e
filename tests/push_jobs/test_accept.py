"""Accepting a push: rows and wake-up are committed together, identical concurrent pushes send each lead once, and a refused push queues no lead."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import CTE, text
from structlog.testing import capture_logs

from clay_push_service import queue
from clay_push_service.callers.actor import Actor
from clay_push_service.deliveries import enqueue
from clay_push_service.deliveries.eligibility import Resend, eligibility
from clay_push_service.deliveries.suppression import Excluding
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.errors import ConflictError, NotFoundError
from clay_push_service.host.leads import PushableLeads
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.accept import accept
from clay_push_service.push_jobs.selection import select_by_ids
from clay_push_service.push_jobs.targets.choose import require_destination
from clay_push_service.sending.drainer import Drainer
from tests.harness.installation import Installation, install, install_with_drainer


async def wake_ups(w: Installation) -> int:
    [row] = await w.fetch("SELECT count(*) AS n FROM clay.procrastinate_jobs WHERE status = 'todo'")
    return int(row.n)


async def test_a_rollback_removes_rows_and_wake_up(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")

        async def fail_before_the_commit() -> None:
            async with w.database.transaction() as connection:
                await queue.wake(connection, uuid4())
                raise RuntimeError("fails before the commit")

        with pytest.raises(RuntimeError, match="fails before the commit"):
            await fail_before_the_commit()
        assert await wake_ups(w) == 0
        await w.push()
        assert await wake_ups(w) == 1


async def test_repeated_wakes_of_a_push_job_queue_one_wake_up(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        job_id = uuid4()
        async with w.database.transaction() as connection:
            for _ in range(5):
                await queue.wake(connection, job_id)
            await queue.wake(connection, job_id, delay_seconds=60)
            await queue.wake(connection, job_id, times=3)
        assert await wake_ups(w) == 1


async def test_a_push_job_has_at_most_one_wake_up_per_worker(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        for seconds_ago, workers in ((1, 2), (60, 3)):
            await w.fetch(
                "INSERT INTO clay.workers (id, hostname, pid, version, seen_at)"
                " SELECT gen_random_uuid(), 'here', 1, '0', now() - :seconds * interval '1 second'"
                " FROM generate_series(1, :workers)",
                seconds=seconds_ago, workers=workers,
            )  # fmt: skip
        async with w.database.transaction() as connection:
            await queue.wake(connection, uuid4(), times=4)
        assert await wake_ups(w) == 3  # one for each live worker, and one more, because a worker may take a second


async def test_twenty_identical_concurrent_pushes_send_each_lead_once(database_url: str) -> None:
    """A worker drains the job meanwhile. Leads that the first push has sent are no longer queued and must not be sent again."""
    async with install_with_drainer(database_url, leads=200) as (w, drainer, clay):
        draining_on = asyncio.create_task(keep_draining(w, drainer))
        accepted = await asyncio.gather(*(w.push() for _ in range(20)))
        await w.drain_all(drainer)
        draining_on.cancel()
        assert len(clay.posts) == 200
        assert set(clay.leads.values()) == {1}
        assert sum(job.lead_count - job.skipped_count for job in accepted) == 200


async def keep_draining(w: Installation, drainer: Drainer) -> None:
    while True:
        await w.drain_all(drainer)
        await asyncio.sleep(0.01)


async def test_a_lead_sent_between_the_check_and_the_insert_is_not_sent_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first check runs before the lead is sent and does not find it. The second check runs after the insert and must find it."""
    async with install_with_drainer(database_url, leads=5) as (w, drainer, clay):
        await w.push()
        await w.drain_all(drainer)

        def find_no_lead(
            tables: HostTables,
            leads: PushableLeads,
            org_id: UUID,
            clay_table: ClayTable,
            _resend: Resend,
            excluding: Excluding,
        ) -> CTE:
            return eligibility(tables, leads, org_id, clay_table, Resend.all(), excluding)

        monkeypatch.setattr(enqueue, "eligibility", find_no_lead)
        second = await w.push()
        assert (second.lead_count, second.skipped_count) == (5, 5)
        assert {row.cause for row in await w.deliveries(second.job_id)} == {"already_in_clay"}
        assert len(clay.posts) == 5


async def test_leads_of_the_old_table_are_sent_to_a_new_table(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=4) as (w, drainer, clay):
        await w.push()
        await w.drain_all(drainer)
        await w.fetch("UPDATE clay.destinations SET table_epoch = table_epoch + 1")
        await w.push()
        await w.drain_all(drainer)
        assert len(clay.posts) == 8


async def test_a_lead_of_two_projects_is_sent_to_clay_once(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=2) as (w, drainer, clay):
        other = uuid4()
        await w.fetch(
            "INSERT INTO public.projects (id, org_id, name) VALUES (:id, :org, 'Other')", id=other, org=w.org_id
        )
        await w.fetch(
            f"INSERT INTO public.lead_scores (project_id, {w.name('lead_id')}, overall_score)"
            f" SELECT :id, {w.name('lead_id')}, 100 FROM public.lead_scores",
            id=other,
        )
        await w.push()
        await w.drain_all(drainer)
        second = await w.push(project_id=other)
        assert second.skipped_count == 2
        assert len(clay.posts) == 2


async def test_leads_of_another_organization_are_reported_and_no_lead_is_queued(database_url: str) -> None:
    async with install(database_url, leads=3) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        unknown_ids = [uuid4() for _ in range(12)]
        with pytest.raises(NotFoundError) as refused:
            await w.push([*w.lead_ids, *unknown_ids])
        assert refused.value.code == "lead_not_found"
        assert refused.value.extra["lead_ids"] == [str(each) for each in unknown_ids[:10]]
        assert await w.fetch("SELECT 1 FROM clay.push_jobs") == []
        assert await wake_ups(w) == 0


async def test_a_closed_destination_refuses_a_push_with_the_reason(database_url: str) -> None:
    async with install(database_url, leads=1) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        await w.fetch("UPDATE clay.destination_versions SET state = 'closed', state_reason = 'quota_exhausted'")
        with pytest.raises(ConflictError) as refused:
            await w.push()
        assert refused.value.code == "destination_closed"
        assert refused.value.extra["reason"] == "quota_exhausted"


async def test_the_called_function_of_the_queue_exists(database_url: str) -> None:
    async with install(database_url, leads=1) as w, w.database.transaction() as connection:
        found = await connection.execute(
            text("SELECT pg_get_function_arguments('clay.procrastinate_defer_jobs_v1'::regproc)")
        )
        assert found.scalar_one() == "jobs procrastinate_job_to_defer_v1[]"


@pytest.mark.parametrize(
    "meanwhile",
    ["UPDATE public.lead_scores SET overall_score = 100 WHERE project_id = :id", "DELETE FROM public.lead_scores"],
)
async def test_a_lead_keeps_its_selected_project_although_scores_change_meanwhile(
    database_url: str, meanwhile: str
) -> None:
    """Between selection and insert, scoring gives the lead a better project without a job, or removes it from its projects."""
    async with install(database_url, leads=2) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        other = uuid4()
        await w.fetch(
            "INSERT INTO public.projects (id, org_id, name) VALUES (:id, :org, 'Other')", id=other, org=w.org_id
        )
        await w.fetch(
            f"INSERT INTO public.lead_scores (project_id, {w.name('lead_id')}, overall_score)"
            f" SELECT :id, {w.name('lead_id')}, 0 FROM public.lead_scores",
            id=other,
        )
        async with w.database.transaction() as connection:
            tables = await w.host_tables.tables(connection)
            destination = await require_destination(connection, w.org_id)
            choice = await select_by_ids(connection, tables, w.org_id, w.lead_ids, None, Resend())
            await w.fetch(meanwhile, **({"id": other} if ":id" in meanwhile else {}))
            [job] = await accept(connection, tables, Actor(w.org_id, "user:test"), destination, choice)
        assert (job.project_id, job.lead_count, job.skipped_count) == (w.project_id, 2, 0)


async def test_a_push_that_waits_for_a_webhook_change_uses_the_new_webhook(database_url: str) -> None:
    async with install(database_url, leads=2) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x")
        new = uuid4()
        async with w.database.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM clay.destinations FOR UPDATE"))
            pushing = asyncio.create_task(w.push())
            while not await w.fetch("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await connection.execute(
                text("""INSERT INTO clay.destination_versions (id, org_id, destination_id, number, sealed_url, url_mask, source,
                                                               meter_id)
                        SELECT :new, org_id, destination_id, 2, sealed_url, url_mask, source, meter_id FROM clay.destination_versions"""),
                {"new": new},
            )
            await connection.execute(text("UPDATE clay.destinations SET version_id = :new"), {"new": new})
        accepted = await pushing
        assert (await w.job(accepted.job_id)).destination_version_id == new


async def test_the_queue_contains_only_ids(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=3, token="a-secret") as (w, drainer, _):
        queued: list[dict[str, str]] = []
        job_ids = []
        for lead_ids, again in ((None, False), (w.lead_ids[:1], True)):
            job_ids.append((await w.push(lead_ids, again=again)).job_id)
            queued += [row.args for row in await w.fetch("SELECT args FROM clay.procrastinate_jobs")]
            await w.drain_all(drainer)
        assert queued == [{"job_id": str(job_id)} for job_id in job_ids]


async def test_the_log_of_a_finished_push_job_has_the_id_of_its_request(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=1) as (w, drainer, _):
        async with w.database.transaction() as connection:
            tables = await w.host_tables.tables(connection)
            destination = await require_destination(connection, w.org_id)
            choice = await select_by_ids(connection, tables, w.org_id, w.lead_ids, w.project_id, Resend())
            actor = Actor(w.org_id, "user:test", request_id="request-17")
            [accepted] = await accept(connection, tables, actor, destination, choice)
        with capture_logs() as logged:
            await w.drain_all(drainer)
        report = {each["event"]: each for each in logged}
        assert report["push_job.started"]["job_id"] == str(accepted.job_id)
        assert report["push_job.finished"]["accepted_by_request"] == "request-17"
