"""The process's one client, as endpoints ask for it."""

from typing import Annotated

from fastapi import Depends, Request

from clay_push_service.callers.request_state import may_not_repeat
from clay_push_service.clay import webhook_client as clay_client


def _client(request: Request) -> clay_client.ClayClient:
    """An endpoint that asks for it sends something, which a repeated request would send twice."""
    may_not_repeat(request)
    client: clay_client.ClayClient = request.app.state.client
    return client


Client = Annotated[clay_client.ClayClient, Depends(_client)]
