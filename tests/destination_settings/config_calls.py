"""Reads the stored webhook settings, and closes a destination."""

from collections.abc import Sequence

from sqlalchemy import Row, text

from tests.harness.api import Api

CONFIG = "/api/clay/config"


TOKEN = "s3cret-token-of-the-webhook"


async def rows(app: Api, statement: str) -> Sequence[Row[tuple[object, ...]]]:
    async with app.database.transaction() as connection:
        return (await connection.execute(text(statement))).all()


async def versions(app: Api) -> Sequence[Row[tuple[object, ...]]]:
    return await rows(app, "SELECT * FROM clay.destination_versions ORDER BY number")


async def close(app: Api, reason: str = "unauthorized") -> None:
    async with app.database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE clay.destination_versions SET state = 'closed', state_reason = :reason, refusals = 3"
                " WHERE id IN (SELECT version_id FROM clay.destinations)"
            ),
            {"reason": reason},
        )
