"""Serves the console's stylesheet, scripts and icons: the name contains a hash of the content, so browsers keep them for a year."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Request, Response

from clay_push_service.errors import NotFoundError

PREFIX: Final = "/console/static/"
HASH_CHARACTERS: Final = 12
TYPES: Final = MappingProxyType(
    {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "txt": "text/plain; charset=utf-8"}
)  # fmt: skip
CACHE_FOREVER: Final = "public, max-age=31536000, immutable"
CACHE_ONE_HOUR: Final = "public, max-age=3600"


@dataclass(frozen=True, slots=True)
class StaticFile:
    url: str
    media_type: str
    content: bytes
    compressed: bytes


def _read_all() -> dict[str, StaticFile]:
    root = files("clay_push_service.console") / "static"
    found = {}
    for folder in (root, root / "vendor"):
        for entry in sorted(folder.iterdir(), key=lambda each: each.name):
            if entry.is_file():
                found[entry.name] = _read(entry)
    return found


def _read(entry: Traversable) -> StaticFile:
    content = entry.read_bytes()
    stem, _, suffix = entry.name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:HASH_CHARACTERS]
    # mtime 0 makes the compressed bytes equal in every process.
    return StaticFile(f"{PREFIX}{stem}.{digest}.{suffix}", TYPES[suffix], content, gzip.compress(content, 9, mtime=0))


BY_NAME: Final = MappingProxyType(_read_all())
BY_URL: Final = MappingProxyType({each.url: each for each in BY_NAME.values()})

router = APIRouter(include_in_schema=False)


def static_url(name: str) -> str:
    """The URL of a file in `static/`, for templates. Raises KeyError for an unknown name."""
    return BY_NAME[name].url


@router.get(PREFIX + "{name}")
async def read_static_file(name: str, request: Request) -> Response:
    """Public: the files contain no data. Raises 404 for an unknown name and for an earlier release's hash."""
    found = BY_URL.get(PREFIX + name)
    if found is None:
        raise NotFoundError("No resource exists at this path.", code="route_not_found")
    return _respond(found, request, CACHE_FOREVER)


@router.get("/console/push-button.js")
async def read_push_button(request: Request) -> Response:
    """The push button for pages of NexusLeads, under a name that does not change. Public, as every static file."""
    return _respond(BY_NAME["push-button.js"], request, CACHE_ONE_HOUR)


def _respond(found: StaticFile, request: Request, cache_control: str) -> Response:
    headers = {"Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if accepts_gzip(request):
        return Response(found.compressed, media_type=found.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(found.content, media_type=found.media_type, headers=headers)


def accepts_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "")
    return any(
        each.partition(";")[0].strip() == "gzip" and "q=0" not in each.split(";")[1:] for each in accepted.split(",")
    )
