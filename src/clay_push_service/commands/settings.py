"""The settings of a command, and its logs; a bad variable ends it before it does anything."""

from clay_push_service import logs, settings
from clay_push_service.settings import Settings

CHATTY = frozenset({"DEBUG", "INFO"})


def load(*, is_process: bool = False) -> Settings:
    """Raises SettingsError, which names each bad variable.

    `is_process`: `serve` and `worker` log what they do. Other commands print it, and log only what goes wrong.
    """
    found = settings.load()
    level = "WARNING" if found.log_level in CHATTY and not is_process else found.log_level
    logs.configure(found.log_format, level)
    return found
