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
    Entry("enrichment", "Enrichment", "/console/enrichment", "sparkles"),
)
"""Entries in the first group: daily work with leads."""
SETTINGS: Final[tuple[Entry, ...]] = (
    Entry("projects", "Project rules", "/console/projects", "folder-kanban"),
    Entry("exclusions", "Exclusions", "/console/exclusions", "ban"),
    Entry("integrations", "Integrations", "/console/integrations", "blocks"),
    Entry("destinations", "Destinations", "/console/destinations", "table-2"),
    Entry("routes", "Routes", "/console/routes", "split"),
    Entry("schedules", "Schedules", "/console/schedules", "calendar-clock"),
    Entry("tokens", "Results tokens", "/console/tokens", "database-zap", "config"),
    Entry("keys", "Service keys", "/console/keys", "key-round", "erase"),
    Entry("audit", "Audit log", "/console/audit", "scroll-text", "config"),
    Entry("privacy", "Erase leads", "/console/privacy", "shield", "erase"),
)
"""Entries in the second group: settings and records."""
DESTINATION_TABS: Final = (
    ("destinations", "Destinations", "/console/destinations"),
    ("mappings", "Mappings", "/console/mappings"),
    ("templates", "Table templates", "/console/templates"),
    ("workspaces", "Workspaces", "/console/workspaces"),
)
"""Key, label and address of the pages that share the entry `destinations` in the navigation."""
ROUTE_TABS: Final = (("routes", "Routes", "/console/routes"), ("segments", "Segments", "/console/segments"))
"""Key, label and address of the pages that share the entry `routes` in the navigation."""
