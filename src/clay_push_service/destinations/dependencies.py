"""The secret box and the resolver, as endpoints ask for them."""

from typing import Annotated

from aiohttp.abc import AbstractResolver
from fastapi import Depends, Request

from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import UnavailableError


def _box(request: Request) -> SecretBox:
    box: SecretBox | None = request.app.state.box
    if box is None:
        raise UnavailableError(
            "Webhooks cannot be stored or used, because CLAY_PUSH_ENCRYPTION_KEYS is not set; the operator makes a key"
            " with `clay-push secrets new`.",
            code="encryption_keys_missing",
        )
    return box


def _resolver(request: Request) -> AbstractResolver:
    resolver: AbstractResolver = request.app.state.resolver
    return resolver


Box = Annotated[SecretBox, Depends(_box)]
Resolver = Annotated[AbstractResolver, Depends(_resolver)]
