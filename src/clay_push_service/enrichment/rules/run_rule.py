"""Runs auto-enrich rules in the worker: chooses leads by score, and accepts jobs of 50 within the off-peak window."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.callers.actor import Actor
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_about_the_data
from clay_push_service.deliveries.suppression import read_excluding
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.accept import EnrichRequest
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.enrichment.ledger.states import EnrichmentMode
from clay_push_service.enrichment.rules.blocked import blocked_by
from clay_push_service.enrichment.rules.rule import EnrichRule, read_rule
from clay_push_service.enrichment.rules.runs import (
    DueRun,
    RuleRunOutcome,
    finish_run,
    postpone_run,
    queue_stale_runs,
    take_run,
)
from clay_push_service.enrichment.rules.selection import RunReason, evaluate_leads, read_chosen
from clay_push_service.enrichment.settings.table import lock_settings
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS
from clay_push_service.errors import ClayPushError
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings

ACTOR: Final = "rule:auto-enrich"
IDLE_SECONDS = 10.0
CLOSED_DELAY = timedelta(minutes=10)
"""Delay of a run whose off-peak window is closed."""
FAILED_DELAY = timedelta(minutes=10)
"""Delay of a run that raised an unexpected error."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RuleRunner:
    """One per worker process."""

    database: Database
    host: HostTableCache
    settings: Settings
    box: SecretBox | None
    now: Callable[[], datetime]

    async def run(self) -> None:
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the next pass repeats it
                log.warning("auto_enrich.failed", **failure(error))
            await asyncio.sleep(IDLE_SECONDS)

    async def run_pass(self) -> int:
        """Run every rule that is due. Returns the number of runs."""
        async with self.database.transaction() as connection:
            await queue_stale_runs(connection)
        number = 0
        while await self._run_next():
            number += 1
        return number

    async def _run_next(self) -> bool:
        """Performs one run in one transaction: its jobs and its end commit together. Returns False if no run is due."""
        async with self.database.transaction() as connection:
            run = await take_run(connection)
            if run is None:
                return False
            before = await connection.begin_nested()
            try:
                await self._run(connection, run)
            except ClayPushError as error:
                await before.rollback()
                await finish_run(connection, run, RuleRunOutcome.REFUSED, error.detail)
                log.info("auto_enrich.refused", project_id=str(run.project_id), code=error.code)
            except Exception as error:
                if isinstance(error, UNAVAILABLE) and not is_about_the_data(error):
                    raise  # the next pass repeats it
                await before.rollback()
                await postpone_run(connection, run, FAILED_DELAY)  # so that it does not stop the runs behind it
                log.error("auto_enrich.run_failed", run_id=str(run.id), **failure(error))  # noqa: TRY400 - a trace can quote a value
            else:
                await before.commit()
        return True

    async def _run(self, connection: AsyncConnection, run: DueRun) -> None:
        rule = await read_rule(connection, run.org_id, run.project_id)
        row = await lock_settings(connection, run.org_id)
        blocked = blocked_by(rule, row, RunReason(run.reason))
        if blocked is not None:
            await finish_run(connection, run, blocked.outcome, blocked.message)
        elif not rule.is_open(self.now(), row.time_zone):
            await postpone_run(connection, run, CLOSED_DELAY)
        else:
            await self._enrich(connection, run, rule)

    async def _enrich(self, connection: AsyncConnection, run: DueRun, rule: EnrichRule) -> None:
        tables = await self.host.tables(connection)
        reason = RunReason(run.reason)
        evaluated = evaluate_leads(
            tables, run.org_id, run.project_id, rule, reason, await read_excluding(connection, run.org_id)
        )
        lead_ids = await read_chosen(connection, evaluated)
        service = EnrichmentService(connection, tables, self.settings, self.box, Actor(run.org_id, ACTOR))
        is_stale = reason is RunReason.STALE
        job_ids = []
        for start in range(0, len(lead_ids), MAX_LEADS):
            request = EnrichRequest(
                lead_ids[start : start + MAX_LEADS], rule.kind, rule.legal_basis, rule.way, again=is_stale,
                mode=EnrichmentMode.STALE if is_stale else EnrichmentMode.AUTO, source_job_id=run.source_job_id,
            )  # fmt: skip
            job_ids.append((await service.enrich(request)).job_id)
        outcome = RuleRunOutcome.QUEUED if job_ids else RuleRunOutcome.NOTHING_NEW
        message = f"{len(lead_ids):,} leads are queued." if job_ids else "No lead of this project passes the rule."
        await finish_run(connection, run, outcome, message, job_ids, len(lead_ids))
        metrics.AUTO_ENRICH.labels(end=outcome.value).inc()
        log.info(
            "auto_enrich.ran", project_id=str(run.project_id), reason=run.reason, leads=len(lead_ids), jobs=len(job_ids)
        )  # fmt: skip
