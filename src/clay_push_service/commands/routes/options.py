"""Declares the subcommands and options of `clay-push segments` and `clay-push routes`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
segments = typer.Typer(no_args_is_help=True, help="Manage an organization's segments, which are saved filters.")
routes = typer.Typer(
    no_args_is_help=True, help="Manage an organization's routes, which choose the destination of a lead."
)
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]
Project = Annotated[
    str | None, typer.Option(help="A project with a list of its own; omitted: the organization's list.")
]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@segments.command("list")
def list_segments(org: Org) -> None:
    """List all segments of an organization."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.show_segments(settings, org)


@segments.command("save")
def save_segment(
    org: Org,
    name: Annotated[str, typer.Argument(help="Its name. Do not name a person.")],
    filters: Annotated[str, typer.Option(help="As JSON: the filters of a push, such as '{\"min_score\": 80}'.")],
) -> None:
    """Create a segment, or change the one with this name."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.save_segment(settings, org, name, filters)


@segments.command("delete")
def delete_segment(org: Org, segment: Annotated[str, typer.Argument(help="Its name or id.")]) -> None:
    """Delete a segment that no route, exclusion or schedule uses."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.remove_segment(settings, org, segment)


@routes.command("list")
def list_routes(
    org: Org,
    project: Project = None,
    as_json: Annotated[bool, typer.Option("--json", help="In the form that `set` reads.")] = False,
) -> None:
    """Show a list of routes."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.show_routes(settings, org, project, as_json=as_json)


@routes.command("set")
def set_routes(
    org: Org,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON with `version` and `routes`, as in the API.")
    ],
    project: Project = None,
) -> None:
    """Replace a list of routes."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.set_routes(settings, org, project, file)


@routes.command("simulate")
def simulate_routes(
    org: Org,
    project: Annotated[str | None, typer.Option(help="All leads of this project.")] = None,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="Without a project: the leads of the pushes of this number of days.")
    ] = 30,
) -> None:
    """Count where leads would go, and which route decides. Sends nothing."""
    settings = _load_settings()
    from clay_push_service.commands.routes import command

    command.simulate_routes(settings, org, project, days)
