"""Declares the options of `clay-push attach` and `clay-push detach`."""

import sys
from typing import Annotated

import typer

# Everything else is imported inside the commands, as in `cli`.


def attach(
    level: Annotated[
        str,
        typer.Option(
            metavar="read|mirror|inbox",
            help="read: check and print the grants; mirror: also show push jobs on NexusLeads' pages; inbox: also process pushes that NexusLeads queues itself.",
        ),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what this level would change, and change nothing.")
    ] = False,
    without_trigger: Annotated[
        bool,
        typer.Option(
            "--without-trigger",
            help="At level mirror: repair our rows later instead of protecting them with a trigger.",
        ),
    ] = False,
    take_waiting: Annotated[
        bool,
        typer.Option("--take-waiting", help="At level inbox: also process pushes that NexusLeads has already queued."),
    ] = False,
    write_enrichment: Annotated[
        bool,
        typer.Option(
            "--write-enrichment",
            help="Let values that Clay found fill empty columns of leads, for organizations that switch it on. Without it: not.",
        ),
    ] = False,
) -> None:
    """Show push jobs on NexusLeads' pages and process the pushes it queues, as the role of ADMIN_DATABASE_URL."""
    from clay_push_service.commands import attach, settings

    loaded = settings.load()

    parsed = attach.parse_level(level)
    sys.exit(
        attach.attach(
            loaded,
            parsed,
            dry_run=dry_run,
            with_trigger=not without_trigger,
            take_waiting=take_waiting,
            write_enrichment=write_enrichment,
        )
    )


def detach(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and change nothing.")
    ] = False,
) -> None:
    """Remove our triggers and functions. Finished rows stay; unfinished rows get a final status and a message."""
    from clay_push_service.commands import attach, settings

    loaded = settings.load()

    sys.exit(attach.detach(loaded, dry_run=dry_run))
