"""Structured logs: a static event name and data as keywords; never a URL, a token, an e-mail or a payload."""

import logging
import sys
from typing import Literal

import structlog

QUIET = {
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
"""A floor for each library that would say too much, in force whatever LOG_LEVEL says."""


def configure(log_format: Literal["json", "console"] = "json", level: str = "INFO") -> None:
    """Send every log line of the process to standard error, as JSON or for a person."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
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
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, floor in QUIET.items():
        logger = logging.getLogger(name)
        logger.setLevel(floor)
        logger.handlers.clear()
        logger.propagate = True


def get(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
