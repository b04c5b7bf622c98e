"""What every refusal looks like to a caller: RFC 9457 problem documents, the same in answers and in openapi.yaml."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from clay_push_service.errors import ClayPushError
from clay_push_service.problem_codes import codes_of

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:clay-push:problem:"
"""A name and no address: there is no page behind it, and an address would promise one."""

Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None


class FieldProblem(BaseModel):
    field: str = Field(
        description="Path of the bad field, dotted; `body` for the whole body.", examples=["rate_limit_ms"]
    )
    message: str = Field(description="What is wrong with it.", examples=["must be at most 60,000"])


class Problem(BaseModel):
    """RFC 9457. Some codes carry further members, such as `reason` and `remedy` of `destination_closed`."""

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
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence for a person; never a stack trace, a URL or a token.")
    code: str = Field(description="Stable, for programs; each response lists those it may have.")
    errors: list[FieldProblem] | None = Field(None, description="Bad fields, if that is what is wrong.")
    request_id: str | None = Field(None, description="Of this request; quote it when you report the problem.")


def document(error: ClayPushError, request_id: str | None = None) -> dict[str, Json]:
    """The problem as JSON. Further members never replace the standard ones."""
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
"""The code of whatever else the framework refuses, with a status of its own."""
LOCATION: Final[dict[str, Any]] = {"headers": {"Location": {"$ref": "#/components/headers/Location"}}}
"""For a route's `responses=`: a response that says where what it made is."""
EVERY_ROUTE: Final = frozenset({400, 422, 500, 503})
OF_BODIES: Final = frozenset({408, 413, 415})
"""Too slow, too large, not JSON: a route that names one of them reads a body and may answer each."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses=`: the problems it may answer, besides those that every route may."""
    wanted = sorted({*statuses, *EVERY_ROUTE, *(OF_BODIES if OF_BODIES & {*statuses} else ())})
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}. `code` is one of {codes_of(status)}.",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in wanted
    }


CALLER: Final = (400, 401, 403, 429)
"""What every route with a caller may answer."""
