"""The requested change of an organization's Clay settings: omitted fields and masked secrets are unchanged."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

BULLET = "•"
"""Occurs only in masked values: a webhook URL or a token cannot contain it."""


class Unchanged(Enum):
    """Stands for a field that the caller omitted."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Omitted fields are unchanged; None removes a value. A masked URL or token is unchanged, too."""

    webhook_url: str | Unchanged = UNCHANGED
    webhook_token: str | Unchanged | None = UNCHANGED
    table_name: str | Unchanged | None = UNCHANGED
    rate_limit_ms: int | Unchanged = UNCHANGED
    quota_used: int | Unchanged = UNCHANGED
    quota_limit: int | Unchanged | None = UNCHANGED
    new_table: bool = False

    def __repr__(self) -> str:
        return "ConfigChange(…)"  # it contains secrets


def or_stored(value: Value | Unchanged, stored: Value) -> Value:
    return stored if isinstance(value, Unchanged) else value
