"""Declares the subcommands and options of `clay-push api-keys` and `clay-push secrets`."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
api_keys = typer.Typer(
    no_args_is_help=True, help="Manage service keys, for callers that are not members of an organization."
)
secrets = typer.Typer(no_args_is_help=True, help="Manage the encryption keys of stored webhook URLs and tokens.")


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@api_keys.command("create")
def create_api_key(
    name: Annotated[str, typer.Option(help="A name that describes the purpose of the key.")],
    scope: Annotated[list[str], typer.Option(help="push, read, config, erase or ops (repeat for several).")],
    org: Annotated[
        list[str] | None,
        typer.Option(help="An organization the key may act for: id, slug or name (repeat for several)."),
    ] = None,
) -> None:
    """Create a key and print it once."""
    settings = _load_settings()
    from clay_push_service.commands import api_keys

    api_keys.create(settings, name, org or [], scope)


@api_keys.command("list")
def list_api_keys() -> None:
    """List all keys, including revoked ones, without their secret part."""
    settings = _load_settings()
    from clay_push_service.commands import api_keys

    api_keys.show_all(settings)


@api_keys.command("revoke")
def revoke_api_key(
    prefix: Annotated[str, typer.Argument(help="The first characters of the key, as `api-keys list` shows them.")],
) -> None:
    """Revoke a key immediately."""
    settings = _load_settings()
    from clay_push_service.commands import api_keys

    api_keys.revoke(settings, prefix)


@secrets.command("new")
def new_secret() -> None:
    """Print a new key for CLAY_PUSH_ENCRYPTION_KEYS."""
    from clay_push_service.destinations.secret_box import generate_key

    typer.echo(generate_key())


@secrets.command("rotate")
def rotate_secrets() -> None:
    """Encrypt every stored webhook URL and token with the first key of the key ring, while workers keep sending."""
    settings = _load_settings()
    from clay_push_service.commands import rotate

    sys.exit(rotate.run(settings))
