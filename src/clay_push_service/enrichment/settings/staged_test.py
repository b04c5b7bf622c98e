"""Tests the enrichment settings in stages: key, API, routine, and one item, which costs money and runs only on request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid4

from clay_push_service.clay.routines_body import ItemResult, ItemStatus, RunItem
from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from clay_push_service.clay.routines_client import ApiKey, KeyAccepted, RoutinesClient, RunStarted
from clay_push_service.clay.routines_outcome import ApiFailure
from clay_push_service.database.database import Database
from clay_push_service.enrichment.settings.kinds import Amount, Kind, Price
from clay_push_service.enrichment.settings.maps import found_fields, inputs_of, missing_values, unmapped_keys
from clay_push_service.enrichment.settings.pace import postpone_requests, reserve_request
from clay_push_service.enrichment.settings.table import Routine
from clay_push_service.errors import TooManyRequestsError
from clay_push_service.host.lead_row import LeadRow

MAX_WAIT_SECONDS: Final = 5.0
"""Longest wait for a slot of the pace, in seconds, because a user waits for the result."""
POLL_SECONDS: Sequence[float] = (0.5, 1.5, 3.0, 5.0, 5.0, 5.0)
"""Seconds before each poll of the test item; 20 s in all."""

MAX_POLL_SECONDS: Final = 40.0
"""Seconds after which no further poll begins: each poll can take as long as a request may."""


class StageName(StrEnum):
    KEY = "key"
    ENABLED = "enabled"
    ROUTINE = "routine"
    ITEM = "item"


class StageStatus(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNCLEAR = "unclear"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Stage:
    name: StageName
    status: StageStatus
    message: str
    cause: ApiCause | None = None
    remedy: str | None = None
    clay_status: int | None = None


@dataclass(slots=True)
class TestReport:
    __test__ = False  # keeps pytest from collecting it

    stages: list[Stage] = field(default_factory=list)
    found: Sequence[str] = ()
    """Fields that the test item filled."""
    unmapped_keys: Sequence[str] = ()
    ran_item: bool = False
    """Whether Clay may have charged an item."""

    @property
    def success(self) -> bool:
        return all(stage.status in {StageStatus.PASSED, StageStatus.NOT_RUN} for stage in self.stages)

    @property
    def may_continue(self) -> bool:
        return all(stage.status is not StageStatus.FAILED for stage in self.stages)

    def stage(self, name: StageName) -> Stage | None:
        return next((stage for stage in self.stages if stage.name is name), None)


def failed(name: StageName, cause: ApiCause, status: int | None = None, message: str | None = None) -> Stage:
    explanation = API_EXPLANATIONS[cause]
    return Stage(name, StageStatus.FAILED, message or explanation.message, cause, explanation.remedy, status)


@dataclass(slots=True)
class StagedTest:
    """One test. `before_item` records that an item is about to be started, and commits before any byte is sent."""

    database: Database
    client: RoutinesClient
    org_id: UUID
    key: ApiKey
    kind: Kind
    routine: Routine | None
    price: Price
    lead: LeadRow | None
    """The lead of the test item; None: no item is run."""
    before_item: Callable[[], Awaitable[None]]
    poll_seconds: Sequence[float] = field(default_factory=lambda: POLL_SECONDS)
    report: TestReport = field(default_factory=TestReport)

    async def run(self) -> TestReport:
        """Raises 429 `pace_busy` when the organization's pace has no free slot within some seconds."""
        for name, test in (
            (StageName.KEY, self._test_key),
            (StageName.ENABLED, self._test_enabled),
            (StageName.ROUTINE, self._test_routine),
            (StageName.ITEM, self._test_item),
        ):
            if self.report.may_continue:
                self.report.stages.append(await test())
            else:
                self.report.stages.append(Stage(name, StageStatus.NOT_RUN, "Not run: an earlier stage failed."))
        return self.report

    async def _test_key(self) -> Stage:
        await self._wait_for_turn()
        result = await self.client.check_key(self.key)
        if isinstance(result, KeyAccepted):
            return Stage(StageName.KEY, StageStatus.PASSED, "Clay accepts the API key.")
        return await self._failed(StageName.KEY, result)

    async def _test_enabled(self) -> Stage:
        """Tests whether the key may use routines: Clay then refuses the unknown routine, and not the key."""
        result = await self._probe(f"nexusleads-test-{uuid4()}")
        match result:
            case None | ApiFailure(cause=ApiCause.NOT_FOUND | ApiCause.REJECTED):
                status = 200 if result is None else result.status
                message = "The workspace of the key may run routines."
                return Stage(StageName.ENABLED, StageStatus.PASSED, message, clay_status=status)
            case ApiFailure(cause=ApiCause.INVALID_CREDENTIALS, status=status):
                return failed(StageName.ENABLED, ApiCause.API_NOT_ENABLED, status)
            case _:
                return await self._failed(StageName.ENABLED, result)

    async def _test_routine(self) -> Stage:
        if self.routine is None:
            return failed(StageName.ROUTINE, ApiCause.ROUTINE_NOT_SET)
        result = await self._probe(self.routine.routine_id)
        enabled = self.report.stage(StageName.ENABLED)
        is_distinguishable = enabled is not None and enabled.clay_status in {404, 410}
        match result:
            case None | ApiFailure(cause=ApiCause.REJECTED) if is_distinguishable:
                status = None if result is None else result.status
                message = "Clay has the routine: it refuses a run without items, and does not know another id."
                return Stage(StageName.ROUTINE, StageStatus.PASSED, message, clay_status=status)
            case None | ApiFailure(cause=ApiCause.REJECTED):
                return Stage(
                    StageName.ROUTINE, StageStatus.UNCLEAR,
                    "Clay answers the same for a routine that does not exist, so only an item can show whether it exists.",
                    remedy="Run the test with one item: `run_item`.", clay_status=None if result is None else result.status,
                )  # fmt: skip
            case _:
                return await self._failed(StageName.ROUTINE, result)

    async def _test_item(self) -> Stage:
        assert self.routine is not None  # noqa: S101 - the stage before it has failed otherwise
        if self.lead is None:
            message = f"Not run. One lead would use an estimated {describe(self.price)}."
            return Stage(StageName.ITEM, StageStatus.NOT_RUN, message, remedy="Send `run_item` true with a `lead_id`.")
        if missing := missing_values(self.kind, self.routine.inputs, self.lead):
            message = f"The lead lacks values that the routine needs: {', '.join(missing)}. Nothing was sent."
            return failed(StageName.ITEM, ApiCause.MISSING_INPUT, message=message)
        item = RunItem(str(uuid4()), inputs_of(self.routine.inputs, self.lead))
        await self._wait_for_turn()
        await self.before_item()
        started = await self.client.start_run(self.key, self.routine.routine_id, [item])
        if isinstance(started, ApiFailure):
            self.report.ran_item = started.may_have_started
            return await self._failed(StageName.ITEM, started)
        self.report.ran_item = True
        return await self._await_item(started, item)

    async def _await_item(self, started: RunStarted, item: RunItem) -> Stage:
        deadline = time.monotonic() + MAX_POLL_SECONDS
        for seconds in self.poll_seconds:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(seconds)
            await self._wait_for_turn()
            page = await self.client.read_results(self.key, started.run_id)
            if isinstance(page, ApiFailure):
                if page.cause is ApiCause.NOT_FOUND:
                    return failed(StageName.ITEM, ApiCause.EXPIRED, page.status)
                await self._note(page)
                continue  # a read is repeated; nothing is charged again
            result = next((each for each in page.items if each.id == item.id), None)
            if result is not None and result.status is not ItemStatus.PENDING:
                return self._stage_of(result)
        explanation = API_EXPLANATIONS[ApiCause.STILL_RUNNING]
        return Stage(
            StageName.ITEM, StageStatus.UNCLEAR, explanation.message, ApiCause.STILL_RUNNING, explanation.remedy
        )  # fmt: skip

    def _stage_of(self, result: ItemResult) -> Stage:
        assert self.routine is not None  # noqa: S101 - an item was run
        if result.status is ItemStatus.FAILED:
            return failed(StageName.ITEM, ApiCause.ITEM_FAILED)
        self.report.found = found_fields(self.routine.outputs, result.result)
        self.report.unmapped_keys = unmapped_keys(self.routine.outputs, result.result)
        if not self.report.found:
            explanation = API_EXPLANATIONS[ApiCause.NO_DATA]
            remedy = f"{explanation.remedy} Compare `unmapped_keys` with the outputs that you have set."
            return Stage(StageName.ITEM, StageStatus.UNCLEAR, explanation.message, ApiCause.NO_DATA, remedy)
        return Stage(StageName.ITEM, StageStatus.PASSED, f"Clay found: {', '.join(self.report.found)}.")

    async def _probe(self, routine_id: str) -> ApiFailure | None:
        await self._wait_for_turn()
        return await self.client.probe_routine(self.key, routine_id)

    async def _failed(self, name: StageName, failure: ApiFailure) -> Stage:
        await self._note(failure)
        return failed(name, failure.cause, failure.status)

    async def _note(self, failure: ApiFailure) -> None:
        """Records the response. A 429 delays the requests of the whole organization."""
        if failure.cause is ApiCause.RATE_LIMITED and failure.retry_after_seconds is not None:
            async with self.database.transaction() as connection:
                await postpone_requests(connection, self.org_id, failure.retry_after_seconds)

    async def _wait_for_turn(self) -> None:
        """Waits for a slot of the pace, without a connection."""
        started = time.monotonic()
        async with self.database.transaction() as connection:
            slot = await reserve_request(connection, self.org_id, MAX_WAIT_SECONDS)
        seconds = slot.wait.total_seconds()
        if not slot.is_reserved:
            raise TooManyRequestsError(
                "Other requests of your organization wait for Clay's API, or for a pause that Clay requires; test again later.",
                code="pace_busy",
                headers={"Retry-After": str(int(seconds) + 1)},
            )
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - started)))


def describe(price: Price) -> str:
    return f"{_range(price.credits)} credits and {_range(price.actions)} actions"


def _range(amount: Amount) -> str:
    if amount.high is None:
        return f"at least {amount.low:f}"
    return f"{amount.low:f}" if amount.low == amount.high else f"{amount.low:f} to {amount.high:f}"
