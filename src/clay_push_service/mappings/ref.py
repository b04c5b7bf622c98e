"""The version of a mapping, as responses about destinations and push jobs name it."""

from typing import NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, Field


class NamedVersion(NamedTuple):
    """A version of a mapping, with the name that the mapping has now."""

    mapping_id: UUID
    name: str
    number: int
    version_id: UUID


def named_version(
    mapping_id: UUID | None, name: str | None, number: int | None, version_id: UUID | None
) -> NamedVersion | None:
    """From the columns of an outer join; None: there is no mapping."""
    if mapping_id is None or name is None or number is None or version_id is None:
        return None
    return NamedVersion(mapping_id, name, number, version_id)


class MappingRef(BaseModel):
    """A version of a mapping."""

    id: UUID = Field(description="The mapping.")
    name: str = Field(description="Its name.", examples=["Outbound"])
    version: int = Field(description="Number of the version.", examples=[3])
    version_id: UUID = Field(description="The version. Versions never change.")

    @classmethod
    def of(cls, found: NamedVersion | None) -> Self | None:
        """None: the standard payload."""
        if found is None:
            return None
        return cls(id=found.mapping_id, name=found.name, version=found.number, version_id=found.version_id)
