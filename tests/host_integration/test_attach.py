"""`clay-push attach` and `detach`: their output and their changes. They change nothing else."""

import contextlib

import pytest
from sqlalchemy.exc import SQLAlchemyError

from clay_push_service.commands import attach as command
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attach import NotAttachableError, NotMigratedError
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.drift import find_drift
from clay_push_service.host_integration.attach.plan import AttachRequest
from tests.harness.attached import HostProcessor, install_attached
from tests.harness.installation import install
from tests.harness.roles import Roles

BOTH = pytest.mark.parametrize("vintage", list(Vintage))

CATALOGUE = """
SELECT c.relname, c.relacl::text, array_agg((a.attname, a.atttypid, a.attnotnull, a.attacl::text) ORDER BY a.attnum)::text,
       (SELECT array_agg(conname ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid)::text,
       (SELECT array_agg(tgname ORDER BY tgname) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)::text
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'public'::regnamespace GROUP BY c.oid, c.relname, c.relacl::text ORDER BY 1
"""
OURS = """
SELECT proname::text FROM pg_proc
WHERE pronamespace = 'clay'::regnamespace AND proname IN ('clay_guard_mirror', 'clay_note_scans', 'clay_take_pushes') ORDER BY 1
"""


@pytest.mark.parametrize("level", list(Level))
async def test_a_dry_run_prints_all_steps_and_changes_nothing(
    database_url: str, roles: Roles, level: Level, capsys: pytest.CaptureFixture[str]
) -> None:
    async with install_attached(database_url, None, leads=2) as a:
        before = await a.host.connection.fetch(CATALOGUE)
        plan = await a.attach(level, dry_run=True, role=roles.runtime)
        assert await a.host.connection.fetch(CATALOGUE) == before
        assert await a.host.connection.fetch(OURS) == []
        assert await a.host.connection.fetchval("SELECT count(*) FROM clay.attachment") == 0
        command.show_plan(plan, dry_run=True)
        report = capsys.readouterr().out
        assert f'GRANT SELECT ("id", "username", "is_active") ON "public"."users" TO "{roles.runtime}"' in report
        assert ("CREATE OR REPLACE TRIGGER clay_guard_mirror" in report) is level.mirrors
        for name in ("clay_take_pushes", "clay_note_scans"):
            assert (f"CREATE OR REPLACE TRIGGER {name}" in report) is (level is Level.INBOX)


@BOTH
async def test_attaching_twice_changes_nothing_the_second_time(database_url: str, vintage: Vintage) -> None:
    async with install_attached(database_url, Level.INBOX, vintage=vintage, leads=2) as a:
        before = (
            await a.host.connection.fetch(CATALOGUE),
            await a.host.connection.fetch("SELECT * FROM clay.attachment"),
        )
        plan = await a.attach(Level.INBOX)
        assert plan.steps == []
        assert (
            await a.host.connection.fetch(CATALOGUE),
            await a.host.connection.fetch("SELECT * FROM clay.attachment"),
        ) == before
        await a.host.connection.execute("DROP TRIGGER clay_take_pushes ON sourcing_jobs")
        assert [step.description[:14] for step in (await a.attach(Level.INBOX)).steps] == ["create trigger"]


async def test_only_triggers_and_grants_are_added_to_the_hosts_tables(database_url: str, roles: Roles) -> None:
    async with install_attached(database_url, None, leads=2) as a:
        columns = [(row[0], row[3]) for row in await a.host.connection.fetch(CATALOGUE)]
        await a.attach(Level.INBOX, role=roles.runtime)
        after = await a.host.connection.fetch(CATALOGUE)
        assert [(row[0], row[3]) for row in after] == columns
        assert {row[0]: row[4] for row in after if row[4]} == {
            "sourcing_jobs": "{clay_guard_mirror,clay_note_scans,clay_take_pushes}"
        }
        views = await a.host.connection.fetchval("SELECT count(*) FROM pg_views WHERE schemaname IN ('clay', 'public')")
        assert views == 0
        for config, is_definer in await a.host.connection.fetch(
            "SELECT proconfig, prosecdef FROM pg_proc WHERE proname IN ('clay_guard_mirror', 'clay_note_scans', 'clay_take_pushes')"
        ):
            assert is_definer
            assert "search_path=pg_catalog, pg_temp" in config


async def test_detach_removes_everything_except_finished_rows(database_url: str) -> None:
    async with install_attached(database_url, Level.INBOX, leads=6) as a:
        done = await a.push_all(a.installation.lead_ids[:3])
        await a.mirror_now()
        live = (await a.installation.push(a.installation.lead_ids[3:])).job_id
        await a.mirror_now()
        queued = await a.host_queues(a.installation.lead_ids)
        await a.detach()
        assert await a.host.connection.fetch(OURS) == []
        assert await a.host.connection.fetchval("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'clay%'") == 0
        assert (await a.status(done), await a.status(live), await a.status(queued)) == ("completed", "failed", "failed")
        assert "detached" in (await a.row(live))["error_message"]  # type: ignore[index]  # the row is there
        assert await a.mirror.run_pass() is None
        processor = HostProcessor(a.host.connection)
        await processor.start()
        await processor.poll()
        assert processor.would_push == []
        await a.installation.drain_all(a.drainer)
        assert len(a.receiver.posts) == 6
        await a.attach(Level.MIRROR)
        await a.mirror_now()
        assert await a.status(live) == "completed"
        assert len(await a.marks()) == 6


async def test_a_lower_level_removes_the_triggers_of_the_higher_one(database_url: str) -> None:
    async with install_attached(database_url, Level.INBOX, leads=2) as a:
        await a.attach(Level.MIRROR)
        assert [row[0] for row in await a.host.connection.fetch(OURS)] == ["clay_guard_mirror"]
        await a.attach(Level.MIRROR, with_trigger=False)
        assert await a.host.connection.fetch(OURS) == []
        await a.attach(Level.READ)
        assert await a.mirror.run_pass() is None


async def test_missing_requirements_are_named_and_nothing_is_changed(
    database_url: str, empty_database_url: str
) -> None:
    async with install_attached(database_url, None, leads=2) as a:
        await a.host.connection.execute("ALTER TABLE lead_scores RENAME priority TO urgency")
        await a.host.connection.execute("ALTER TABLE job_progress DROP COLUMN message")
        with pytest.raises(NotAttachableError) as refused:
            await a.attach(Level.MIRROR)
        assert "column public.lead_scores.priority does not exist" in refused.value.detail
        assert "column public.job_progress.message does not exist" in refused.value.detail
        assert await a.host.connection.fetchval("SELECT count(*) FROM clay.attachment") == 0
    async with install(empty_database_url, leads=1) as w, w.database.transaction() as connection:
        with pytest.raises(NotMigratedError, match="migrate"):
            await attaching.attach(
                connection, await detect(connection), AttachRequest(Level.READ, "nobody"), dry_run=True
            )


async def test_waiting_pushes_of_the_host_are_listed_and_taken_over_only_on_request(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with install_attached(database_url, None, leads=3) as a:
        waiting = await a.host_queues(a.installation.lead_ids, mode="selected")
        plan = await a.attach(Level.INBOX, dry_run=True)
        command.show_plan(plan, dry_run=True)
        assert f"1 pushes are already queued by NexusLeads: {waiting}" in capsys.readouterr().out
        await a.attach(Level.INBOX)
        assert await a.status(waiting) == "pending"
        await a.attach(Level.INBOX, take_waiting=True)
        assert await a.status(waiting) == "running"
        assert "clay_webhook_url" not in await a.metadata(waiting)
        await a.inbox.process_due()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(waiting) == "completed"
        assert len(a.receiver.posts) == 3


async def test_the_service_continues_after_a_migration_of_the_host(database_url: str) -> None:
    """The migration renames tables as NexusLeads did between the vintages, and changes types of columns."""
    async with install_attached(database_url, Level.INBOX, vintage=Vintage.DOCUMENT, leads=9) as a:
        await a.auto_export_on()
        await a.push_all(a.installation.lead_ids[:3])
        await a.mirror_now()
        live = (await a.installation.push(a.installation.lead_ids[3:6])).job_id
        await a.mirror_now()
        async with a.host.connection.transaction():
            for word in ("leads", "sources", "source_leads", "stats"):
                old, new = name_in(word, Vintage.DOCUMENT), name_in(word, Vintage.TODAY)
                await a.host.connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
            for table in ("community_members", "member_activity", "social_context", "lead_scores", "clay_push_log"):
                await a.host.connection.execute(f"ALTER TABLE {table} RENAME contributor_id TO member_id")
            for table in ("community_members", "member_activity", "sourcing_jobs"):
                await a.host.connection.execute(f"ALTER TABLE {table} RENAME repository_id TO source_id")
            await a.host.connection.execute(
                "ALTER TABLE sourcing_jobs ALTER status TYPE text, ALTER job_type TYPE varchar(80), ALTER status SET"
                " DEFAULT 'pending', ALTER progress_percentage TYPE numeric(6,2), ALTER error_message TYPE varchar(2000)"
            )
            await a.host.connection.execute("ALTER TABLE job_progress ALTER message TYPE varchar(2000)")
            await a.host.connection.execute("ALTER TABLE clay_push_log ALTER status TYPE text")
            await a.host.connection.execute("ALTER TABLE projects ALTER name TYPE text")
        await a.installation.drain_all(a.drainer)
        for _ in range(3):  # the first pass may use an old plan or an old name
            with contextlib.suppress(SQLAlchemyError):
                await a.mirror_now()
        assert await a.status(live) == "completed"
        queued = await a.host_queues(a.installation.lead_ids)
        assert await a.status(queued) == "running"
        await a.inbox.process_due()
        await a.installation.fetch("UPDATE clay.inbox SET due_at = now()")
        await a.inbox.process_due()
        await a.installation.drain_all(a.drainer)
        await a.mirror_now()
        assert await a.status(queued) == "completed"
        assert len(await a.marks()) == 9
        assert sorted(a.receiver.leads.values()) == [1] * 9
        assert (await a.attach(Level.INBOX)).steps == []
        await a.host.connection.execute("UPDATE sourcing_jobs SET status = 'pending' WHERE id = $1", live)
        assert await a.status(live) == "completed"


async def test_doctor_names_what_a_migration_removed(database_url: str) -> None:
    async with install_attached(database_url, None, leads=1) as a:

        async def drift() -> tuple[Level | None, list[str]]:
            async with a.installation.database.transaction() as connection:
                level, report = await find_drift(connection, await detect(connection))
            return level, list(report)

        assert await drift() == (None, [])
        await a.attach(Level.MIRROR, with_trigger=False)
        assert await drift() == (Level.MIRROR, [])
        await a.attach(Level.INBOX)
        assert await drift() == (Level.INBOX, [])
        await a.host.connection.execute("DROP TRIGGER clay_take_pushes ON sourcing_jobs")
        await a.host.connection.execute("ALTER TABLE sourcing_jobs DISABLE TRIGGER clay_guard_mirror")
        job_id = await a.push_all()
        await a.installation.fetch(
            "UPDATE clay.push_jobs SET finished_at = now() - interval '2 minutes' WHERE id = :j", j=job_id
        )
        _, report = await drift()
        assert [each[:24] for each in report] == [
            "trigger clay_guard_mirro",
            "trigger clay_take_pushes",
            "1 finished push jobs are",
        ]
        await a.attach(Level.INBOX)
        await a.mirror_now()
        assert await drift() == (Level.INBOX, [])
