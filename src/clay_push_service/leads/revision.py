"""Adds to a built payload which revision of a lead it is, and which delivery it supersedes. Pure.

A push that sends a changed lead again creates a row beside the first one. These two keys of `_meta` let a Clay table tell them apart.
"""

from dataclasses import dataclass, replace
from uuid import UUID

from clay_push_service.leads.payload import MAX_PAYLOAD_BYTES, Payload
from clay_push_service.leads.payload_fields import PayloadError, PayloadProblem


@dataclass(frozen=True, slots=True)
class Revision:
    number: int
    """The number of the row in this Clay table, from 2: the lead was sent before."""
    supersedes: UUID
    """The first delivery of the lead to this Clay table."""

    @classmethod
    def of(cls, number: int | None, supersedes: UUID | None) -> "Revision | None":
        return None if number is None or supersedes is None else cls(number, supersedes)


def add_revision(payload: Payload, delivery_id: UUID, revision: Revision | None) -> Payload:
    """Returns the payload with the two keys, or unchanged if `revision` is None. The hash covers no key of `_meta`, so it does not change.

    Raises PayloadError for a payload that is too large with the two keys.
    """
    if revision is None:
        return payload
    before = f'"delivery_id":"{delivery_id}"'.encode()
    after = before + f',"revision":{revision.number},"supersedes":"{revision.supersedes}"'.encode()
    body = payload.body.replace(before, after, 1)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise PayloadError(
            PayloadProblem.TOO_LARGE,
            f"The lead takes {len(body):,} bytes; Clay takes at most {MAX_PAYLOAD_BYTES:,} a row.",
        )
    return replace(payload, body=body)
