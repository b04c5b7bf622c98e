"""`clay-push secrets rotate`: re-encrypts all secrets with the first key of the ring, so that old keys can be removed."""

import asyncio

import typer

from clay_push_service.audit import Detail, audit
from clay_push_service.commands.actor import shell_actor
from clay_push_service.database.database import Database
from clay_push_service.destinations.reseal import SecretCounts, count, reseal
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.settings import Settings

PASSES = 5
PAUSE_SECONDS = 0.5
"""Seconds between two passes, in which other sessions can release the rows that they have locked."""


def run(settings: Settings) -> int:
    """Returns the exit code: 0 if everything stored is encrypted with the first key."""
    box = SecretBox(settings.encryption_keys)
    resealed, unreadable, after = asyncio.run(_rotate(settings, box))
    typer.echo(
        f"{after.stored:,} secrets stored: {resealed:,} re-encrypted with key {box.first_key_id}, "
        f"{after.stored - after.due - resealed:,} used it already, {unreadable:,} cannot be decrypted with this key ring."
    )
    if unreadable:
        typer.echo(
            "Add the key they were encrypted with to CLAY_PUSH_ENCRYPTION_KEYS (`clay-push doctor` names it).",
            err=True,
        )
    elif after.due:
        typer.echo(f"{after.due:,} were locked by other sessions. Run the command again.", err=True)
    else:
        typer.echo("You can remove the other keys once every process runs with this key first.")
    return 1 if after.due else 0


async def _rotate(settings: Settings, box: SecretBox) -> tuple[int, int, SecretCounts]:
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
                await audit(connection, None, shell_actor(), "secrets.rotated", details)
            return resealed, done.unreadable, after
        raise AssertionError
    finally:
        await database.close()
