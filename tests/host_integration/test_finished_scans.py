"""Auto-export runs once after each scan of the host, independent of the host's processor. This service never makes a scan fail."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.drift import find_drift
from clay_push_service.host_integration.attach.triggers import SCANS
from tests.harness.attached import Attached, HostProcessor, install_attached
from tests.harness.roles import Roles
from tests.support.receiver import Receiver, status

BOTH = pytest.mark.parametrize("vintage", list(Vintage))
END = "UPDATE sourcing_jobs SET status = $2, completed_at = now() WHERE id = $1"


async def begin_scan(a: Attached, job_type: str = SCANS[0], **values: object) -> UUID:
    """A scan of the installation's project, unless `project_id` is given."""
    return await a.host.begin_scan(**{"project_id": a.installation.project_id, "job_type": job_type} | values)  # type: ignore[arg-type]  # its own keywords


async def finish_scan(a: Attached, job_type: str = SCANS[0], end: str = "completed", **values: object) -> UUID:
    scan_id = await begin_scan(a, job_type, **values)
    await a.host.end_scan(scan_id, end)
    return scan_id


async def work(a: Attached) -> None:
    await a.inbox.process_due()
    await a.mirror_now()
    await a.installation.drain_all(a.drainer)
    await a.mirror_now()


async def runs(a: Attached) -> dict[UUID, str]:
    rows = await a.installation.fetch("SELECT source_job_id, outcome FROM clay.auto_export_runs")
    return {row.source_job_id: row.outcome for row in rows}


@BOTH
@pytest.mark.parametrize("job_type", SCANS)
async def test_a_scan_that_the_host_finishes_runs_the_rule(database_url: str, vintage: Vintage, job_type: str) -> None:
    async with install_attached(database_url, vintage=vintage, leads=3) as a:
        await a.auto_export_on()
        scan_id = await finish_scan(a, job_type)
        await work(a)
        assert await runs(a) == {scan_id: "queued"}
        assert set(a.receiver.leads.values()) == {1}
        assert len(a.receiver.leads) == 3
        [job] = await a.installation.fetch("SELECT * FROM clay.push_jobs")
        assert (job.push_mode, job.source_job_id, job.created_by, job.created_by_user_id) == (
            "auto", scan_id, "host", None,
        )  # fmt: skip
        assert await a.status(job.id) == "completed"
        assert await a.status(scan_id) == "completed"


async def test_the_run_after_a_scan_names_the_person_who_started_it(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        await a.auto_export_on()
        user_id = await a.host.connection.fetchval("INSERT INTO users (username) VALUES ('ann') RETURNING id")
        await finish_scan(a, created_by=user_id)
        await work(a)
        [job] = await a.installation.fetch("SELECT created_by_user_id FROM clay.push_jobs")
        assert job.created_by_user_id == user_id


async def test_only_a_finished_scan_of_a_project_starts_a_run(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        await a.auto_export_on()
        for end in ("failed", "cancelled", "pending"):
            await finish_scan(a, end=end)
        await finish_scan(a, "clay_push")
        await finish_scan(a, "lead_export")
        await finish_scan(a, project_id=None)
        await begin_scan(a, status="completed")  # rows are inserted when a table is restored
        await work(a)
        assert await runs(a) == {}
        assert a.receiver.posts == []


async def test_a_scan_that_is_completed_several_times_runs_the_rule_once(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        await a.auto_export_on()
        scan_id = await finish_scan(a)
        await work(a)
        for state in ("completed", "running", "completed"):
            await a.host.connection.execute(END, scan_id, state)
        await a.installation.fetch("UPDATE clay.clay_push_log SET status = 'failed', cause = 'server_error'")
        await work(a)
        assert len(await a.installation.fetch("SELECT 1 FROM clay.push_jobs")) == 1
        assert len(a.receiver.posts) == 2


@pytest.mark.parametrize("level", [None, Level.MIRROR])
async def test_a_scan_that_ended_before_the_inbox_was_attached_starts_no_run(
    database_url: str, level: Level | None
) -> None:
    async with install_attached(database_url, level, leads=1) as a:
        await a.auto_export_on()
        await finish_scan(a)
        await a.attach(Level.INBOX)
        await a.inbox.process_due()
        assert await runs(a) == {}
        later = await finish_scan(a)
        await a.inbox.process_due()
        assert await runs(a) == {later: "queued"}


async def test_a_scan_that_waits_during_detach_starts_no_run_after_the_next_attach(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        await a.auto_export_on()
        await finish_scan(a)
        await a.detach()
        await a.inbox.process_due()
        await a.attach(Level.INBOX)
        await finish_scan(a, end="failed")
        await a.inbox.process_due()
        await a.attach(Level.MIRROR)
        await a.attach(Level.INBOX)
        await a.inbox.process_due()
        assert await runs(a) == {}


@pytest.mark.parametrize("worked_off_between", [False, True])
async def test_the_export_of_the_host_after_the_same_scan_runs_the_rule_once(
    database_url: str, worked_off_between: bool
) -> None:
    """All leads fail with a cause after which another run would send them again."""
    clay = Receiver(answer=lambda _number, _body: status(500))
    async with install_attached(database_url, leads=3, receiver=clay, retry_delays_seconds=(0.01,)) as a:
        await a.auto_export_on()
        scan_id = await finish_scan(a)
        if worked_off_between:
            await work(a)
        queued = await a.host_queues(a.installation.lead_ids)
        processor = HostProcessor(a.host.connection)
        await processor.poll()
        await work(a)
        assert await runs(a) == {scan_id: "queued"}
        [job] = await a.installation.fetch("SELECT id, status, lead_count FROM clay.push_jobs")
        assert (job.status, job.lead_count) == ("failed", 3)
        row = await a.row(queued)
        assert row is not None
        if worked_off_between:  # the push job already has its own row
            assert (row["status"], row["error_message"]) == ("completed", None)
            assert await a.status(job.id) == "failed"
        else:
            assert (await a.metadata(queued))["push_job_id"] == str(job.id)
            assert row["status"] == "failed"
        assert processor.would_push == []


async def test_an_export_of_the_host_long_after_the_scan_is_a_run_of_its_own(database_url: str) -> None:
    async with install_attached(database_url, leads=2) as a:
        await finish_scan(a)
        await a.inbox.process_due()  # the run does nothing, because the rule is off
        await a.installation.fetch("UPDATE clay.finished_scans SET finished_at = now() - interval '1 hour'")
        await a.auto_export_on()
        queued = await a.host_queues(a.installation.lead_ids)
        await work(a)
        assert await a.status(queued) == "completed"
        assert len(a.receiver.leads) == 2


async def test_a_project_without_an_organization_or_a_deleted_project_does_not_block_others(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        await a.auto_export_on()
        lonely = await a.host.connection.fetchval(
            "INSERT INTO projects (name, auto_export_clay_enabled) VALUES ('x', true) RETURNING id"
        )
        for project_id in (lonely, uuid4()):
            await a.installation.fetch(
                "INSERT INTO clay.finished_scans (source_job_id, project_id) VALUES (gen_random_uuid(), :p)",
                p=project_id,
            )
        scan_id = await finish_scan(a)
        await a.inbox.process_due()
        assert await runs(a) == {scan_id: "queued"}
        assert await a.installation.fetch("SELECT 1 FROM clay.finished_scans WHERE done_at IS NULL") == []


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE clay.finished_scans",
        "ALTER TABLE clay.finished_scans ADD COLUMN needed text NOT NULL",
        "DROP SCHEMA clay CASCADE",
        "ALTER TABLE sourcing_jobs RENAME job_type TO kind",
        "ALTER TABLE sourcing_jobs DROP COLUMN created_by",
        "ALTER TABLE sourcing_jobs ALTER status TYPE text",
    ],
)
async def test_the_scan_of_the_host_is_completed_despite_any_fault_of_this_service(
    database_url: str, broken: str
) -> None:
    async with install_attached(database_url, leads=1) as a:
        scan_id = await begin_scan(a)
        await a.host.connection.execute(broken)
        async with a.host.connection.transaction():
            await a.host.connection.execute(END, scan_id, "completed")
        assert await a.status(scan_id) == "completed"


async def test_the_role_of_the_host_needs_no_right_in_schema_clay(database_url: str, roles: Roles) -> None:
    async with install_attached(database_url, leads=2) as a:
        await a.auto_export_on()
        await a.host.connection.execute(f"GRANT USAGE ON SCHEMA public TO {roles.host}")
        await a.host.connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {roles.host}")
        scan_id = await begin_scan(a)
        host = await asyncpg.connect(roles.host_url)
        try:
            await host.execute(END, scan_id, "completed")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await host.execute("SELECT * FROM clay.finished_scans")
        finally:
            await host.close()
        await a.inbox.process_due()
        assert await runs(a) == {scan_id: "queued"}


async def test_a_lock_on_our_table_delays_the_scan_of_the_host_only_briefly(database_url: str) -> None:
    async with install_attached(database_url, leads=1) as a:
        scan_id = await begin_scan(a)
        blocker = await asyncpg.connect(database_url)
        try:
            async with blocker.transaction():
                await blocker.execute("LOCK TABLE clay.finished_scans IN ACCESS EXCLUSIVE MODE")
                await a.host.connection.execute(END, scan_id, "completed", timeout=30)
                assert await a.status(scan_id) == "completed"
        finally:
            await blocker.close()


async def test_doctor_reports_an_attachment_of_an_earlier_release_and_attach_completes_it(
    database_url: str,
) -> None:
    async with install_attached(database_url, leads=1) as a:

        async def drift() -> list[str]:
            async with a.installation.database.transaction() as connection:
                _, report = await find_drift(connection, await detect(connection))
            return list(report)

        await a.host.connection.execute(
            "DROP TRIGGER clay_note_scans ON sourcing_jobs; DROP FUNCTION clay.clay_note_scans"
        )
        assert await drift() == ["trigger clay_note_scans on public.sourcing_jobs is missing or disabled"]
        assert [step.description.split()[0] for step in (await a.attach(Level.INBOX)).steps] == [
            "create",
            "close",
            "create",
        ]
        assert await drift() == []
        await a.host.connection.execute(
            "CREATE OR REPLACE FUNCTION clay.clay_note_scans() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        assert await drift() == ["function clay.clay_note_scans differs from this release"]
        await a.attach(Level.INBOX)
        assert await drift() == []
        await a.installation.fetch(
            "INSERT INTO clay.finished_scans (source_job_id, project_id, finished_at)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), now() - interval '2 minutes')"
        )
        assert await drift() == ["1 finished scans have not run their auto-export rule for over a minute"]
