"""The requested change of an organization's Clay settings: omitted fields and masked secrets are unchanged."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

BULLET = "•"
"""Occurs only in masked values: a webhook URL or a token cannot contain it."""


class Keep(Enum):
    """Stands for a field that the caller omitted."""

    KEEP = "keep"


KEEP = Keep.KEEP
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Omitted fields are unchanged; None removes a value. A masked URL or token is unchanged, too."""

    webhook_url: str | Keep = KEEP
    webhook_token: str | Keep | None = KEEP
    table_name: str | Keep | None = KEEP
    rate_limit_ms: int | Keep = KEEP
    quota_used: int | Keep = KEEP
    quota_limit: int | Keep | None = KEEP
    new_table: bool = False

    def __repr__(self) -> str:
        return "ConfigChange(…)"  # it contains secrets


def or_stored(value: Value | Keep, stored: Value) -> Value:
    return stored if isinstance(value, Keep) else value
