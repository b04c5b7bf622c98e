"""The worker's part of the synchronisation of API keys: finds organizations whose key on NexusLeads' page has changed."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from clay_push_service import logs
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.settings.host_sync import lacks_keys, read_key_states, sync_api_key
from clay_push_service.host.detect import HostMissingError
from clay_push_service.host.org_settings import organizations_after
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.settings import Settings

PAGE = 250
"""Organizations compared in one transaction, with four statements."""
PAGES_PER_PASS = 8
"""Pages per pass. Each of 10,000 organizations is compared within a minute, as in the sweep of webhooks."""

log = logs.get(__name__)


class ApiKeySweep:
    """One per worker process. Several workers compare the same organizations; the lock of the settings lets one store a change."""

    def __init__(self, database: Database, host: HostTableCache, settings: Settings) -> None:
        self._database = database
        self._host = host
        self._seconds = settings.sweep_seconds
        self._box = SecretBox(settings.encryption_keys) if settings.encryption_keys else None
        self._after: UUID | None = None
        """The last organization of the pass before; None: begin with the first."""

    async def run(self) -> None:
        """Runs until cancelled and retries after every error."""
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the database, or a migration of the host's tables
                self._host.invalidate()
                log.warning("enrichment_key.pass_failed", **failure(error))
            await asyncio.sleep(self._seconds)

    async def run_pass(self) -> int:
        """Stores the changes of the next organizations. Returns the number of organizations whose change was stored."""
        stored = 0
        for _ in range(PAGES_PER_PASS):
            org_ids, changed = await self._host.on_fresh_tables(self._read_page)
            for org_id in changed:
                stored += await self._store(org_id)
            self._after = org_ids[-1] if len(org_ids) == PAGE else None
            if self._after is None:
                break
        return stored

    async def _read_page(self) -> tuple[Sequence[UUID], Sequence[UUID]]:
        """The organizations of the page, and those of them whose change must be stored."""
        async with self._database.transaction() as connection:
            try:
                tables = await self._host.tables(connection)
            except HostMissingError:  # `/status` and `doctor` report it
                return [], []
            org_ids = await organizations_after(connection, tables, self._after, PAGE)
            states = await read_key_states(connection, tables, org_ids, self._box)
        decisions = [(state.org_id, state.decision) for state in states]
        if lacking := sum(lacks_keys(decision, self._box) for _, decision in decisions):
            log.warning(
                "enrichment_key.no_encryption_keys", organizations=lacking, remedy="set CLAY_PUSH_ENCRYPTION_KEYS"
            )
        return org_ids, [
            org_id for org_id, decision in decisions if decision.stores and not lacks_keys(decision, self._box)
        ]

    async def _store(self, org_id: UUID) -> bool:
        """Stores one organization's change in its own transaction, so that a failure does not stop the others."""
        try:
            is_stored = await self._host.on_fresh_tables(lambda: self._synchronise(org_id))
        except Exception as error:  # noqa: BLE001 - the next pass repeats it
            self._host.invalidate()
            log.warning("enrichment_key.not_stored", org_id=str(org_id), **failure(error))
            return False
        if is_stored:
            log.info("enrichment_key.stored", org_id=str(org_id))
        return is_stored

    async def _synchronise(self, org_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            return await sync_api_key(connection, await self._host.tables(connection), org_id, self._box)
