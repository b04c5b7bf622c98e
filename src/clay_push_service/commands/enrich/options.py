"""Declares `clay-push enrich`, and the subcommands of `clay-push enrichment`, with their options."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from clay_push_service.settings import Settings

# Everything else is imported inside the commands, as in `cli`.
enrichment = typer.Typer(
    no_args_is_help=True, help="List and cancel enrichment jobs, and undo what was written into NexusLeads."
)
Org = Annotated[str, typer.Option(help="The organization: its id, slug or name.")]


def _load_settings() -> "Settings":
    from clay_push_service.commands import settings

    return settings.load()


def enrich(
    org: Org,
    basis: Annotated[str, typer.Option(help="The legal basis: consent or legitimate_interest. It is recorded.")],
    kind: Annotated[str, typer.Option(help="full: all available data. email: the e-mail address alone.")],
    lead: Annotated[list[str] | None, typer.Option(help="A lead's id (repeat for several).")] = None,
    project: Annotated[
        str | None, typer.Option(help="Instead of --lead: a project, by its id or name, best score first.")
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=100, help="With --project: only leads with at least this score.")
    ] = None,
    without_email: Annotated[
        bool, typer.Option("--without-email", help="With --project: only leads without an e-mail address.")
    ] = False,
    enriched: Annotated[
        str | None, typer.Option(help="With --project: never, or stale (more than six months ago).")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="With --project: the most leads to enrich.")] = 50,
    way: Annotated[
        str, typer.Option(help="routine: Clay's public API. table: the Clay table, which sends the result back.")
    ] = "routine",
    again: Annotated[
        bool, typer.Option("--again", help="Also leads that were enriched within six months, or may have been charged.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the estimate, and request nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation of the estimate.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show progress until the jobs finish.")] = False,
) -> None:
    """Request data about leads from Clay, with the same rules as the API. Prints the estimated cost first."""
    settings = _load_settings()
    from clay_push_service.commands.enrich import command, request

    arguments = request.parse(
        lead or [], project, kind=kind, way=way, basis=basis, min_score=min_score, without_email=without_email,
        enriched=enriched, most=most, again=again,
    )  # fmt: skip
    sys.exit(command.run(settings, org, arguments, command.RunOptions(dry_run=dry_run, is_confirmed=yes, watch=watch)))


@enrichment.command("jobs")
def list_jobs(
    org: Org,
    status: Annotated[
        str | None, typer.Option(help="Only pending, running, completed, failed or cancelled jobs.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="The most jobs to list.")] = 20,
) -> None:
    """List enrichment jobs, newest first, with counts and costs."""
    settings = _load_settings()
    from clay_push_service.commands.enrich import jobs

    jobs.show(settings, org, status, limit)


@enrichment.command("cancel")
def cancel_job(org: Org, job: Annotated[str, typer.Argument(help="Its id, as `enrichment jobs` shows it.")]) -> None:
    """Cancel an enrichment job: leads that were not requested from Clay end. No worker needs to run."""
    settings = _load_settings()
    from clay_push_service.commands.enrich import jobs

    jobs.cancel_one(settings, org, job)


@enrichment.command("undo-write-back")
def undo_write_back(
    org: Org,
    lead: Annotated[str | None, typer.Option(help="Only this lead, by its id.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Empty the columns of NexusLeads that still hold what this service wrote. They are not filled again."""
    settings = _load_settings()
    from clay_push_service.commands.enrich import write_back

    write_back.undo(settings, org, lead, is_confirmed=yes)
