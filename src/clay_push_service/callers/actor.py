"""The actor of a request (a user or a service key), as push jobs and the audit log record it."""

from dataclasses import dataclass
from uuid import UUID

from clay_push_service.callers.caller import Caller


@dataclass(frozen=True, slots=True)
class Actor:
    """`name`: for example `user:<uuid>` or `key:<prefix>`."""

    org_id: UUID
    name: str
    user_id: UUID | None = None
    request_id: str | None = None


def actor_of(caller: Caller, request_id: str | None) -> Actor:
    return Actor(caller.org_id, caller.actor, caller.user_id, request_id)
