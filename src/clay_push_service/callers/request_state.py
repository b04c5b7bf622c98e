"""What endpoints ask for in their signatures: settings, database, one transaction a request. It knows no rules."""

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
"""In a request's state: False where a second pass of the whole request would do something twice."""


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
"""One request, one transaction. `function`: committed BEFORE the answer, so that a failing commit cannot answer 200."""
