"""The stages of a connection test: address, DNS, connection, TLS, token, row. Pure: which one failed, from the response."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.response import Blocked, NoResponse, NotConnected, NotConnectedKind, Responded, Response


class ConnectionStage(StrEnum):
    """The stages of a test, in their order."""

    ADDRESS = "address"
    DNS = "dns"
    CONNECTION = "connection"
    TLS = "tls"
    TOKEN = "token"  # noqa: S105 - a stage, no secret
    ROW = "row"


class ConnectionResult(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNCLEAR = "unclear"
    NOT_RUN = "not_run"


PASSED_TEXTS: Final = MappingProxyType(
    {
        ConnectionStage.ADDRESS: "The address and its host are allowed.",
        ConnectionStage.DNS: "The host name was found.",
        ConnectionStage.CONNECTION: "The server accepted a connection.",
        ConnectionStage.TLS: "No certificate was refused.",
        ConnectionStage.TOKEN: "The auth token was not refused.",
        ConnectionStage.ROW: "Clay accepted a test row. Delete it from your table after checking it.",
    }
)
NOT_RUN: Final = "Not run, because an earlier stage failed."
STAGE_OF_KIND: Final = MappingProxyType(
    {
        NotConnectedKind.DNS: ConnectionStage.DNS,
        NotConnectedKind.TLS: ConnectionStage.TLS,
        NotConnectedKind.CERTIFICATE: ConnectionStage.TLS,
    }
)
"""All other kinds of error failed at the connection."""
NOT_PUBLIC: Final = "address_not_public"
"""The guard's reason when the host name resolves to an address that is not allowed."""
FIRST_REFUSAL: Final = 300
"""Statuses from 300 do not accept the row. A 429 has no cause, because a push waits after it."""


@dataclass(frozen=True, slots=True)
class Stage:
    name: ConnectionStage
    status: ConnectionResult
    message: str
    remedy: str | None = None


def failed_stage(response: Response | None, cause: str | None, *, is_page: bool) -> ConnectionStage | None:
    """The stage at which a test ended; None: Clay accepted the row. `response`: None if nothing was sent."""
    match response:
        case Blocked(reason=reason) if reason == NOT_PUBLIC:
            return ConnectionStage.DNS
        case None | Blocked():
            return ConnectionStage.ADDRESS
        case NotConnected(kind=kind):
            return STAGE_OF_KIND.get(kind, ConnectionStage.CONNECTION)
        case NoResponse():
            return ConnectionStage.ROW
        case Responded(status=status) if cause is None and not is_page and status < FIRST_REFUSAL:
            return None
        case Responded():
            return ConnectionStage.TOKEN if cause == Cause.UNAUTHORIZED else ConnectionStage.ROW


def stages_of(failed: ConnectionStage | None, cause: str | None, message: str, remedy: str | None) -> Sequence[Stage]:
    """All stages of a test: those before the failed one have passed, those after it were not run."""
    names = list(ConnectionStage)
    end = len(names) if failed is None else names.index(failed)
    passed = [Stage(name, ConnectionResult.PASSED, PASSED_TEXTS[name]) for name in names[:end]]
    if failed is None:
        return passed
    status = ConnectionResult.UNCLEAR if cause == Cause.UNKNOWN else ConnectionResult.FAILED
    rest = [Stage(name, ConnectionResult.NOT_RUN, NOT_RUN) for name in names[end + 1 :]]
    return [*passed, Stage(failed, status, message, remedy), *rest]
