"""Loads the settings of a command and configures its logging. An invalid variable stops the command at the start."""

from clay_push_service import logs, settings
from clay_push_service.settings import Settings

VERBOSE_LEVELS = frozenset({"DEBUG", "INFO"})


def load(*, is_process: bool = False) -> Settings:
    """Raises SettingsError, which names each bad variable.

    `is_process`: `serve` and `worker` log what they do. Other commands print their result and log only problems.
    """
    found = settings.load()
    level = "WARNING" if found.log_level in VERBOSE_LEVELS and not is_process else found.log_level
    logs.configure(found.log_format, level)
    return found
