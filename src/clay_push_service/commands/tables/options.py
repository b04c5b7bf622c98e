"""Declares the subcommands and options of `clay-push destinations` and `clay-push workspaces`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
destinations = typer.Typer(no_args_is_help=True, help="Manage an organization's Clay tables.")
workspaces = typer.Typer(
    no_args_is_help=True, help="Manage an organization's Clay workspaces: the destinations of one share its pace."
)
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]
Destination = Annotated[
    str, typer.Argument(metavar="DESTINATION", help="Its id or name, as `destinations list` shows it.")
]
InWorkspace = Annotated[str | None, typer.Option("--workspace", help="The workspace whose pace it shares: id or name.")]
Mapping = Annotated[str | None, typer.Option(help="The mapping whose columns it receives: id or name.")]
Dedupe = Annotated[
    str | None,
    typer.Option(help="What the table does with a second row of a lead: none, keeps_oldest, keeps_newest or unknown."),
]
DedupeColumn = Annotated[str | None, typer.Option(help="The column by which Clay finds duplicates.")]
QuotaUsed = Annotated[int | None, typer.Option(min=0, help="Submissions that the webhook has used already.")]
QuotaLimit = Annotated[int | None, typer.Option(min=0, help="Submissions that Clay accepts in the webhook's lifetime.")]
NoQuotaLimit = Annotated[
    bool,
    typer.Option("--no-quota-limit", help="The table deletes its rows by itself, or the webhook starts a workflow."),
]
RateLimit = Annotated[int | None, typer.Option(min=0, max=60_000, help="Milliseconds between two leads; at least 100.")]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@destinations.command("list")
def list_destinations(
    org: Org, archived: Annotated[bool, typer.Option("--archived", help="Also those that are archived.")] = False
) -> None:
    """List all Clay tables: workspace, state, quota, how each handles duplicates, and its mapping."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    destinations.show_all(settings, org, archived=archived)


@destinations.command("create")
def create_destination(
    org: Org,
    name: Annotated[str, typer.Option(help="Unique in the organization.")],
    token: Annotated[bool, typer.Option("--token", help="Also ask for the auth token of the webhook source.")] = False,
    workspace: InWorkspace = None,
    mapping: Mapping = None,
    dedupe: Dedupe = None,
    dedupe_column: DedupeColumn = None,
    quota_used: QuotaUsed = None,
    quota_limit: QuotaLimit = None,
    no_quota_limit: NoQuotaLimit = False,
) -> None:
    """Add a Clay table. Its webhook URL comes from a prompt or the first line of standard input; a token from the next line."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    options = destinations.DestinationOptions(
        name, workspace, mapping, webhook=True, token=token, dedupe=dedupe, dedupe_column=dedupe_column,
        quota_used=quota_used, quota_limit=quota_limit, no_quota_limit=no_quota_limit,
    )  # fmt: skip
    destinations.create(settings, org, options)


@destinations.command("change")
def change_destination(
    org: Org,
    destination: Destination,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    webhook: Annotated[bool, typer.Option("--webhook", help="Ask for a new webhook URL.")] = False,
    token: Annotated[bool, typer.Option("--token", help="Ask for a new auth token.")] = False,
    remove_token: Annotated[bool, typer.Option("--remove-token", help="Remove the stored auth token.")] = False,
    workspace: InWorkspace = None,
    mapping: Mapping = None,
    standard_payload: Annotated[bool, typer.Option("--standard-payload", help="Use no mapping.")] = False,
    dedupe: Dedupe = None,
    dedupe_column: DedupeColumn = None,
    quota_used: QuotaUsed = None,
    quota_limit: QuotaLimit = None,
    no_quota_limit: NoQuotaLimit = False,
    new_table: Annotated[
        bool, typer.Option("--new-table", help="The webhook feeds another Clay table: no lead counts as in it.")
    ] = False,
) -> None:
    """Change a Clay table. What is not given is unchanged. Webhook URL and token come from prompts or standard input, in this order."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    options = destinations.DestinationOptions(
        name, workspace, mapping, standard_payload, webhook, token, remove_token, dedupe, dedupe_column, quota_used,
        quota_limit, no_quota_limit, new_table,
    )  # fmt: skip
    destinations.change(settings, org, destination, options)


@destinations.command("default")
def make_default(org: Org, destination: Destination) -> None:
    """Make a Clay table the default one: NexusLeads' settings page and pushes without a destination mean it."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    destinations.make_default(settings, org, destination)


@destinations.command("test")
def test_destination(org: Org, destination: Destination) -> None:
    """Send a sample row to a Clay table, which uses one submission. Exits 1 if Clay does not accept it."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    sys.exit(destinations.test(settings, org, destination))


@destinations.command("archive")
def archive_destination(
    org: Org, destination: Destination, yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False
) -> None:
    """Delete the webhook of a Clay table and end its queued leads; its history stays. Refused while something uses it."""
    settings = _load_settings()
    from clay_push_service.commands.tables import destinations

    destinations.archive(settings, org, destination, is_confirmed=yes)


@workspaces.command("list")
def list_workspaces(org: Org) -> None:
    """List all Clay workspaces, each with its pace."""
    settings = _load_settings()
    from clay_push_service.commands.tables import workspaces

    workspaces.show_all(settings, org)


@workspaces.command("create")
def create_workspace(
    org: Org, name: Annotated[str, typer.Option(help="Unique in the organization.")], rate_limit_ms: RateLimit = None
) -> None:
    """Add a Clay workspace. Only for a customer that has another one in Clay: two for one would send at twice Clay's limit."""
    settings = _load_settings()
    from clay_push_service.commands.tables import workspaces

    workspaces.create(settings, org, name, rate_limit_ms)


@workspaces.command("change")
def change_workspace(
    org: Org,
    workspace: Annotated[str, typer.Argument(metavar="WORKSPACE", help="Its id or name.")],
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    rate_limit_ms: RateLimit = None,
) -> None:
    """Change the name or the pace of a Clay workspace. A new pace holds within about a second."""
    settings = _load_settings()
    from clay_push_service.commands.tables import workspaces

    workspaces.change(settings, org, workspace, name, rate_limit_ms)
