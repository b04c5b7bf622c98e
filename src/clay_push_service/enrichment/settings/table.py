"""The rows of an organization's enrichment settings: all statements on `enrichment_settings` and `enrichment_routines`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.settings.kinds import Amount, Kind

DEFAULT_PER_MINUTE = 100
"""The guide: 100 requests per minute in Clay's Standard plan, 300 in Pro, own limits in Enterprise."""
DEFAULT_TIME_ZONE = "UTC"
DEFAULT_TABLE_ANSWER_MINUTES = 120
"""Tables of slow providers take some minutes for a row; after two hours the row never calls back in practice."""


class ApiKeyState(StrEnum):
    UNTRIED = "untried"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class KeySource(StrEnum):
    API = "api"
    HOST = "host"
    ENVIRONMENT = "environment"
    """Never stored: the key is `CLAY_API_KEY` of the installation."""


class SettingsRow(NamedTuple):
    """One organization's settings; the key is sealed."""

    id: UUID
    org_id: UUID
    version: int
    sealed_api_key: bytes | None
    key_mask: str | None
    key_source: str | None
    key_state: str
    key_number: int
    key_checked_at: datetime | None
    host_fingerprint: bytes | None
    requests_per_minute: int
    credits_per_day: Decimal | None
    actions_per_day: int | None
    time_zone: str
    changed_by: str | None
    changed_at: datetime
    run_webhook_id: str | None
    sealed_webhook_secret: bytes | None
    rules_paused_at: datetime | None
    rules_paused_cause: str | None
    table_answer_minutes: int

    def __repr__(self) -> str:
        return f"SettingsRow(id={self.id}, version={self.version})"


class _RoutineRow(NamedTuple):
    kind: str
    routine_id: str
    inputs: str
    outputs: str
    credits_low: Decimal | None
    credits_high: Decimal | None
    actions_low: Decimal | None
    actions_high: Decimal | None


@dataclass(frozen=True, slots=True)
class Routine:
    """A routine in Clay, with its maps and its estimated price per lead."""

    routine_id: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    credits: Amount | None = None
    actions: Amount | None = None


COLUMNS = """id, org_id, version, sealed_api_key, key_mask, key_source, key_state, key_number, key_checked_at,
       host_fingerprint, requests_per_minute, credits_per_day, actions_per_day, time_zone, changed_by, changed_at,
       run_webhook_id, sealed_webhook_secret, rules_paused_at, rules_paused_cause, table_answer_minutes"""
READ = Statement(
    f"SELECT {COLUMNS} FROM clay.enrichment_settings WHERE org_id = ANY(CAST(:org_ids AS uuid[]))", SettingsRow
)
LOCK = Statement(f"SELECT {COLUMNS} FROM clay.enrichment_settings WHERE org_id = :org_id FOR UPDATE", SettingsRow)
ENSURE = Statement("""
INSERT INTO clay.enrichment_settings (id, org_id) VALUES (gen_random_uuid(), :org_id) ON CONFLICT (org_id) DO NOTHING
""")
SET_KEY = Statement("""
UPDATE clay.enrichment_settings
SET sealed_api_key = :sealed, key_mask = :mask, key_source = :source, key_state = 'untried', key_checked_at = NULL,
    key_number = key_number + 1
WHERE org_id = :org_id
""")
SET_VALUES = Statement("""
UPDATE clay.enrichment_settings
SET requests_per_minute = :requests_per_minute, credits_per_day = :credits_per_day, actions_per_day = :actions_per_day,
    time_zone = :time_zone, table_answer_minutes = :table_answer_minutes
WHERE org_id = :org_id
""")
SET_RUN_WEBHOOK = Statement("""
UPDATE clay.enrichment_settings SET run_webhook_id = :id, sealed_webhook_secret = :sealed WHERE org_id = :org_id
""")
NOTE_CHANGE = Statement(
    """
UPDATE clay.enrichment_settings SET version = version + 1, changed_by = :actor, changed_at = now() WHERE org_id = :org_id
RETURNING version
""",
    int,
)
RECORD_KEY_CHECK = Statement("""
UPDATE clay.enrichment_settings SET key_state = :state, key_checked_at = now()
WHERE org_id = :org_id AND key_number = :key_number AND sealed_api_key IS NOT NULL
""")
STORE_FINGERPRINT = Statement(
    "UPDATE clay.enrichment_settings SET host_fingerprint = :fingerprint WHERE org_id = :org_id"
)
READ_ROUTINES = Statement(
    """
SELECT kind, routine_id, inputs::text AS inputs, outputs::text AS outputs, credits_low, credits_high, actions_low, actions_high
FROM clay.enrichment_routines WHERE org_id = :org_id
""",
    _RoutineRow,
)
PUT_ROUTINE = Statement("""
INSERT INTO clay.enrichment_routines (id, org_id, kind, routine_id, inputs, outputs, credits_low, credits_high, actions_low,
                                      actions_high)
VALUES (gen_random_uuid(), :org_id, :kind, :routine_id, CAST(:inputs AS jsonb), CAST(:outputs AS jsonb), :credits_low,
        :credits_high, :actions_low, :actions_high)
ON CONFLICT (org_id, kind) DO UPDATE
SET routine_id = excluded.routine_id, inputs = excluded.inputs, outputs = excluded.outputs,
    credits_low = excluded.credits_low, credits_high = excluded.credits_high, actions_low = excluded.actions_low,
    actions_high = excluded.actions_high
""")
DELETE_ROUTINE = Statement("DELETE FROM clay.enrichment_routines WHERE org_id = :org_id AND kind = :kind")


async def read_settings(connection: AsyncConnection, org_ids: Sequence[UUID]) -> Mapping[UUID, SettingsRow]:
    return {row.org_id: row for row in await READ.rows(connection, {"org_ids": org_ids})}


async def lock_settings(connection: AsyncConnection, org_id: UUID) -> SettingsRow:
    """Locks the row until the transaction ends. Creates it if there is none."""
    await ENSURE.execute(connection, {"org_id": org_id})
    return await LOCK.one(connection, {"org_id": org_id})


async def lock_existing_settings(connection: AsyncConnection, org_id: UUID) -> None:
    """Locks the row, if there is one: waits for requests to enrich that are being accepted, which hold it. Creates none."""
    await LOCK.rows(connection, {"org_id": org_id})


async def set_key(
    connection: AsyncConnection, org_id: UUID, sealed: bytes | None, mask: str | None, source: KeySource | None
) -> None:
    values = {"org_id": org_id, "sealed": sealed, "mask": mask, "source": source}
    await SET_KEY.execute(connection, values)


async def set_values(
    connection: AsyncConnection,
    org_id: UUID,
    *,
    requests_per_minute: int,
    credits_per_day: Decimal | None,
    actions_per_day: int | None,
    time_zone: str,
    table_answer_minutes: int,
) -> None:
    values = {
        "org_id": org_id, "requests_per_minute": requests_per_minute, "credits_per_day": credits_per_day,
        "actions_per_day": actions_per_day, "time_zone": time_zone, "table_answer_minutes": table_answer_minutes,
    }  # fmt: skip
    await SET_VALUES.execute(connection, values)


async def set_run_webhook(
    connection: AsyncConnection, org_id: UUID, webhook_id: str | None, sealed: bytes | None
) -> None:
    await SET_RUN_WEBHOOK.execute(connection, {"org_id": org_id, "id": webhook_id, "sealed": sealed})


async def increase_version(connection: AsyncConnection, org_id: UUID, actor: str) -> int:
    """Returns the new version."""
    return await NOTE_CHANGE.one(connection, {"org_id": org_id, "actor": actor})


async def record_key_check(connection: AsyncConnection, org_id: UUID, key_number: int, state: ApiKeyState) -> None:
    """Records whether Clay accepted the key, unless the key was replaced meanwhile."""
    await RECORD_KEY_CHECK.execute(connection, {"org_id": org_id, "key_number": key_number, "state": state})


async def store_fingerprint(connection: AsyncConnection, org_id: UUID, fingerprint: bytes) -> None:
    await STORE_FINGERPRINT.execute(connection, {"org_id": org_id, "fingerprint": fingerprint})


async def read_routines(connection: AsyncConnection, org_id: UUID) -> Mapping[Kind, Routine]:
    return {
        Kind(row.kind): Routine(
            row.routine_id, json.loads(row.inputs), json.loads(row.outputs),
            _amount(row.credits_low, row.credits_high), _amount(row.actions_low, row.actions_high),
        )
        for row in await READ_ROUTINES.rows(connection, {"org_id": org_id})
    }  # fmt: skip


async def put_routine(connection: AsyncConnection, org_id: UUID, kind: Kind, routine: Routine) -> None:
    values = {
        "org_id": org_id, "kind": kind, "routine_id": routine.routine_id,
        "inputs": json.dumps(dict(routine.inputs)), "outputs": json.dumps(dict(routine.outputs)),
        "credits_low": routine.credits and routine.credits.low, "credits_high": routine.credits and routine.credits.high,
        "actions_low": routine.actions and routine.actions.low, "actions_high": routine.actions and routine.actions.high,
    }  # fmt: skip
    await PUT_ROUTINE.execute(connection, values)


async def delete_routine(connection: AsyncConnection, org_id: UUID, kind: Kind) -> None:
    await DELETE_ROUTINE.execute(connection, {"org_id": org_id, "kind": kind})


def _amount(low: Decimal | None, high: Decimal | None) -> Amount | None:
    return None if low is None else Amount(low, high)
