"""Stores one change of an organization's enrichment settings, audited, in the caller's transaction."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.settings.pending_key import settle_pending
from clay_push_service.enrichment.settings.schemas import BudgetBody, EnrichmentUpdate, RunWebhookBody
from clay_push_service.enrichment.settings.table import (
    DEFAULT_TIME_ZONE,
    KeySource,
    SettingsRow,
    delete_routine,
    increase_version,
    lock_settings,
    put_routine,
    read_routines,
    set_key,
    set_run_webhook,
    set_values,
)
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.setting_checks.api_key_form import BULLET, mask_key

CHANGED = "Another request has changed the enrichment settings since you read them: read them again."


@dataclass(frozen=True, slots=True)
class SaveSettings:
    """One change, in one transaction. `box` None: there is no key ring, so no key can be saved."""

    connection: AsyncConnection
    box: SecretBox | None
    org_id: UUID
    actor: str

    async def update(self, update: EnrichmentUpdate) -> None:
        """Raises 409 `config_changed` for another version, and 422 for a masked key that is not the stored one's."""
        row = await lock_settings(self.connection, self.org_id)
        if update.version is not None and update.version != row.version:
            raise ConflictError(CHANGED, code="config_changed")
        changed: dict[str, Detail] = {}
        if "api_key" in update.model_fields_set:
            changed |= await self._save_key(row, update.api_key)
        changed |= await self._save_values(row, update)
        changed |= await self._save_routines(update)
        if "run_webhook" in update.model_fields_set:
            changed |= await self._save_run_webhook(row, update.run_webhook)
        await self._note(changed)

    async def use_pending(self, key: str | None, pending_id: UUID) -> None:
        """Uses a pending key, or a pending removal. Raises 409 `config_changed` when another change has replaced it."""
        row = await lock_settings(self.connection, self.org_id)
        if not await settle_pending(self.connection, self.org_id, pending_id):
            raise ConflictError(CHANGED, code="config_changed")
        await audit(self.connection, self.org_id, self.actor, "enrichment.pending_confirmed")
        if key is None:
            await self._note(await self._remove_key(row))
        else:
            await self._note(await self._set_key(row, key, KeySource.HOST))

    async def remove_key(self) -> bool:
        """Delete the key and any pending change. Returns whether there was one."""
        row = await lock_settings(self.connection, self.org_id)
        if await settle_pending(self.connection, self.org_id):
            await audit(self.connection, self.org_id, self.actor, "enrichment.pending_settled")
        changed = await self._remove_key(row)
        await self._note(changed)
        return bool(changed)

    async def _note(self, changed: dict[str, Detail]) -> None:
        if not changed:
            return
        version = await increase_version(self.connection, self.org_id, self.actor)
        await audit(self.connection, self.org_id, self.actor, "enrichment.changed", {**changed, "version": version})

    async def _save_key(self, row: SettingsRow, key: str) -> dict[str, Detail]:
        if BULLET in key:
            if key != row.key_mask:
                raise InvalidError(
                    "This is a masked key, and not that of the stored one: paste the whole API key from Clay.",
                    errors=[{"field": "api_key", "message": "A masked key other than the stored one"}],
                )
            return {}
        if await settle_pending(self.connection, self.org_id):
            await audit(self.connection, self.org_id, self.actor, "enrichment.pending_settled")
        return await self._set_key(row, key, KeySource.API)

    async def _set_key(self, row: SettingsRow, key: str, source: KeySource) -> dict[str, Detail]:
        if self.box is None:
            raise AssertionError("the caller has checked that there is a key ring")
        try:
            if row.sealed_api_key is not None and self.box.open(row.sealed_api_key, row.org_id, row.id) == key:
                return {}
        except SecretError:
            pass  # it cannot be compared, so the new one replaces it
        await set_key(self.connection, self.org_id, self.box.seal(key, self.org_id, row.id), mask_key(key), source)
        return {"api_key": "set" if row.sealed_api_key is None else "changed"}

    async def _remove_key(self, row: SettingsRow) -> dict[str, Detail]:
        if row.sealed_api_key is None:
            return {}
        await set_key(self.connection, self.org_id, None, None, None)
        return {"api_key": "removed"}

    async def _save_run_webhook(self, row: SettingsRow, webhook: RunWebhookBody | None) -> dict[str, Detail]:
        if webhook is None and row.run_webhook_id is None:
            return {}
        if webhook is None:
            await set_run_webhook(self.connection, self.org_id, None, None)
            return {"run_webhook": "removed"}
        if self.box is None:
            raise AssertionError("the caller has checked that there is a key ring")
        sealed = self.box.seal(webhook.secret, self.org_id, row.id)
        await set_run_webhook(self.connection, self.org_id, webhook.id, sealed)
        return {"run_webhook": webhook.id}

    async def _save_values(self, row: SettingsRow, update: EnrichmentUpdate) -> dict[str, Detail]:
        named = update.model_fields_set
        budget = BudgetBody(
            credits_per_day=row.credits_per_day, actions_per_day=row.actions_per_day, time_zone=row.time_zone
        )
        if "budget" in named:
            no_limit = BudgetBody(credits_per_day=None, actions_per_day=None, time_zone=DEFAULT_TIME_ZONE)
            budget = update.budget or no_limit
        per_minute = update.requests_per_minute if "requests_per_minute" in named else row.requests_per_minute
        answer_minutes = update.table_answer_minutes if "table_answer_minutes" in named else row.table_answer_minutes
        changed: dict[str, Detail] = {}
        if answer_minutes != row.table_answer_minutes:
            changed["table_answer_minutes"] = answer_minutes
        if per_minute != row.requests_per_minute:
            changed["requests_per_minute"] = per_minute
        if budget.credits_per_day != row.credits_per_day:
            changed["credits_per_day"] = _written(budget.credits_per_day)
        if budget.actions_per_day != row.actions_per_day:
            changed["actions_per_day"] = budget.actions_per_day
        if budget.time_zone != row.time_zone:
            changed["time_zone"] = budget.time_zone
        if changed:
            await set_values(
                self.connection,
                self.org_id,
                requests_per_minute=per_minute,
                credits_per_day=budget.credits_per_day,
                actions_per_day=budget.actions_per_day,
                time_zone=budget.time_zone,
                table_answer_minutes=answer_minutes,
            )
        return changed

    async def _save_routines(self, update: EnrichmentUpdate) -> dict[str, Detail]:
        changes = update.routines.changes()
        stored = await read_routines(self.connection, self.org_id) if changes else {}
        changed: dict[str, Detail] = {}
        for kind, routine in changes.items():
            if routine == stored.get(kind):
                continue
            if routine is None:
                await delete_routine(self.connection, self.org_id, kind)
                changed[f"routine_{kind}"] = None
            else:
                await put_routine(self.connection, self.org_id, kind, routine)
                changed[f"routine_{kind}"] = routine.routine_id
        return changed


def _written(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
