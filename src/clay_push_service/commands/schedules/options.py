"""Declares the subcommands and options of `clay-push schedules`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
schedules = typer.Typer(
    no_args_is_help=True,
    help="Manage an organization's schedules, which push new leads at set times. The API creates them.",
)
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]
ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its id, as `schedules list` shows it.")]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


@schedules.command("list")
def list_schedules(org: Org) -> None:
    """List all schedules: in words, the next run with its UTC offset, and the last outcome."""
    settings = _load_settings()
    from clay_push_service.commands.schedules import command

    command.show_all(settings, org)


@schedules.command("runs")
def list_runs(org: Org, schedule: ScheduleId) -> None:
    """List the last 50 runs of a schedule, newest first, each with its outcome."""
    settings = _load_settings()
    from clay_push_service.commands.schedules import command

    command.show_runs(settings, org, schedule)


@schedules.command("run")
def run_schedule(org: Org, schedule: ScheduleId) -> None:
    """Run a schedule now, beside its due times."""
    settings = _load_settings()
    from clay_push_service.commands.schedules import command

    command.run(settings, org, schedule)


@schedules.command("pause")
def pause_schedule(org: Org, schedule: ScheduleId) -> None:
    """Pause a schedule: it has no due times until it is resumed."""
    settings = _load_settings()
    from clay_push_service.commands.schedules import command

    command.pause(settings, org, schedule)


@schedules.command("resume")
def resume_schedule(org: Org, schedule: ScheduleId) -> None:
    """Resume a schedule from its next due time on."""
    settings = _load_settings()
    from clay_push_service.commands.schedules import command

    command.resume(settings, org, schedule)
