"""Caches the OpenAPI description of the code once per process, because generating it takes a second."""

from functools import cache
from typing import Any

from clay_push_service.commands.openapi import describe


@cache
def described() -> dict[str, Any]:
    """Returns the cached description. Tests must not change it."""
    return describe()
