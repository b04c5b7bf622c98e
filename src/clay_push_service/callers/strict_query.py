"""Rejects undeclared query parameters: an ignored `dryrun=true` would send leads."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from clay_push_service.errors import FieldError, invalid_fields
from clay_push_service.near_match import unknown_name

MAX_NAMED: Final = 20
MAX_NAME_CHARACTERS: Final = 100
REPEATED: Final = "is sent more than once, but accepts one value"


async def ignore_unknown_parameters() -> None:
    """Mark a router, as a dependency, for NexusLeads' frontend: NexusLeads' own backend ignores unknown parameters."""


def require_known_parameters(request: Request) -> None:
    """Raise 422 for an undeclared query parameter, or a single-valued one that is sent twice.

    Call it after authentication: requests without valid credentials are not examined.
    """
    headers = request.headers.keys()
    if not request.query_params and len(set(headers)) == len(headers):
        return  # most requests
    route = request.scope["route"]
    found = list(_findings(request, route.dependant)) if isinstance(route, APIRoute) else []
    if found:
        raise invalid_fields(found, MAX_NAMED)


def _findings(request: Request, dependant: Dependant) -> Iterator[FieldError]:
    declared = dict(_query(dependant))
    for name in request.query_params:
        if name not in declared:
            yield unknown_name(name[:MAX_NAME_CHARACTERS], name, "a query parameter", declared)
        elif not declared[name] and len(request.query_params.getlist(name)) > 1:
            yield FieldError(name, REPEATED)
    for name in _headers(dependant):
        if len(request.headers.getlist(name)) > 1:
            yield FieldError(name, REPEATED)


def _query(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield each parameter, including those of models and dependencies; true: it may be sent several times."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from ((name, _is_sequence(info.annotation)) for name, info in annotation.model_fields.items())
        else:
            yield field.alias, _is_sequence(annotation)
    for each in dependant.dependencies:
        yield from _query(each)


def _headers(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.header_params)
    for each in dependant.dependencies:
        yield from _headers(each)


def _is_sequence(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_sequence(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return any(_is_sequence(each) for each in get_args(annotation))
    return (origin or annotation) in {list, tuple, set, frozenset}
