"""The demo's data directory: its secrets and logs, which persist between runs; and the choice of its ports."""

import base64
import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from clay_push_service.errors import ClayPushError


class DemoError(ClayPushError):
    """The demo cannot continue; the detail gives the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class DemoSecrets:
    jwt_secret: str
    """Stands for NexusLeads' SECRET_KEY."""
    encryption_key: str

    def __repr__(self) -> str:
        return "DemoSecrets(…)"


@dataclass(frozen=True, slots=True)
class DemoHome:
    directory: Path

    @property
    def service_log(self) -> Path:
        return self.directory / "service.log"

    @property
    def sandbox_rows(self) -> Path:
        return self.directory / "sandbox"

    def create(self) -> "DemoHome":
        """Creates the directory and returns its absolute path, because the service runs inside it."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DemoError(
                f"Cannot create {self.directory}: {error.strerror}. Choose another directory: clay-push demo --directory DIR."
            ) from None
        return DemoHome(self.directory.resolve())

    def secrets(self) -> DemoSecrets:
        """Reads the secrets; the first run creates them with mode 0600."""
        path = self.directory / "demo.secrets"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            kept = json.loads(path.read_text())
            return DemoSecrets(kept["jwt_secret"], kept["encryption_key"])
        key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        demo_secrets = DemoSecrets(secrets.token_urlsafe(32), f"demo:{key}")
        with os.fdopen(descriptor, "w") as file:
            json.dump({"jwt_secret": demo_secrets.jwt_secret, "encryption_key": demo_secrets.encryption_key}, file)
        return demo_secrets


def port_for(wanted: int) -> int:
    """Returns the wanted port of 127.0.0.1, or a free one if it is taken or 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
