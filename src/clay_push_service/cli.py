"""`clay-push`: the processes and the operator's tools; every command reads the same settings."""

from typing import NoReturn

import typer

from clay_push_service import logs, migrations
from clay_push_service import settings as settings_module
from clay_push_service.settings import Settings, SettingsError

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


def fail(message: str) -> NoReturn:
    typer.secho(message, err=True)
    raise typer.Exit(2)


def load() -> Settings:
    try:
        settings = settings_module.load()
    except SettingsError as error:
        fail(str(error))
    logs.configure(settings.log_format, settings.log_level)
    return settings


@app.command()
def worker() -> None:
    """Drain push jobs until told to stop (SIGTERM); run as many as you like."""
    from clay_push_service import worker as worker_module

    worker_module.run(load())


@app.command()
def migrate() -> None:
    """Bring schema `clay` to this release's state; safe to run again."""
    settings = load()
    migrations.upgrade(settings.admin_database_url or settings.database_url)
    typer.echo(f"Schema clay is at revision {migrations.head()}.")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
