"""Prints the demo's steps, its result, and commands to try."""

import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from clay_push_service.demo.home import DemoHome
from clay_push_service.demo.host_database import DemoProject
from clay_push_service.demo.sandbox_check import ArrivalCounts
from clay_push_service.enrichment.ledger.states import RequestWay
from clay_push_service.enrichment.settings.trial_schemas import CostEstimate
from clay_push_service.enrichment.values.confidence import ConfidenceBand
from clay_push_service.enrichment.values.schemas import FieldText, LeadEnrichment
from clay_push_service.push_jobs.targets.simulate import RouteCount
from clay_push_service.schedules.schemas import ScheduleView


class DemoOutput:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    def line(self, message: str, style: str = "") -> None:
        """Prints without markup and wrapping, so that URLs and commands can be copied."""
        self.console.print(Text(message, style), soft_wrap=True)

    def step(self, message: str) -> None:
        self.line(f"[{time.monotonic() - self._began:4.1f} s] {message}")

    def port_taken(self, what: str, wanted: int, used: int) -> None:
        if wanted not in {0, used}:
            self.line(f"         Port {wanted} is taken. {what} uses port {used}.", "yellow")

    def host(self, project: DemoProject) -> None:
        action = (
            "created a miniature NexusLeads" if project.is_new else "found the miniature NexusLeads of the last run"
        )
        self.step(f"PostgreSQL: {action} (vintage {project.vintage}): {project.all_leads} leads in 2 projects")

    def outcome(self, project: DemoProject, found: ArrivalCounts, queued: int, *, is_good: bool) -> None:
        wanted = len(project.lead_ids)
        each = f"{found.repeated} of them repeatedly, as requested earlier" if found.repeated else "once each"
        if is_good and queued == 0:
            self.line(
                f"All {wanted} leads of {project.name} were already in the sandbox's table, {each}. Nothing was sent.",
                "bold green",
            )
        elif is_good:
            self.line(f"All {wanted} leads of {project.name} are in the sandbox's table, {each}.", "bold green")
        else:
            self.line(
                f"Of {wanted} leads {found.once} are in the sandbox's table once, {len(found.missing)} are missing, "
                f"{found.repeated} are there more than once.",
                "bold red",
            )

    def remedy(self, found: ArrivalCounts, home: DemoHome) -> None:
        if found.missing:
            self.line(f"  The reason for missing leads is above and in {home.service_log}.")
        if found.repeated:
            self.line(
                "  Leads that are there more than once were pushed again on request (push_again). Otherwise this is a bug."
            )
        self.line(f"  To start over: rm -rf {home.directory}")

    def enriching(self, name: str, way: RequestWay, estimate: CostEstimate) -> None:
        by = (
            "a routine of Clay's public API"
            if way is RequestWay.ROUTINE
            else "the table: its row is sent again, and the table sends the result back"
        )
        low, high = estimate.credits.low, estimate.credits.high
        cost = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
        self.step(f"POST /api/clay/leads/…/enrich for {name}, by {by}; estimated {cost} credits")

    def enriched(self, name: str, lead: LeadEnrichment) -> None:
        """The badge, the score or "not given", and the fields that have a value."""
        badge = f"enriched {lead.badge.enriched_at:%Y-%m-%d %H:%M} UTC" if lead.badge.enriched_at else "not enriched"
        self.line(f"{name}: {badge}, score {_confidence(lead.score.confidence, lead.score.band)}", "bold")
        for field in lead.fields:
            current = field.current
            if current is not None and (value := current.value) is not None:
                given = _confidence(current.confidence, current.band)
                self.line(f"  {field.field:<16} {_text(value)}    from {current.source}, confidence {given}")

    def routed(self, decision: RouteCount) -> None:
        """One line of the simulation, before the push that does the same."""
        which = f"segment “{decision.segment_name}”" if decision.segment_name else "all others"
        where = f"to “{decision.destination.name}”" if decision.destination else "to no table"
        why = f", skipped: {decision.skipped_because}" if decision.skipped_because else ""
        self.line(f"  Route {decision.position}, {which}: {decision.lead_count} leads {where}{why}")

    def second_table(self, name: str, found: ArrivalCounts, *, is_good: bool) -> None:
        if is_good:
            self.line(
                f"All {found.once} leads of its segment are in the second table “{name}”, once each.", "bold green"
            )
        else:
            self.line(
                f"In the second table “{name}” {found.once} leads are there once, {len(found.missing)} are missing, "
                f"{found.repeated} are there more than once.",
                "bold red",
            )

    def scheduled(self, schedule: ScheduleView) -> None:
        first = schedule.next_runs[0].isoformat(sep=" ", timespec="minutes") if schedule.next_runs else "paused"
        self.line(f"Schedule “{schedule.name}”: {schedule.words}; next run {first}")

    def where(self, api_url: str, sandbox_url: str, token: str, project: DemoProject, directory: Path) -> None:
        push = '{"project_id": "' + str(project.project_id) + '", "filters": {"min_score": 70}, "push_again": true}'
        headers = f'-H "Authorization: Bearer $TOKEN" -H "X-Org-Id: {project.org_id}"'
        for message in (
            "",
            "Look around:",
            f"  {api_url}/console/#token={token}&org={project.org_id}",
            "      the web console; this link signs in by itself",
            f"  {sandbox_url}/          the sandbox: every row, as your Clay table would show it",
            f"  {api_url}/status    the status page for on-call engineers",
            "  openapi.yaml    every endpoint (in the checkout; `clay-push openapi` also prints it)",
            f"  {directory}/*.log    the logs of the processes",
            "",
            "Try the API as a member of Acme (the token is valid for 12 hours; push_again in the second command sends rows again):",
            f"  TOKEN={token}",
            f"  curl -s {headers} {api_url}/api/clay/status",
            f"  curl -s {headers} -H 'Content-Type: application/json' -d '{push}' {api_url}/api/clay/push-filtered",
            "",
        ):
            self.line(message)


def _confidence(percent: int | None, band: ConfidenceBand) -> str:
    return "not given" if percent is None else f"{percent} ({band.replace('_', ' ')})"


def _text(value: FieldText) -> str:
    return value if isinstance(value, str) else ", ".join(value)
