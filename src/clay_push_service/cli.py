"""The `clay-push` command line: declares commands and options. The implementation of each command is in `commands`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clay_push_service import __version__
from clay_push_service.commands.attach_commands import attach, detach
from clay_push_service.commands.enrich.options import enrich, enrichment
from clay_push_service.commands.exclusions.options import exclusions
from clay_push_service.commands.key_commands import api_keys, secrets
from clay_push_service.commands.mappings.options import mappings
from clay_push_service.commands.routes.options import routes, segments
from clay_push_service.commands.schedules.options import schedules
from clay_push_service.commands.tables.options import destinations, workspaces

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands: `--help` stays fast, and `sandbox` never loads the service.
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for name, group in (
    ("api-keys", api_keys), ("secrets", secrets), ("exclusions", exclusions), ("segments", segments), ("routes", routes),
    ("mappings", mappings), ("enrichment", enrichment), ("schedules", schedules), ("destinations", destinations),
    ("workspaces", workspaces),
):  # fmt: skip
    app.add_typer(group, name=name)
for each in (enrich, attach, detach):
    app.command()(each)

EndWithParent = Annotated[bool, typer.Option("--end-with-parent", hidden=True)]
"""Stop gracefully when standard input closes, which means that the parent process died."""


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Send NexusLeads' leads into Clay.

    Settings are read from environment variables CLAY_PUSH_… and from a file .env in the working directory. docs/configuration.md lists them.
    First steps: `clay-push secrets new`, `clay-push migrate`, `clay-push doctor`, `clay-push serve --with-worker`.
    """
    del version


def _load_settings(end_with_parent: bool = False, *, is_process: bool = False) -> "Settings":
    """Load the settings before the heavy imports, so that a missing variable is reported immediately."""
    from clay_push_service.commands import parent_watch, settings

    loaded = settings.load(is_process=is_process)
    if end_with_parent:
        parent_watch.stop_when_parent_exits()
    return loaded


@app.command()
def serve(
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Also run a worker, as a child process.")] = False,
    end_with_parent: EndWithParent = False,
) -> None:
    """Run the HTTP API until SIGTERM."""
    settings = _load_settings(end_with_parent, is_process=True)
    from clay_push_service.commands.serve import command

    sys.exit(command.run(settings, with_worker=with_worker))


@app.command()
def worker(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Do not start a worker. Exit 0 if a worker of this host has a recent heartbeat, else 1."
        ),
    ] = False,
    end_with_parent: EndWithParent = False,
) -> None:
    """Process push jobs until SIGTERM. Any number of workers can run at the same time."""
    settings = _load_settings(end_with_parent, is_process=not check)
    if check:
        from clay_push_service.commands import worker_check

        sys.exit(worker_check.run(settings))
    from clay_push_service.worker import worker

    worker.run(settings)


@app.command()
def migrate() -> None:
    """Migrate schema clay to this release, as the role of ADMIN_DATABASE_URL, and grant access to the role of DATABASE_URL."""
    settings = _load_settings()
    from clay_push_service.commands import migrate

    migrate.run(settings)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Run the sandbox: a stand-in for Clay with Clay's limits and configurable faults (see sandbox --help)."""
    from clay_push_service.sandbox.__main__ import main

    sys.exit(main(context.args))


@app.command()
def doctor() -> None:
    """Check settings, database, migrations, host tables, grants, secrets and workers, and print remedies. Exits 1 on an error."""
    from clay_push_service.commands.doctor import command

    sys.exit(command.run())


@app.command()
def verify() -> None:
    """Check the invariants of the live data (counters, claims, no double sends); for cron. Exits 1 on a violation."""
    from clay_push_service.commands import settings, verify

    sys.exit(verify.run(settings.load()))


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit after push and enrichment: 0 only if both succeeded.")
    ] = False,
    vintage: Annotated[
        str | None,
        typer.Option(
            metavar="2026-02|today",
            help="The NexusLeads schema to create: February 2026 (table contributors) or today (members). Default: today; later runs keep the existing schema.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API. If it is taken, a free port is used.")
    ] = 8080,
    sandbox_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the sandbox. If it is taken, a free port is used.")
    ] = 8090,
    directory: Annotated[Path, typer.Option(help="Directory for all data of the demo.")] = Path(".data"),
) -> None:
    """Run everything on this machine: database, sandbox, API, worker, a push with a progress bar, and one lead enriched."""
    from clay_push_service.demo.run import DemoOptions, run

    sys.exit(run(DemoOptions(directory, once=once, vintage=vintage, port=port, sandbox_port=sandbox_port)))


@app.command()
def push(
    org: Annotated[str, typer.Option(help="The organization: its id, slug or name.")],
    project: Annotated[str, typer.Option(help="A project of the organization: its id or name.")],
    min_score: Annotated[float | None, typer.Option(min=0, max=100, help="Only leads with this score or more.")] = None,
    push_again: Annotated[
        bool, typer.Option("--push-again", help="Also send leads that are or may be in Clay.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show progress until the push job finishes.")] = False,
    destination: Annotated[str | None, typer.Option(help="A Clay table, by id or name; default: by routes.")] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Skip leads that are in any Clay table.")] = False,
    changed: Annotated[
        bool, typer.Option("--changed", help="Also send leads that changed after they were sent.")
    ] = False,
) -> None:
    """Push a project's leads from the shell, with the same rules as the API."""
    settings = _load_settings()
    from clay_push_service.commands import push

    how = {"again": push_again, "dry_run": dry_run, "watch": watch, "anywhere": anywhere, "changed": changed}
    sys.exit(push.run(settings, push.PushOptions(org, project, min_score, destination, **how)))


@app.command()
def cancel(
    job: Annotated[str | None, typer.Option(help="One push job, by its id.")] = None,
    org: Annotated[
        str | None, typer.Option(help="All live push jobs of an organization: its id, slug or name.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All live push jobs of all organizations.")] = False,
) -> None:
    """Cancel live push jobs: queued leads are not sent. No worker needs to run."""
    settings = _load_settings()
    from clay_push_service.commands import cancel

    cancel.run(settings, cancel.CancelTarget(job, org, everything))


@app.command()
def erase(
    org: Annotated[str, typer.Option(help="The organization: its id, slug or name.")],
    lead: Annotated[list[str], typer.Option(help="A lead's id (repeat for several).")],
    former: Annotated[
        list[str] | None, typer.Option(help="A former e-mail address, name or company of these leads (repeat).")
    ] = None,
) -> None:
    """Erase leads: cancel queued deliveries, empty our copies, never push them again, and print what was sent to Clay."""
    settings = _load_settings()
    from clay_push_service.commands import erase

    erase.run(settings, org, lead, former)


@app.command()
def export(
    org: Annotated[str, typer.Option(help="The organization: its id, slug or name.")],
    lead: Annotated[str, typer.Option(help="The lead's id.")],
) -> None:
    """Print everything that is kept about one lead, as JSON."""
    settings = _load_settings()
    from clay_push_service.commands import export

    export.run(settings, org, lead)


@app.command()
def openapi() -> None:
    """Print the OpenAPI description of the API as YAML (as JSON, which is valid YAML, if PyYAML is not installed)."""
    from clay_push_service.commands import openapi

    typer.echo(openapi.as_yaml(), nl=False)


def main() -> None:
    try:
        app()
    except Exception as error:
        from clay_push_service.commands.cli_errors import describe_error

        described = describe_error(error)
        if described is None:
            raise
        typer.secho(described.message, err=True, fg=typer.colors.RED)
        sys.exit(described.exit_code)


if __name__ == "__main__":
    main()
