"""Expected errors: one class per HTTP status, each with a stable code. Independent of the framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

UNFINISHED = "The NexusLeads operator must complete the setup."
"""For callers, who cannot fix it themselves; the log names what is missing."""


class ClayPushError(Exception):
    """Base class. The API renders it as RFC 9457 `application/problem+json`, the command line as one line.

    `detail` is one sentence for a person, without stack trace, URL or token.
    """

    status: ClassVar[int] = 400
    code: str = "bad_request"
    title: ClassVar[str] = "Bad request"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        extra: Mapping[str, object] | None = None,
        errors: Sequence[Mapping[str, str | int]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.extra = dict(extra or {})
        self.errors = list(errors)
        self.headers = dict(headers or {})


class BadRequestError(ClayPushError):
    pass


class UnauthorizedError(ClayPushError):
    status, code, title = 401, "unauthorized", "Unauthorized"


class ForbiddenError(ClayPushError):
    status, code, title = 403, "forbidden", "Forbidden"


class NotFoundError(ClayPushError):
    status, code, title = 404, "not_found", "Not found"


class RequestTimeoutError(ClayPushError):
    status, code, title = 408, "request_timeout", "Request timeout"


class ConflictError(ClayPushError):
    status, code, title = 409, "conflict", "Conflict"


class TooLargeError(ClayPushError):
    status, code, title = 413, "body_too_large", "Content too large"


class MediaTypeError(ClayPushError):
    status, code, title = 415, "media_type_unsupported", "Unsupported media type"


class InvalidError(ClayPushError):
    status, code, title = 422, "invalid_request", "Invalid request"


class TooManyRequestsError(ClayPushError):
    status, code, title = 429, "too_many_requests", "Too many requests"


class UnavailableError(ClayPushError):
    status, code, title = 503, "unavailable", "Service unavailable"


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field or parameter. `suggestion`: the known name or value that is nearest to a misspelled one."""

    field: str
    message: str
    suggestion: str | None = None

    @property
    def text(self) -> str:
        return self.message if self.suggestion is None else f"{self.message}; did you mean `{self.suggestion}`?"

    @property
    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "message": self.text}


def invalid_fields(found: Sequence[FieldError], most: int) -> InvalidError:
    """The 422 for invalid fields: the first in `detail`, up to `most` in `errors`."""
    first, others = found[0], len(found) - 1
    more = f" ({others} more)" if others else ""
    end = "" if first.suggestion is not None and not more else "."
    return InvalidError(f"{first.field}: {first.text}{more}{end}", errors=[each.as_dict for each in found[:most]])
