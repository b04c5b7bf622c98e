"""`clay-push api-keys` and `clay-push secrets`: reads their options; what each does is in `commands`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
api_keys = typer.Typer(no_args_is_help=True, help="Service keys: for callers that are no member of an organization.")
secrets = typer.Typer(no_args_is_help=True, help="The ring of keys that seals webhook URLs.")


def _settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@api_keys.command("create")
def create_api_key(
    name: Annotated[str, typer.Option(help="What it is for, for people.")],
    scope: Annotated[list[str], typer.Option(help="push, read, config, erase or ops (repeat for several).")],
    org: Annotated[
        list[str] | None, typer.Option(help="An organization it may act for: id, slug or name (repeat for several).")
    ] = None,
) -> None:
    """Make a key and show it, this once."""
    settings = _settings()
    from clay_push_service.commands import api_keys

    api_keys.create(settings, name, org or [], scope)


@api_keys.command("list")
def list_api_keys() -> None:
    """All keys, the revoked too; never the keys themselves."""
    settings = _settings()
    from clay_push_service.commands import api_keys

    api_keys.show_all(settings)


@api_keys.command("revoke")
def revoke_api_key(
    prefix: Annotated[str, typer.Argument(help="The key's first characters, as the list shows.")],
) -> None:
    """Refuse a key from now on."""
    settings = _settings()
    from clay_push_service.commands import api_keys

    api_keys.revoke(settings, prefix)


@secrets.command("new")
def new_secret() -> None:
    """Print a fresh entry for CLAY_PUSH_ENCRYPTION_KEYS."""
    from clay_push_service.destinations.secret_box import generate_key

    typer.echo(generate_key())


@secrets.command("rotate")
def rotate_secrets() -> None:
    """Seal every stored webhook URL and token again with the ring's first key; senders go on meanwhile."""
    settings = _settings()
    from clay_push_service.commands import rotate

    sys.exit(rotate.run(settings))
