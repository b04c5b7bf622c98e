"""Runs the staged test of an organization's enrichment settings, records and reads its result, and estimates what leads would cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from clay_push_service.clay.routines_client import RoutinesClient
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.database.failures import on_fresh_plan
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.settings.credentials import Credentials, credentials_of
from clay_push_service.enrichment.settings.kinds import Kind, Price, price_of
from clay_push_service.enrichment.settings.leads import read_lead, require_leads
from clay_push_service.enrichment.settings.pace import resume_rules
from clay_push_service.enrichment.settings.service import EnrichmentSettings, require_plan
from clay_push_service.enrichment.settings.staged_test import (
    Stage,
    StagedTest,
    StageName,
    StageStatus,
    TestReport,
    failed,
)
from clay_push_service.enrichment.settings.table import (
    ApiKeyState,
    Routine,
    lock_settings,
    read_routines,
    record_key_check,
)
from clay_push_service.enrichment.settings.trial_schemas import (
    EnrichmentTestBody,
    EnrichmentTestResult,
    EstimateBody,
    LeadEstimate,
)
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings

NOT_RUN: Final = "Not run: an earlier stage failed."


@dataclass(frozen=True, slots=True)
class _Prepared:
    credentials: Credentials
    routine: Routine | None
    price: Price
    lead: LeadRow | None


async def run_test(
    service: EnrichmentSettings, client: ClayClient, clock: DatabaseClock, body: EnrichmentTestBody
) -> EnrichmentTestResult:
    """Raises 403 `enterprise_required`, 404 `lead_not_found`, 429 `pace_busy`."""
    await service.synchronise()
    prepared = await service.host.on_fresh_tables(lambda: _prepare(service, body))
    key = prepared.credentials.key
    if key is None:
        report = _without_key(prepared.credentials.cause or ApiCause.NOT_CONFIGURED)
    else:

        async def before_item() -> None:
            await _record(service, "enrichment.test_item_started", {"kind": body.kind, "lead_id": str(body.lead_id)})

        def now() -> datetime:
            return clock.now()

        report = await StagedTest(
            service.database, RoutinesClient.create(client, service.settings, now), service.actor.org_id, key, body.kind,
            prepared.routine, prepared.price, prepared.lead, before_item,
        ).run()  # fmt: skip
    await _note_result(service, prepared.credentials, body.kind, report)
    return EnrichmentTestResult.of(body.kind, prepared.price, report)


async def estimate(service: EnrichmentSettings, body: EstimateBody) -> LeadEstimate:
    """Raises 403 `enterprise_required`, 404 `lead_not_found`."""

    async def read() -> LeadEstimate:
        async with service.database.transaction() as connection:
            tables = await service.host.tables(connection)
            return await estimate_leads(connection, tables, service.actor.org_id, service.settings, body)

    return await service.host.on_fresh_tables(read)


async def estimate_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, settings: Settings, body: EstimateBody
) -> LeadEstimate:
    """`estimate` in the caller's transaction. Raises 403 `enterprise_required`, 404 `lead_not_found`."""
    await require_plan(connection, tables, org_id, settings)
    await require_leads(connection, tables, org_id, body.lead_ids)
    price = _price(body.kind, (await read_routines(connection, org_id)).get(body.kind))
    return LeadEstimate.of(body.kind, len(set(body.lead_ids)), price)


async def _prepare(service: EnrichmentSettings, body: EnrichmentTestBody) -> _Prepared:
    org_id = service.actor.org_id
    async with service.database.transaction() as connection:
        tables = await service.host.tables(connection)
        await require_plan(connection, tables, org_id, service.settings)
        row = await lock_settings(connection, org_id)  # creates the row that holds the pace
        credentials = await credentials_of(connection, tables, row, org_id, service.box, service.settings)
        routine = (await read_routines(connection, org_id)).get(body.kind)
        lead = None
        if body.run_item and body.lead_id is not None:
            lead = await read_lead(connection, tables, org_id, body.lead_id)
    return _Prepared(credentials, routine, _price(body.kind, routine), lead)


def _price(kind: Kind, routine: Routine | None) -> Price:
    return price_of(kind, routine.credits if routine else None, routine.actions if routine else None)


def _without_key(cause: ApiCause) -> TestReport:
    later: Sequence[StageName] = (StageName.ENABLED, StageName.ROUTINE, StageName.ITEM)
    return TestReport([failed(StageName.KEY, cause), *(Stage(name, StageStatus.NOT_RUN, NOT_RUN) for name in later)])


async def _note_result(service: EnrichmentSettings, credentials: Credentials, kind: Kind, report: TestReport) -> None:
    state = _key_state(report)

    async def write() -> None:
        async with service.database.transaction() as connection:
            if state is not None and credentials.key_number:
                await record_key_check(connection, service.actor.org_id, credentials.key_number, state)
            if report.ran_item and report.success:  # only an item shows that credits are left
                await resume_rules(connection, service.actor.org_id)
            details: dict[str, Detail] = {
                "kind": kind,
                "success": report.success,
                "ran_item": report.ran_item,
                "stages": [f"{stage.name}: {stage.cause or stage.status}" for stage in report.stages],
            }
            await audit(connection, service.actor.org_id, service.actor.name, "enrichment.tested", details)

    await on_fresh_plan(write)


def _key_state(report: TestReport) -> ApiKeyState | None:
    """Returns what the test shows about the key; None: nothing."""
    key, enabled = report.stage(StageName.KEY), report.stage(StageName.ENABLED)
    if key is not None and key.cause is ApiCause.INVALID_CREDENTIALS:
        return ApiKeyState.REFUSED
    if enabled is not None and enabled.cause is ApiCause.API_NOT_ENABLED:
        return ApiKeyState.REFUSED
    return ApiKeyState.ACCEPTED if key is not None and key.status is StageStatus.PASSED else None


async def _record(service: EnrichmentSettings, action: str, details: dict[str, Detail]) -> None:
    async with service.database.transaction() as connection:
        await audit(connection, service.actor.org_id, service.actor.name, action, details)


class _TestRow(NamedTuple):
    at: datetime
    actor: str
    kind: str
    ran_item: bool
    stages: Sequence[str]


LAST = Statement(
    """
SELECT at, actor, details ->> 'kind' AS kind, CAST(details ->> 'ran_item' AS boolean) AS ran_item,
       ARRAY(SELECT jsonb_array_elements_text(details -> 'stages')) AS stages
FROM clay.audit_log
WHERE org_id = :org_id AND action = 'enrichment.tested' AND details ->> 'kind' = CAST(:kind AS text)
ORDER BY id DESC LIMIT 1
""",
    _TestRow,
)
MESSAGES = {
    StageStatus.PASSED: "Passed.",
    StageStatus.NOT_RUN: "Not run.",
    StageStatus.FAILED: "Failed.",
    StageStatus.UNCLEAR: "Clay answers the same for a routine that does not exist. A test with one lead shows whether it exists.",
}
UNCLEAR = frozenset({ApiCause.STILL_RUNNING, ApiCause.NO_DATA})
"""Causes of a stage without a conclusion."""


class LastEnrichmentTest(NamedTuple):
    at: datetime
    actor: str
    kind: Kind
    ran_item: bool
    stages: Sequence[Stage]


async def read_last_test(connection: AsyncConnection, org_id: UUID, kind: Kind) -> LastEnrichmentTest | None:
    """Returns the last test of this routine; None: never tested."""
    row = await LAST.one_or_none(connection, {"org_id": org_id, "kind": kind})
    if row is None:
        return None
    return LastEnrichmentTest(row.at, row.actor, Kind(row.kind), row.ran_item, [stage_of(each) for each in row.stages])


def stage_of(recorded: str) -> Stage:
    """Parses `key: passed` or `key: invalid_credentials`, as `_note_result` records it: a status, or the cause of another result."""
    name, _, result = recorded.partition(": ")
    if result in set(StageStatus):
        status = StageStatus(result)
        return Stage(StageName(name), status, MESSAGES[status])
    cause = ApiCause(result)
    explanation = API_EXPLANATIONS[cause]
    status = StageStatus.UNCLEAR if cause in UNCLEAR else StageStatus.FAILED
    return Stage(StageName(name), status, explanation.message, cause, explanation.remedy)
