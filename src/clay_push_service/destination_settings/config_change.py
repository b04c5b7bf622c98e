"""What somebody wants changed of an organization's Clay settings: only what is named, and no secret that was only seen masked."""

from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

BULLET = "•"
"""Only ever in a masked value: neither a webhook URL nor a token can hold one."""


class Keep(Enum):
    """What a caller did not mention."""

    KEEP = "keep"


KEEP = Keep.KEEP
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """Only what is named changes; None means "none" where that is a value. A masked URL or token is not a change."""

    webhook_url: str | Keep = KEEP
    webhook_token: str | Keep | None = KEEP
    table_name: str | Keep | None = KEEP
    rate_limit_ms: int | Keep = KEEP
    quota_used: int | Keep = KEEP
    quota_limit: int | Keep | None = KEEP
    new_table: bool = False

    def __repr__(self) -> str:
        return "ConfigChange(…)"  # it holds secrets


def or_stored(given: Value | Keep, stored: Value) -> Value:
    return stored if isinstance(given, Keep) else given
