"""Creates the cluster of the embedded PostgreSQL with initdb."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from clay_push_service.local_database.home import Home, PostgresError, binaries

BUILTIN_LOCALE_SINCE = 17


def initialize_cluster(home: Home) -> None:
    """Run initdb with new passwords, unless the cluster exists."""
    if home.data.exists():
        if not home.passwords.exists():
            raise PostgresError(f"The passwords of {home.data} are missing. Delete {home.directory} to start over.")
        return
    bin_directory = binaries(home)
    with os.fdopen(home.open_private(home.passwords, os.O_WRONLY | os.O_TRUNC), "w") as passwords:
        passwords.write(
            f"{secrets.token_urlsafe(24)}\n{secrets.token_urlsafe(24)}\n"
        )  # the superuser's password is first
    partial = home.data.with_suffix(".partial")
    _delete_tree(partial)
    partial.mkdir(mode=0o700)
    if home.account:
        os.chown(partial, home.account.uid, home.account.gid)
    log = home.open_private(home.log, os.O_WRONLY | os.O_APPEND)
    try:
        ended = home.popen(
            [
                *(str(bin_directory / "initdb"), "-D", str(partial), "-U", "postgres", f"--pwfile={home.passwords}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions", "--no-sync", *_locale(bin_directory)),
            ],
            log,
        ).wait(300)
    finally:
        os.close(log)
    if ended != 0:
        raise PostgresError(f"initdb failed:\n{home.log.read_text(errors='replace')[-1500:]}")
    partial.rename(home.data)  # complete or absent, also after a kill


def _locale(bin_directory: Path) -> tuple[str, ...]:
    """Sort by code point, with UTF-8 character classes: the built-in locale since PostgreSQL 17, the system's before."""
    version = subprocess.run([bin_directory / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    if int(version.stdout.split()[2].split(".")[0]) < BUILTIN_LOCALE_SINCE:
        return ("--locale=C.UTF-8",)
    return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def _delete_tree(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
