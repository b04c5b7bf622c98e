"""The settings of a command, and its logs; a bad variable ends it before it does anything."""

from clay_push_service import logs, settings
from clay_push_service.settings import Settings


def load() -> Settings:
    """Raises SettingsError, which names each bad variable."""
    found = settings.load()
    logs.configure(found.log_format, found.log_level)
    return found
