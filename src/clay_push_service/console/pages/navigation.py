"""The console's navigation, in the order of NexusLeads' own. A page names its entry by `section`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    section: str
    label: str
    href: str
    icon: str
    scope: str = "read"
    """Shown to callers who have it."""


MAIN: Final = (
    Entry("overview", "Overview", "/console/", "layout-dashboard"),
    Entry("leads", "Leads", "/console/leads", "user-check"),
    Entry("jobs", "Jobs", "/console/jobs", "briefcase"),
)
"""What sellers use."""
SETTINGS: Final[tuple[Entry, ...]] = (
    Entry("projects", "Project rules", "/console/projects", "folder-kanban"),
    Entry("integrations", "Integrations", "/console/integrations", "blocks"),
    Entry("tokens", "Results tokens", "/console/tokens", "database-zap", "config"),
    Entry("keys", "Service keys", "/console/keys", "key-round", "erase"),
    Entry("audit", "Audit log", "/console/audit", "scroll-text", "config"),
    Entry("privacy", "Erase leads", "/console/privacy", "shield", "erase"),
)
"""Below the line: settings and records."""
