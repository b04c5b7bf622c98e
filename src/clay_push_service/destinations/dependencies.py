"""FastAPI dependencies: the secret box and the resolver."""

from typing import Annotated

from aiohttp.abc import AbstractResolver
from fastapi import Depends, Request

from clay_push_service import logs
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import UNFINISHED, UnavailableError

log = logs.get(__name__)


def require_box(request: Request) -> SecretBox:
    box: SecretBox | None = request.app.state.box
    if box is None:
        log.warning("webhooks.no_encryption_keys", remedy="clay-push secrets new, then set CLAY_PUSH_ENCRYPTION_KEYS")
        raise UnavailableError(f"Webhooks cannot be saved or used yet. {UNFINISHED}", code="encryption_keys_missing")
    return box


def _resolver(request: Request) -> AbstractResolver:
    resolver: AbstractResolver = request.app.state.resolver
    return resolver


Box = Annotated[SecretBox, Depends(require_box)]
Resolver = Annotated[AbstractResolver, Depends(_resolver)]
