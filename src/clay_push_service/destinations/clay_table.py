"""The Clay table that a destination feeds: "already in Clay" counts for one table of one destination."""

from typing import NamedTuple
from uuid import UUID


class ClayTable(NamedTuple):
    """`epoch` counts the new tables that were declared for the destination, from 1."""

    destination_id: UUID | None
    """None: the organization never had a destination, so it has no deliveries."""
    epoch: int


NO_TABLE = ClayTable(None, 1)
