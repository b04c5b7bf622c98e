"""Refusals of a request to enrich leads, before anything is stored or sent. Messages are those of the enrichment guide."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause
from clay_push_service.clay.routines_client import ApiKey
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.ledger.budget import Budget, Reservation
from clay_push_service.enrichment.settings.credentials import credentials_of
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.table import ApiKeyState, Routine, SettingsRow
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings

MAX_NAMED = 10


async def require_key(
    connection: AsyncConnection, tables: HostTables, row: SettingsRow, box: SecretBox | None, settings: Settings
) -> ApiKey:
    """Raises 409 `credentials_not_configured`, `key_unreadable` or `invalid_credentials`."""
    credentials = await credentials_of(connection, tables, row, row.org_id, box, settings)
    if credentials.key is None and credentials.cause is ApiCause.KEY_UNREADABLE:
        message, extra = _explained(ApiCause.KEY_UNREADABLE)
        raise ConflictError(message, code="key_unreadable", extra=extra)
    if credentials.key is None:
        message, extra = _explained(ApiCause.NOT_CONFIGURED)
        raise ConflictError(message, code="credentials_not_configured", extra=extra)
    if credentials.key_number and row.key_state == ApiKeyState.REFUSED:
        message, extra = _explained(ApiCause.INVALID_CREDENTIALS)
        raise ConflictError(message, code="invalid_credentials", extra=extra)
    return credentials.key


def require_routine(routine: Routine | None, kind: Kind) -> None:
    """Raises 409 `routine_not_set`."""
    if routine is None:
        message, extra = _explained(ApiCause.ROUTINE_NOT_SET)
        raise ConflictError(message, code="routine_not_set", extra={**extra, "kind": kind.value})


def _explained(cause: ApiCause) -> tuple[str, dict[str, str]]:
    """Returns the guide's message, and its advice as further members of the problem."""
    explanation = API_EXPLANATIONS[cause]
    return explanation.message, {"remedy": explanation.remedy, "who": explanation.who.value}


def budget_exhausted(row: SettingsRow, budget: Budget, reservation: Reservation) -> ConflictError:
    """Returns the refusal for a day whose budget has no room for one more lead."""
    parts = [
        f"{_amount(remaining)} of {_amount(limit)} {unit} are left, and one lead reserves {_amount(needed)}"
        for unit, limit, remaining, needed in (
            ("credits", row.credits_per_day, budget.credits, reservation.credits),
            ("actions", row.actions_per_day, budget.actions, reservation.actions),
        )
        if limit is not None and remaining is not None and needed > remaining
    ]
    return ConflictError(
        f"The daily budget is used up: {'; '.join(parts)}.",
        code="budget_exhausted",
        extra={
            "remedy": "Enrich the leads tomorrow, or ask an owner or admin for a larger daily budget.",
            "time_zone": row.time_zone,
        },
    )


def missing_input(missing: Mapping[UUID, Sequence[str]]) -> InvalidError:
    """Returns the refusal for leads without the values that the routine needs. Nothing was sent, and nothing is charged."""
    fields = list(dict.fromkeys(name for names in missing.values() for name in names))
    explanation = API_EXPLANATIONS[ApiCause.MISSING_INPUT]
    return InvalidError(
        f"The lead lacks values that the routine needs: {', '.join(fields)}. Nothing was sent."
        if len(missing) == 1
        else f"The leads lack values that the routine needs: {', '.join(fields)}. Nothing was sent.",
        code="missing_input",
        errors=[{"field": name, "message": "The lead has no such value in NexusLeads"} for name in fields],
        extra={"remedy": explanation.remedy, "lead_ids": [str(each) for each in list(missing)[:MAX_NAMED]]},
    )


def _amount(value: Decimal | int) -> str:
    return f"{Decimal(value).normalize():f}"
