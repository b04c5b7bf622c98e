"""`clay-push enrich`: prints the estimate, requests leads from Clay in jobs of 50 with the functions of the API, and can show progress."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.enrich.request import EnrichArguments, select_leads
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.accept import AcceptedEnrichment, EnrichRequest, price_for
from clay_push_service.enrichment.jobs.queries import read_job
from clay_push_service.enrichment.jobs.schemas import EnrichmentJobView
from clay_push_service.enrichment.jobs.service import EnrichmentService
from clay_push_service.enrichment.ledger.states import ENDED, EnrichmentJobStatus
from clay_push_service.enrichment.settings.table import read_routines
from clay_push_service.enrichment.settings.trial_schemas import MAX_LEADS, CostEstimate
from clay_push_service.enrichment.settings.views import AmountView
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.push_jobs.summary import leads
from clay_push_service.settings import Settings

POLL_SECONDS: Final = 0.5
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RunOptions:
    dry_run: bool = False
    is_confirmed: bool = False
    """False: the command requires a confirmation before it requests anything."""
    watch: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    org_id: UUID
    lead_ids: Sequence[UUID]
    skipped: int
    estimate: CostEstimate


def run(settings: Settings, org: str, arguments: EnrichArguments, options: RunOptions) -> int:
    """Returns the exit code: 0 if a lead was queued (dry run: would be), with `watch` if no lead failed or expired."""
    plan = asyncio.run(_run_with_enrich(settings, lambda enrich: enrich.plan(org, arguments)))
    requested = len(plan.lead_ids) - plan.skipped
    _print_estimate(arguments, plan, requested)
    if not requested or options.dry_run:
        _print("Nothing was requested.")
        return 0 if requested else 1
    if not options.is_confirmed:
        # Outside of the event loop, which would prevent Ctrl-C from ending the prompt.
        typer.confirm("Request these leads from Clay?", abort=True)
    try:
        return asyncio.run(
            _run_with_enrich(settings, lambda enrich: enrich.request(arguments, plan, watch=options.watch))
        )
    except KeyboardInterrupt:
        typer.echo("Stopped watching. The enrichment jobs continue.", err=True)
        return 130


async def _run_with_enrich(settings: Settings, act: "Callable[[_Enrich], Awaitable[Result]]") -> Result:
    enrich = _Enrich(settings)
    try:
        return await act(enrich)
    finally:
        await enrich.close()


class _Enrich:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database.for_shell(settings.database_url)
        self._host = HostTableCache(settings.host_schema)

    async def close(self) -> None:
        await self._database.close()

    async def plan(self, org_name: str, arguments: EnrichArguments) -> _Plan:
        """Raises 404 for an unknown organization, project or lead."""

        async def read() -> _Plan:
            async with self._database.transaction() as connection:
                tables = await self._host.tables(connection)
                org = await find_organization(connection, tables, org_name)
                lead_ids, skipped = await select_leads(connection, tables, org, arguments)
                routine = (await read_routines(connection, org.id)).get(arguments.kind)
            price = price_for(arguments.kind, arguments.way, routine)
            return _Plan(
                org.id, lead_ids, skipped, CostEstimate.of_price(arguments.kind, price, len(lead_ids) - skipped)
            )

        return await self._host.on_fresh_tables(read)

    async def request(self, arguments: EnrichArguments, plan: _Plan, *, watch: bool) -> int:
        starts = range(0, len(plan.lead_ids), MAX_LEADS)
        jobs = [
            await self._request_some(arguments, plan.org_id, plan.lead_ids[each : each + MAX_LEADS]) for each in starts
        ]
        if not watch:
            return 0
        ended = [await self._watch(plan.org_id, each) for each in jobs]
        return 0 if all(_is_good(each) for each in ended) else 1

    async def _request_some(self, arguments: EnrichArguments, org_id: UUID, lead_ids: Sequence[UUID]) -> UUID:
        """One job of up to 50 leads, in a transaction of its own: a refusal leaves the earlier jobs queued."""

        async def accept() -> AcceptedEnrichment:
            async with self._database.transaction() as connection:
                tables = await self._host.tables(connection)
                box = SecretBox(self._settings.encryption_keys) if self._settings.encryption_keys else None
                service = EnrichmentService(connection, tables, self._settings, box, Actor(org_id, shell_actor()))
                return await service.enrich(
                    EnrichRequest(lead_ids, arguments.kind, arguments.basis, arguments.way, again=arguments.again)
                )

        accepted = await self._host.on_fresh_tables(accept)
        queued = leads(accepted.requested_count)
        message = f"Enrichment job {accepted.job_id}: {queued} queued, {accepted.skipped_count:,} skipped."
        if accepted.budget_for < accepted.requested_count:
            message += f" The daily budget covers at least {accepted.budget_for:,} of them."
        _print(message)
        return accepted.job_id

    async def _watch(self, org_id: UUID, job_id: UUID) -> EnrichmentJobView:
        shown = -1
        while True:
            async with self._database.transaction() as connection:
                job = await read_job(connection, org_id, job_id)
            if job.progress_percent != shown:
                shown = job.progress_percent
                _print(f"  {job.lead_count - job.pending_count:,} of {leads(job.lead_count)} have ended.")
            if job.status in ENDED:
                _print_result(job)
                return job
            await asyncio.sleep(POLL_SECONDS)


def _print_estimate(arguments: EnrichArguments, plan: _Plan, requested: int) -> None:
    estimate = plan.estimate
    skipped = f" {plan.skipped:,} would be skipped." if plan.skipped else ""
    _print(
        f"{leads(requested)} would be requested, kind {arguments.kind}, by way of the {arguments.way}.{skipped}"
        f" Estimated cost: {_range(estimate.credits)} credits, {_range(estimate.actions)} actions."
    )
    for note in estimate.notes:
        _print(f"  {note}")


def _print_result(job: EnrichmentJobView) -> None:
    _print(
        f"Enrichment job {job.id}: {job.status}. {job.found_count:,} found, {job.partial_count:,} in part, {job.nothing_count:,} without"
        f" data, {job.failed_count:,} failed, {job.expired_count:,} expired, {job.skipped_count:,} skipped, {job.cancelled_count:,}"
        f" cancelled. Estimated cost: {job.spent.credits:g} credits, {job.spent.actions:g} actions."
    )
    for cause in job.causes:
        _print(f"    {cause.count:,} × {cause.cause}: {cause.message} {cause.remedy}")


def _print(message: str) -> None:
    """Prints plain text, not markup: texts come from databases."""
    Console().print(Text(message), soft_wrap=True)


def _is_good(job: EnrichmentJobView) -> bool:
    return job.status is EnrichmentJobStatus.COMPLETED and not job.failed_count and not job.expired_count


def _range(amount: AmountView) -> str:
    return f"at least {amount.low:g}" if amount.high is None else f"{amount.low:g} to {amount.high:g}"
