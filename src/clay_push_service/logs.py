"""Structured logging: a static event name with data as keywords; never a URL, token, e-mail or payload."""

import atexit
import logging
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Literal

import asyncpg
import psycopg
import structlog

from clay_push_service.repeated_failures import RepeatedFailures

QUIET_LOGGERS = {
    "httpx": logging.WARNING,  # logs full URLs at INFO, and a webhook URL is a secret
    "httpcore": logging.WARNING,  # logs request targets and headers at DEBUG
    "aiohttp": logging.WARNING,
    "procrastinate": logging.WARNING,  # logs job arguments and results at INFO
    "asyncio": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "sqlalchemy": logging.WARNING,  # logs bound parameters at INFO, and payloads and ciphertexts pass there
    "psycopg": logging.WARNING,
    "alembic": logging.WARNING,
}
"""Minimum levels of libraries that log sensitive data; they apply regardless of LOG_LEVEL."""


MOST_CHARACTERS = 3_000
"""Limit of a traceback in one line; chained errors of a driver took 7.7 KB. The middle is omitted."""
MOST_ERRORS = 6
"""Number of errors shown of a chain: the last ones."""
MOST_MESSAGE = 400


def configure(log_format: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Write every log line of the process to standard error, as JSON or for a terminal."""
    flush()  # counts of an earlier configuration
    repeated = _repeated[0] = RepeatedFailures(_emit)

    def count_is_due(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        repeated.flush(time.monotonic())
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[repeated, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=True,
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[count_is_due, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(format_exception),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, floor in QUIET_LOGGERS.items():
        logger = logging.getLogger(name)
        logger.setLevel(floor)
        logger.handlers.clear()
        logger.propagate = True


_repeated: list[RepeatedFailures | None] = [None]
"""The counter of the current configuration."""


def _emit(method: str, event: dict[str, object]) -> None:
    getattr(get(__name__), method)(**event)


@atexit.register
def flush() -> None:
    """Log the pending counts of repeated failures; runs automatically when the process exits."""
    if _repeated[0] is not None:
        _repeated[0].flush()


def format_exception(exc_info: structlog.typing.ExcInfo) -> str:
    """Format a traceback without data that database errors quote, such as a rejected row or an invalid value."""
    chain = list(_chain(exc_info[1]))
    parts = ["Traceback (most recent call last):", *(_short(each, chain) for each in reversed(chain[:MOST_ERRORS]))]
    text = "\n".join(parts)
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = f"{text[:half]} [...] {text[-half:]}"
    return text


def _short(error: BaseException, chain: list[BaseException]) -> str:
    """Return the first and last frames of an error, and its message without values."""
    frames = [f"  {each.filename}:{each.lineno} {each.name}" for each in traceback.extract_tb(error.__traceback__)]
    if len(frames) > 4:  # noqa: PLR2004 - two at each end
        frames = [*frames[:2], "  ...", *frames[-2:]]
    message = "".join(traceback.format_exception_only(error)).strip()
    for each in chain:
        if isinstance(each, asyncpg.PostgresError | asyncpg.InterfaceError | psycopg.Error) and str(each):
            message = message.replace(str(each), _without_values(each))
        if isinstance(each, asyncpg.DataError) and str(each.__cause__):  # Python's own, which quotes the value
            message = message.replace(str(each.__cause__), _without_values(each))
    return "\n".join([*frames, message[:MOST_MESSAGE]])


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]


def _without_values(error: BaseException) -> str:
    """Return the message of a database error without values: data errors (class 22, or the driver's) quote them in the first line, others below it."""
    state: str = getattr(error, "sqlstate", None) or ""
    quotes = state.startswith("22") or isinstance(error, asyncpg.DataError)
    return f"[{state or 'driver'}] {'(message contains data)' if quotes else str(error).partition(chr(10))[0]}"


def get(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
