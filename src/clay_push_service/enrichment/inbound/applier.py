"""The worker's loop that applies stored results, about once a second, one batch of one organization per transaction."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from clay_push_service import logs, metrics
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.database.failures import UNAVAILABLE, is_about_the_data
from clay_push_service.deliveries import confirm
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.inbound import results
from clay_push_service.enrichment.inbound.apply import apply_results
from clay_push_service.enrichment.inbound.results import Finished, ResultCause, ResultState
from clay_push_service.enrichment.values import store
from clay_push_service.host.table_cache import HostTableCache

BATCH = 100
"""Results of one transaction: the longest time that an erasure or an edit of the same organization waits, about 0.1 s."""
IDLE_SECONDS = 1.0
"""Seconds between two passes. A pass without results reads two small partial indexes."""

log = logs.get(__name__)


class ResultApplier:
    def __init__(self, database: Database, host: HostTableCache, box: SecretBox) -> None:
        self._database = database
        self._host = host
        self._box = box

    async def run(self) -> None:
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the next pass repeats it
                log.warning("results.not_applied", **failure(error))
            await asyncio.sleep(IDLE_SECONDS)

    async def run_pass(self) -> int:
        """Applies all stored results. Returns their number."""
        async with self._database.transaction() as connection:
            waiting = await results.organizations_waiting(connection)
            unsettled = await confirm.organizations_unsettled(connection)
        applied = 0
        while waiting:  # organizations take turns, so that a large one does not delay the others
            counts = [(org_id, await self._apply_batch(org_id)) for org_id in waiting]
            applied += sum(count for _, count in counts)
            waiting = [org_id for org_id, count in counts if count == BATCH]
        for org_id in unsettled:
            async with self._database.transaction() as connection:
                await confirm.settle(connection, org_id)
        return applied

    async def _apply_batch(self, org_id: UUID) -> int:
        try:
            return await self._apply(org_id)
        except Exception as error:  # noqa: BLE001 - one of the results causes it: the others are applied one by one
            _raise_unless_of_data(error)
            log.warning("results.batch_failed", org_id=str(org_id), **failure(error))
        done = 0
        while done < BATCH and await self._apply_one(org_id):
            done += 1
        return done

    async def _apply_one(self, org_id: UUID) -> int:
        """Apply the oldest result. One that raises an error goes into quarantine in the same transaction.

        In a second transaction, the oldest result may be another one, because another worker has locked this one.
        """
        async with self._database.transaction() as connection:
            await store.lock(connection, org_id)
            waiting = await results.take(connection, org_id, 1)
            finished: Sequence[Finished] = ()
            if waiting:
                tables = await self._host.tables(connection)
                before = await connection.begin_nested()
                try:
                    finished = await apply_results(connection, tables, self._box, org_id, waiting)
                except Exception as error:  # noqa: BLE001 - a defect must not stop the results behind this one
                    _raise_unless_of_data(error)
                    await before.rollback()
                    log.error("results.quarantined", org_id=str(org_id), **failure(error))  # noqa: TRY400 - a trace can quote a value
                    finished = [Finished(each.id, ResultState.UNMATCHED, ResultCause.ERROR) for each in waiting]
                    await results.finish(connection, org_id, finished)
                else:
                    await before.commit()
        count_finished(finished)
        return len(waiting)

    async def _apply(self, org_id: UUID) -> int:
        async with self._database.transaction() as connection:
            await store.lock(connection, org_id)
            waiting = await results.take(connection, org_id, BATCH)
            finished: Sequence[Finished] = ()
            if waiting:
                tables = await self._host.tables(connection)
                finished = await apply_results(connection, tables, self._box, org_id, waiting)
        count_finished(finished)
        return len(waiting)


def _raise_unless_of_data(error: Exception) -> None:
    """Raises an error of the database or the network again. The results stay stored and are applied when the database responds."""
    if isinstance(error, UNAVAILABLE) and not is_about_the_data(error):
        raise error


def count_finished(finished: Sequence[Finished]) -> None:
    """Count results in the metrics, after their transaction has committed."""
    for each in finished:
        metrics.RESULTS.labels(state=each.state.value, cause=each.cause.value if each.cause else "none").inc()
