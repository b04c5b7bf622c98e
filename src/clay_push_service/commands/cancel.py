"""`clay-push cancel`: stops live push jobs from the shell, one, an organization's or all; works while no worker runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import typer
from sqlalchemy import RowMapping, text

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import actor
from clay_push_service.commands.lookup import organization
from clay_push_service.database.database import Database
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host.detect import detect
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.settings import Settings

JOBS = text("""
SELECT id, org_id FROM clay.push_jobs
WHERE (CAST(:job_id AS uuid) IS NULL OR id = :job_id) AND (CAST(:org_id AS uuid) IS NULL OR org_id = :org_id)
  AND (CAST(:job_id AS uuid) IS NOT NULL OR status IN ('pending', 'running'))
ORDER BY created_at
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Exactly one of them."""

    job: str | None
    org: str | None
    everything: bool

    def check(self) -> None:
        if [self.job is not None, self.org is not None, self.everything].count(True) != 1:
            raise InvalidError("Say what to cancel: --job ID, --org NAME, or --all.")


def run(settings: Settings, wanted: Wanted) -> None:
    """Raises 422 unless exactly one thing is named, 404 `job_not_found`, and 409 `job_ended` for a job that is named."""
    wanted.check()
    asyncio.run(_cancel(settings, wanted))


async def _cancel(settings: Settings, wanted: Wanted) -> None:
    database = Database.for_shell(settings.database_url)
    try:
        jobs = await _jobs(database, settings, wanted)
        leads = in_flight = ended = 0
        for job in jobs:
            try:
                async with database.transaction() as connection:  # one each: no lock is held while others are cancelled
                    done = await cancel(connection, Actor(job["org_id"], actor()), job["id"])
            except ConflictError:
                if wanted.job is not None:
                    raise
                ended += 1  # meanwhile
                continue
            leads, in_flight = leads + done.cancelled_count, in_flight + done.in_flight
        typer.echo(
            f"Cancelled {len(jobs) - ended:,} push jobs: {leads:,} leads will not be sent; {in_flight:,} are being sent just"
            " now, and their outcome is still recorded. A retry of such a job sends what was cancelled."
        )
    finally:
        await database.close()


async def _jobs(database: Database, settings: Settings, wanted: Wanted) -> Sequence[RowMapping]:
    values: dict[str, UUID | None] = {"job_id": None, "org_id": None}
    async with database.transaction() as connection:
        if wanted.org is not None:
            values["org_id"] = (
                await organization(connection, await detect(connection, settings.host_schema), wanted.org)
            ).id
        if wanted.job is not None:
            try:
                values["job_id"] = UUID(wanted.job)
            except ValueError:
                raise InvalidError(f"{wanted.job!r} is no push job's id (a UUID).") from None
        jobs = (await connection.execute(JOBS, values)).mappings().all()
    if wanted.job is not None and not jobs:
        raise NotFoundError(f"There is no push job {wanted.job}.", code="job_not_found")
    return jobs
