"""The worker's part of the synchronisation with NexusLeads' settings page: finds organizations whose Clay settings changed.

NexusLeads' tables record no reliable time of a change, and a removed setting leaves no row. Therefore a pass compares the
settings of each organization with the stored fingerprints, a page of organizations with three statements.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from clay_push_service import logs, metrics
from clay_push_service.database.database import Database
from clay_push_service.database.failed_statement import failure
from clay_push_service.destination_settings.host_change import decide
from clay_push_service.destination_settings.host_sync import SettingsState, read_states, sync_host_settings
from clay_push_service.host.detect import HostMissingError
from clay_push_service.host.org_settings import organizations_after
from clay_push_service.host.table_cache import HostTableCache
from clay_push_service.host.tables import SettingsAccess
from clay_push_service.settings import Settings

PAGE = 250
"""Organizations in one transaction: measured at 30 ms on a busy machine, of which 5 ms are CPU of the worker's event loop."""
PAGES_PER_PASS = 8
"""2,000 organizations per pass: with a pass every 10 s, each of 10,000 organizations is compared within a minute."""

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Page:
    org_ids: Sequence[UUID]
    changed: Sequence[UUID]
    """Organizations whose settings must be stored."""
    lacking_keys: int


class HostSettingsSweep:
    """One per worker process. Several workers compare the same organizations; the destination's lock lets one store a change."""

    def __init__(self, database: Database, host: HostTableCache, settings: Settings) -> None:
        self._database = database
        self._host = host
        self._settings = settings
        self._after: UUID | None = None
        """The last organization of the pass before; None: begin with the first."""

    async def run(self) -> None:
        """Runs until cancelled and retries after every error."""
        while True:
            try:
                await self.run_pass()
            except Exception as error:  # noqa: BLE001 - the database, or a migration of the host's tables
                self._host.invalidate()
                log.warning("host_settings.pass_failed", **failure(error))
            await asyncio.sleep(self._settings.sweep_seconds)

    async def run_pass(self) -> int:
        """Stores the changes of the next organizations. Returns the number of organizations whose change was stored."""
        stored = lacking_keys = 0
        for _ in range(PAGES_PER_PASS):
            page = await self._host.on_fresh_tables(self._read_page)
            lacking_keys += page.lacking_keys
            for org_id in page.changed:
                stored += await self._store(org_id)
            self._after = page.org_ids[-1] if len(page.org_ids) == PAGE else None
            if self._after is None:
                break
        if lacking_keys:
            log.warning(
                "host_settings.no_encryption_keys", organizations=lacking_keys, remedy="set CLAY_PUSH_ENCRYPTION_KEYS"
            )
        return stored

    async def _read_page(self) -> _Page:
        async with self._database.transaction() as connection:
            try:
                tables = await self._host.tables(connection)
            except HostMissingError:  # `/status` and `doctor` report it
                return _Page((), (), 0)
            if tables.settings is SettingsAccess.NONE:
                return _Page((), (), 0)
            org_ids = await organizations_after(connection, tables, self._after, PAGE)
            states = await read_states(connection, tables, org_ids, self._settings)
        return self._compared(states)

    def _compared(self, states: Sequence[SettingsState]) -> _Page:
        changed, lacking_keys = [], 0
        for state in states:
            try:
                decision = decide(state.host, state.stored, self._settings)
            except Exception as error:  # noqa: BLE001 - values that the code does not expect, of one organization
                self._report_failure(state.org_id, error)
                continue
            lacking_keys += decision.lacks_keys
            if decision.stores and not decision.is_for_writes_only:
                changed.append(state.org_id)
        return _Page([state.org_id for state in states], changed, lacking_keys)

    async def _store(self, org_id: UUID) -> bool:
        """Stores one organization's change in its own transaction, so that a failure does not stop the others."""
        try:
            is_stored = await self._host.on_fresh_tables(lambda: self._synchronise(org_id))
        except Exception as error:  # noqa: BLE001 - the next pass repeats it
            self._host.invalidate()
            self._report_failure(org_id, error)
            return False
        if is_stored:
            metrics.HOST_SETTINGS.labels(end="stored").inc()
            log.info("host_settings.stored", org_id=str(org_id))
        return is_stored

    async def _synchronise(self, org_id: UUID) -> bool:
        async with self._database.transaction() as connection:
            tables = await self._host.tables(connection)
            return await sync_host_settings(connection, tables, org_id, self._settings)

    def _report_failure(self, org_id: UUID, error: Exception) -> None:
        metrics.HOST_SETTINGS.labels(end="failed").inc()
        log.warning("host_settings.not_stored", org_id=str(org_id), **failure(error))
