"""`clay-push`: names the processes and the operator's tools and reads their options; what each does is in `commands`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clay_push_service import __version__
from clay_push_service.commands.key_commands import api_keys, secrets

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands: `--help` answers at once, and `sandbox` never loads the service.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(api_keys, name="api-keys")
app.add_typer(secrets, name="secrets")

EndWithParent = Annotated[bool, typer.Option("--end-with-parent", hidden=True)]
"""End in order when standard input closes: whoever started us has died."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print this release's version.")
    ] = False,
) -> None:
    """Send NexusLeads' leads into Clay.

    Settings are environment variables CLAY_PUSH_…, also from a file .env in the working directory; README.md lists them.
    The first steps: `clay-push secrets new`, `clay-push migrate`, `clay-push doctor`, `clay-push serve --with-worker`.
    """
    del version


def _settings(end_with_parent: bool = False, *, is_process: bool = False) -> "Settings":
    """Before anything heavy is imported: a missing variable is said at once."""
    from clay_push_service.commands import parent_watch as parent
    from clay_push_service.commands import settings

    found = settings.load(is_process=is_process)
    if end_with_parent:
        parent.end_with_it()
    return found


@app.command()
def serve(
    with_worker: Annotated[bool, typer.Option("--with-worker", help="Run a worker, too, as a process beside.")] = False,
    end_with_parent: EndWithParent = False,
) -> None:
    """Answer HTTP until told to stop (SIGTERM)."""
    settings = _settings(end_with_parent, is_process=True)
    from clay_push_service.commands import serve

    sys.exit(serve.run(settings, with_worker=with_worker))


@app.command()
def worker(
    check: Annotated[
        bool, typer.Option("--check", help="Start none: exit with 0 if one of this host has a fresh heartbeat, else 1.")
    ] = False,
    end_with_parent: EndWithParent = False,
) -> None:
    """Drain push jobs until told to stop (SIGTERM); run as many as you like."""
    settings = _settings(end_with_parent, is_process=not check)
    if check:
        from clay_push_service.commands import worker_check

        sys.exit(worker_check.run(settings))
    from clay_push_service.worker import worker

    worker.run(settings)


@app.command()
def migrate() -> None:
    """Bring schema clay to this release's state, as ADMIN_DATABASE_URL; grant the role of DATABASE_URL its use."""
    settings = _settings()
    from clay_push_service.commands import migrate

    migrate.run(settings)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
def sandbox(context: typer.Context) -> None:
    """Run a stand-in Clay with Clay's limits, and faults on demand (see sandbox --help)."""
    from clay_push_service.sandbox.__main__ import main

    sys.exit(main(context.args))


@app.command()
def doctor() -> None:
    """Check database, migrations, host tables and grants, secrets and workers; say what to do. Exits 1 if it is bad."""
    from clay_push_service.commands.doctor import command

    sys.exit(command.run())


@app.command()
def verify() -> None:
    """Hold the live data to what must always be true of it (counters, claims, once each); for cron. Exits 1 if it is not."""
    from clay_push_service.commands import settings, verify

    sys.exit(verify.run(settings.load()))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the push; 0 only if every lead has arrived.")] = False,
    vintage: Annotated[
        str | None,
        typer.Option(
            metavar="2026-02|today",
            help="Which NexusLeads to imitate: that of February 2026 (table contributors) or today's (members). A first run makes today's; a later one keeps what is there.",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The API's; a free one if it is taken.")] = 8080,
    sandbox_port: Annotated[int, typer.Option(min=0, max=65535, help="The sandbox's, likewise.")] = 8090,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps everything.")] = Path(".data"),
) -> None:
    """Everything on this machine: database, sandbox, API, worker, and a push one can watch."""
    from clay_push_service.demo.run import Wishes, run

    sys.exit(run(Wishes(directory, once=once, vintage=vintage, port=port, sandbox_port=sandbox_port)))


@app.command()
def push(
    org: Annotated[str, typer.Option(help="The organization: its id, slug or name.")],
    project: Annotated[str, typer.Option(help="Its project: id or name.")],
    min_score: Annotated[
        float | None, typer.Option(min=0, max=100, help="Only leads with at least this score.")
    ] = None,
    push_again: Annotated[bool, typer.Option("--push-again", help="Also what is, or may be, in Clay already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show how it goes.")] = False,
) -> None:
    """Push a project's leads from the shell, as the API would."""
    settings = _settings()
    from clay_push_service.commands import push

    wanted = push.Wanted(org, project, min_score=min_score, again=push_again, dry_run=dry_run, watch=watch)
    sys.exit(push.run(settings, wanted))


@app.command()
def cancel(
    job: Annotated[str | None, typer.Option(help="This push job, by its id.")] = None,
    org: Annotated[
        str | None, typer.Option(help="All live push jobs of an organization: its id, slug or name.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All live push jobs of all organizations.")] = False,
) -> None:
    """Cancel live push jobs: what is queued will not be sent. Works while no worker runs."""
    settings = _settings()
    from clay_push_service.commands import cancel

    cancel.run(settings, cancel.Wanted(job, org, everything))


@app.command()
def erase(
    org: Annotated[str, typer.Option(help="The organization: its id, slug or name.")],
    lead: Annotated[list[str], typer.Option(help="A lead's id (repeat for several).")],
    former: Annotated[list[str] | None, typer.Option(help="E-mail, name or company they had before (repeat).")] = None,
) -> None:
    """Forget people: stop what is queued, empty our copies, never push them again; print what had gone to Clay."""
    settings = _settings()
    from clay_push_service.commands import erase

    erase.run(settings, org, lead, former)


@app.command()
def openapi() -> None:
    """Print the API's description as YAML (as JSON, which is YAML too, where PyYAML is not installed)."""
    from clay_push_service.commands import openapi

    typer.echo(openapi.as_yaml(), nl=False)


@app.command()
def attach(
    level: Annotated[
        str,
        typer.Option(
            metavar="read|mirror|inbox",
            help="read: check, and print the grants; mirror: also show push jobs on NexusLeads' pages; inbox: also take over what NexusLeads queues itself.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what this level would change.")] = False,
    without_trigger: Annotated[
        bool, typer.Option("--without-trigger", help="At level mirror: repair our rows instead of guarding them.")
    ] = False,
    take_waiting: Annotated[
        bool, typer.Option("--take-waiting", help="At level inbox: also take pushes of NexusLeads' own that wait.")
    ] = False,
) -> None:
    """Let NexusLeads' pages show push jobs, and take over what it queues itself; as ADMIN_DATABASE_URL."""
    settings = _settings()
    from clay_push_service.commands import attach

    wanted = attach.level_of(level)
    sys.exit(
        attach.attach(settings, wanted, dry_run=dry_run, with_trigger=not without_trigger, take_waiting=take_waiting)
    )


@app.command()
def detach(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken away.")] = False,
) -> None:
    """Take our triggers and functions away; leave finished rows, and end unfinished ones with a sentence."""
    settings = _settings()
    from clay_push_service.commands import attach

    sys.exit(attach.detach(settings, dry_run=dry_run))


def main() -> None:
    try:
        app()
    except Exception as error:
        from clay_push_service.commands import cli_errors as complaint

        said = complaint.of(error)
        if said is None:
            raise
        typer.secho(said.line, err=True, fg=typer.colors.RED)
        sys.exit(said.exit_code)


if __name__ == "__main__":
    main()
