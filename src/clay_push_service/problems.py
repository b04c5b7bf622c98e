"""Problem documents (RFC 9457): the format of every error response, and its schema in openapi.yaml."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.errors import ClayPushError
from clay_push_service.problem_codes import codes_of

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:clay-push:problem:"
"""A URN, not a URL: no page exists for it."""

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


class FieldProblem(BaseModel):
    field: str = Field(
        description="Path of the bad field, dotted; `body` for the whole body.", examples=["rate_limit_ms"]
    )
    message: str = Field(description="What is wrong with the field.", examples=["must be at most 60,000"])
    offset: int | None = Field(
        None, description="Of a text that is parsed: the number of characters before the error.", examples=[4]
    )


class Problem(BaseModel):
    """RFC 9457. Some codes have further members, such as `reason` and `remedy` of `destination_closed`."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": f"{TYPE_PREFIX}clay_not_configured",
                    "title": "Conflict",
                    "status": 409,
                    "detail": "Configure your Clay webhook URL in Settings → Integrations",
                    "code": "clay_not_configured",
                }
            ]
        },
    )

    type: str = Field(description=f"`{TYPE_PREFIX}` and the code.")
    title: str = Field(description="The name of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence for a person, without stack trace, URL or token.")
    code: str = Field(description="Stable code for programs; each response lists its possible codes.")
    errors: list[FieldProblem] | None = Field(None, description="The invalid fields, if any.")
    request_id: str | None = Field(None, description="Id of this request; include it when you report the problem.")


def document(error: ClayPushError, request_id: str | None = None) -> dict[str, Json]:
    """Return the problem as JSON. Further members never replace the standard ones."""
    standard: dict[str, Json] = {
        "type": TYPE_PREFIX + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if error.errors:
        standard["errors"] = [dict(each) for each in error.errors]
    if request_id:
        standard["request_id"] = request_id
    extra: dict[str, Any] = dict(error.extra)
    return {**extra, **standard}


OF_FRAMEWORK: Final = "http_error"
"""The code of other framework errors; the status is the framework's."""
LOCATION: Final[dict[str, Any]] = {"headers": {"Location": {"$ref": "#/components/headers/Location"}}}
"""For a route's `responses=`: a response with the path of the created resource."""
EVERY_ROUTE: Final = frozenset({400, 422, 500, 503})
OF_BODIES: Final = frozenset({408, 413, 415})
"""Too slow, too large, not JSON: a route that declares one of them reads a body and may return each."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses=`: the given statuses and those of every route."""
    wanted = sorted({*statuses, *EVERY_ROUTE, *(OF_BODIES if OF_BODIES & {*statuses} else ())})
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}. `code` is one of {codes_of(status)}.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in wanted
    }


CALLER: Final = (400, 401, 403, 429)
"""Statuses of every route with an authenticated caller."""
