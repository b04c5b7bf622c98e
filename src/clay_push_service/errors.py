"""Expected errors: one class per HTTP status, each with a stable code. Independent of the framework."""

from collections.abc import Mapping, Sequence
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
        errors: Sequence[Mapping[str, str]] = (),
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
