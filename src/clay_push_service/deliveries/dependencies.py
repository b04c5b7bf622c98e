"""The process's one client, as endpoints ask for it."""

from typing import Annotated

from fastapi import Depends, Request

from clay_push_service.deliveries import clay_client


def _client(request: Request) -> clay_client.ClayClient:
    client: clay_client.ClayClient = request.app.state.client
    return client


Client = Annotated[clay_client.ClayClient, Depends(_client)]
