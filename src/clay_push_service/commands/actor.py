"""The actor of a shell command, as the audit log and a job's page show it."""

import getpass


def shell_actor() -> str:
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user id without a name
        return "shell"
