"""FastAPI dependencies for the resources of a request: settings, database, clock and one transaction per request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import settings
from clay_push_service.database import database
from clay_push_service.database.clock import DatabaseClock


def _settings(request: Request) -> settings.Settings:
    found: settings.Settings = request.app.state.settings
    return found


def _database(request: Request) -> database.Database:
    found: database.Database = request.app.state.database
    return found


def _clock(request: Request) -> DatabaseClock:
    found: DatabaseClock = request.app.state.clock
    return found


def _request_id(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found


MAY_REPEAT = "may_repeat"
"""Key in the request state: False if repeating the whole request would repeat a side effect."""


def may_not_repeat(request: Request) -> None:
    request.scope.setdefault("state", {})[MAY_REPEAT] = False


Settings = Annotated[settings.Settings, Depends(_settings)]
Database = Annotated[database.Database, Depends(_database)]
Clock = Annotated[DatabaseClock, Depends(_clock)]
RequestId = Annotated[str | None, Depends(_request_id)]


async def _transaction(database: Database) -> AsyncIterator[AsyncConnection]:
    async with database.transaction() as connection:
        yield connection


Transaction = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""One transaction per request. `function`: it commits BEFORE the response, so a failing commit cannot return 200."""
