"""The OpenAPI description of the code, made once per process: making it takes a second, and most test processes need it."""

from functools import cache
from typing import Any

from clay_push_service.commands.openapi import describe


@cache
def described() -> dict[str, Any]:
    """Tests read it and never change it."""
    return describe()
