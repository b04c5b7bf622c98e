"""The console's navigation, in the order of NexusLeads' own. A page names its entry by `section`."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    section: str
    label: str
    href: str
    icon: str


MAIN: Final = (
    Entry("overview", "Overview", "/console/", "layout-dashboard"),
    Entry("leads", "Leads", "/console/leads", "user-check"),
    Entry("jobs", "Jobs", "/console/jobs", "briefcase"),
)
"""What sellers use."""
SETTINGS: Final[tuple[Entry, ...]] = (Entry("integrations", "Integrations", "/console/integrations", "blocks"),)
"""Below the line: settings and records."""
