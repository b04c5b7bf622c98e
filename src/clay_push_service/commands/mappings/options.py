"""Declares the subcommands and options of `clay-push mappings`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
mappings = typer.Typer(no_args_is_help=True, help="Manage which columns an organization's Clay tables receive.")
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@mappings.command("list")
def list_mappings(org: Org) -> None:
    """List all mappings of an organization."""
    settings = _load_settings()
    from clay_push_service.commands.mappings import command

    command.show_all(settings, org)


@mappings.command("show")
def show_mapping(
    org: Org,
    mapping: Annotated[str, typer.Argument(help="Its id, or a table template: standard, lean_outbound, …")],
) -> None:
    """Print the columns of a mapping or of a table template as JSON."""
    settings = _load_settings()
    from clay_push_service.commands.mappings import command

    command.show(settings, org, mapping)


@mappings.command("save")
def save_mapping(
    org: Org,
    name: Annotated[str, typer.Option(help="Name of the mapping; an existing one gets a new version.")],
    file: Annotated[Path, typer.Argument(help="JSON: a list of columns, as `show` prints it.")],
) -> None:
    """Save a mapping, and print what the version changes in Clay."""
    settings = _load_settings()
    from clay_push_service.commands.mappings import command

    command.save(settings, org, name, file)


@mappings.command("use")
def use_mapping(
    org: Org,
    destination: Annotated[str, typer.Option(help="The destination: its id or name.")],
    mapping: Annotated[
        str | None, typer.Argument(help="The mapping: its id or name; omitted: the standard payload.")
    ] = None,
) -> None:
    """Choose the mapping of a destination, and print what changes in Clay."""
    settings = _load_settings()
    from clay_push_service.commands.mappings import command

    command.use(settings, org, destination, mapping)
