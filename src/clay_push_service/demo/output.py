"""What the demo says, to a person who has never seen it."""

import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from clay_push_service.demo.home import DemoHome
from clay_push_service.demo.host_database import DemoProject
from clay_push_service.demo.sandbox_check import Arrived


class Teller:
    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    def line(self, said: str, style: str = "") -> None:
        """Without markup and without wrapping: URLs and commands are copied from here."""
        self.console.print(Text(said, style), soft_wrap=True)

    def step(self, said: str) -> None:
        self.line(f"[{time.monotonic() - self._began:4.1f} s] {said}")

    def moved(self, what: str, wanted: int, got: int) -> None:
        if wanted not in {0, got}:
            self.line(f"         Port {wanted} is taken, so {what} is on {got}.", "yellow")

    def host(self, project: DemoProject) -> None:
        made = "made a miniature NexusLeads" if project.is_new else "found the miniature NexusLeads of the last run"
        self.step(f"PostgreSQL: {made} (vintage {project.vintage}): {project.all_leads} leads in 2 projects")

    def outcome(self, project: DemoProject, found: Arrived, queued: int, *, is_good: bool) -> None:
        wanted = len(project.lead_ids)
        each = f"{found.repeated} of them more often, as was asked before" if found.repeated else "once each"
        if is_good and queued == 0:
            self.line(
                f"All {wanted} leads of {project.name} were there already, {each}. Nothing was sent.", "bold green"
            )
        elif is_good:
            self.line(f"All {wanted} leads of {project.name} are in the sandbox's table, {each}.", "bold green")
        else:
            self.line(
                f"Of {wanted} leads {found.once} are in the sandbox's table once, {len(found.missing)} are not there, "
                f"{found.repeated} are there more than once.",
                "bold red",
            )

    def remedy(self, found: Arrived, home: DemoHome) -> None:
        if found.missing:
            self.line(f"  Why leads are missing is said above and in {home.service_log}.")
        if found.repeated:
            self.line("  More than once: they were pushed again on request (push_again), or something is wrong.")
        self.line(f"  To start afresh: rm -rf {home.directory}")

    def where(self, api_url: str, sandbox_url: str, token: str, project: DemoProject, directory: Path) -> None:
        push = '{"project_id": "' + str(project.project_id) + '", "filters": {"min_score": 70}, "push_again": true}'
        headers = f'-H "Authorization: Bearer $TOKEN" -H "X-Org-Id: {project.org_id}"'
        for said in (
            "",
            "Look around:",
            f"  {sandbox_url}/          the sandbox: every row as your Clay table would have it",
            f"  {api_url}/status    what on-call sees",
            "  openapi.yaml    every endpoint (in the checkout; `clay-push openapi` prints it, too)",
            f"  {directory}/*.log    what the processes say",
            "",
            "Try it, as a member of Acme (the token is good for 12 hours; this second push sends rows again, as it says):",
            f"  TOKEN={token}",
            f"  curl -s {headers} {api_url}/api/clay/status",
            f"  curl -s {headers} -H 'Content-Type: application/json' -d '{push}' {api_url}/api/clay/push-filtered",
            "",
        ):
            self.line(said)
