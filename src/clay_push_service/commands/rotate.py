"""`clay-push secrets rotate`: after a new key was put first in the ring, and before the old one may be dropped from it."""

import asyncio

import typer

from clay_push_service.audit import Detail, audit
from clay_push_service.commands.actor import actor
from clay_push_service.database.database import Database
from clay_push_service.destinations.reseal import Stored, count, reseal
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.settings import Settings

PASSES = 5
PAUSE_SECONDS = 0.5
"""Between passes, for those who held a row."""


def run(settings: Settings) -> int:
    """0 when everything stored is sealed with the first key."""
    box = SecretBox(settings.encryption_keys)
    resealed, unreadable, after = asyncio.run(_rotate(settings, box))
    typer.echo(
        f"{after.stored:,} webhooks stored: {resealed:,} sealed again with key {box.first_key_id}, "
        f"{after.stored - after.due - resealed:,} were already, {unreadable:,} cannot be opened with this ring."
    )
    if unreadable:
        typer.echo(
            "Put the key they were sealed with back into CLAY_PUSH_ENCRYPTION_KEYS (`clay-push doctor` names it).",
            err=True,
        )
    elif after.due:
        typer.echo(f"{after.due:,} were in use all the time. Run it again.", err=True)
    else:
        typer.echo("The other keys of the ring may be dropped once every process runs with this one first.")
    return 1 if after.due else 0


async def _rotate(settings: Settings, box: SecretBox) -> tuple[int, int, Stored]:
    database = Database.for_shell(settings.database_url, "clay-push-rotate")
    try:
        resealed = 0
        for passes_left in reversed(range(PASSES)):
            done = await reseal(database, box)
            resealed += done.resealed
            async with database.transaction() as connection:
                after = await count(connection, box)
            if after.due > done.unreadable and passes_left:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            details: dict[str, Detail] = {
                "key_id": box.first_key_id, "resealed": resealed, "unreadable": done.unreadable, "due": after.due,
            }  # fmt: skip
            async with database.transaction() as connection:
                await audit(connection, None, actor(), "secrets.rotated", details)
            return resealed, done.unreadable, after
        raise AssertionError
    finally:
        await database.close()
