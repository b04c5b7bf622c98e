"""Who asks from a shell, as the audit log and a job's page name them."""

import getpass


def actor() -> str:
    try:
        return f"shell:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user id without a name
        return "shell"
