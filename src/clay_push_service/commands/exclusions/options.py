"""Declares the subcommands and options of `clay-push exclusions`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
exclusions = typer.Typer(
    no_args_is_help=True,
    help="Manage an organization's exclusions: leads, e-mail domains, addresses and segments that are never sent to Clay.",
)
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@exclusions.command("add")
def add_exclusion(
    org: Org,
    reason: Annotated[str, typer.Option(help="Why. Do not name a person.")],
    lead: Annotated[str | None, typer.Option(help="A lead's id.")] = None,
    domain: Annotated[str | None, typer.Option(help="An e-mail domain, such as acme.com.")] = None,
    email: Annotated[
        str | None, typer.Option(help="An exact e-mail address, also of an unknown person. Only a hash of it is kept.")
    ] = None,
    segment: Annotated[str | None, typer.Option(help="A segment's id: all its leads, now and later.")] = None,
    opt_out: Annotated[bool, typer.Option("--opt-out", help="The person objects.")] = False,
) -> None:
    """Exclude a lead, an e-mail domain, an address or a segment, and skip what is queued for it."""
    settings = _load_settings()
    from clay_push_service.commands.exclusions import command

    command.add(settings, org, command.parse_target(lead, domain, email, segment), reason, opt_out=opt_out)


@exclusions.command("list")
def list_exclusions(org: Org) -> None:
    """List all exclusions of an organization."""
    settings = _load_settings()
    from clay_push_service.commands.exclusions import command

    command.show_all(settings, org)


@exclusions.command("remove")
def remove_exclusion(
    org: Org, exclusion: Annotated[str, typer.Argument(help="Its id, as `exclusions list` shows it.")]
) -> None:
    """Remove an exclusion: its leads may be pushed again."""
    settings = _load_settings()
    from clay_push_service.commands.exclusions import command

    command.remove(settings, org, exclusion)
