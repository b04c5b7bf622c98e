"""Checks every minute whether results of any destination have stopped. Every worker checks; the first one that finds it marks the destination."""

import asyncio

from clay_push_service import logs
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.deliveries.missing_results import check_destinations

CHECK_SECONDS = 60.0
"""The shortest window is 30 minutes, so a minute more does not matter."""

log = logs.get(__name__)


class ResultsCheck:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        while True:
            try:
                async with self._database.transaction() as connection:
                    await check_destinations(connection)
            except Exception as error:  # noqa: BLE001 - the next check repeats it
                log.warning("results_check.failed", **failure(error))
            await asyncio.sleep(CHECK_SECONDS)
