"""FastAPI dependency that provides the process's Clay client."""

from typing import Annotated

from fastapi import Depends, Request

from clay_push_service.callers.request_state import may_not_repeat
from clay_push_service.clay import webhook_client as clay_client


def _client(request: Request) -> clay_client.ClayClient:
    """Return the client, and forbid repeating the request: the endpoint sends to Clay, and a repeat would send twice."""
    may_not_repeat(request)
    client: clay_client.ClayClient = request.app.state.client
    return client


Client = Annotated[clay_client.ClayClient, Depends(_client)]
