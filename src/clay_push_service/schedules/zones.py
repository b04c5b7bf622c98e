"""Time zones of the `tzdata` package. Every process uses these rules, because the operating system's files may differ. Pure."""

from functools import lru_cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

import tzdata

TZDATA_VERSION: Final[str] = tzdata.IANA_VERSION
"""Such as 2026f. Later versions sort later."""


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The names of all zones, in the case that IANA writes."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=700)
def load_zone(name: str) -> ZoneInfo:
    """Raises KeyError for an unknown name, also if only its case is wrong."""
    if name not in zone_names():
        raise KeyError(name)
    *folders, file = name.split("/")
    with resources.files("tzdata").joinpath("zoneinfo", *folders, file).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)
