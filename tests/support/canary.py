"""Canaries, which are unique texts for secrets and lead data, and a search for them: whole, truncated or encoded."""

import base64
import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

import asyncpg
import httpx
import structlog

from clay_push_service import logs

SOURCE = "pull-in-data-from-a-webhook-canary-of-the-url-0f8fad5b"
TOKEN = "canary-of-the-token-d9cb469f"
API_KEY = "canary-of-the-api-key-3b8c3f0a6a11"
OTHER_API_KEY = "canary-of-the-other-api-key-9d3e5b0c"
RUN_SECRET = "canary-of-the-run-secret-77aa0c1d"
EMAIL = "canary-of-the-email-a1658677@example.org"
NAME = "canary-of-the-name-28950e77"
BAD_URL = "https://canary-of-the-bad-url-7425.example/in?key=canary-of-the-query-40de"
WORDS = (
    "canary-of-the-url",
    TOKEN[:-9],
    API_KEY[:21],
    OTHER_API_KEY[:27],
    RUN_SECRET[:24],
    EMAIL[:19],
    NAME[:-9],
    "canary-of-the-bad-url",
    "canary-of-the-query",
)
"""The beginning of each canary: a truncated log line still contains it."""


def encodings(word: str) -> set[str]:
    """Returns the word as plain text, URL-encoded, in hexadecimal, and in base64 at each offset (without letters that depend on the neighbours)."""
    based = {base64.b64encode(b"\0" * offset + word.encode()).decode()[4:-4] for offset in range(3)}
    return {word, quote(word, safe=""), quote(word.replace("-", "%2D")), word.encode().hex()} | based


def found_words(report: str, words: tuple[str, ...] = WORDS) -> set[str]:
    """Returns the words that the report contains in any encoding."""
    lowered = report.lower()
    return {
        word for word in words if any(each in report or each.lower() in lowered for each in encodings(word))
    }  # fmt: skip


@dataclass
class ResponseLog:
    """Records every response of the API with its request."""

    answers: list[tuple[str, str]] = field(default_factory=list)

    async def record(self, response: httpx.Response) -> None:
        await response.aread()
        request = f"{response.request.method} {response.request.url.raw_path.decode()}"
        self.answers.append((request, f"{response.headers}\n{response.text}"))


@contextmanager
def logging_everything() -> Iterator[io.StringIO]:
    """Captures what this process, which runs the API, logs at level DEBUG."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("json", "DEBUG")
    structlog.configure(cache_logger_on_first_use=False)  # keeps the change out of other tests
    buffer = io.StringIO()
    assert isinstance(root.handlers[0], logging.StreamHandler)
    root.handlers[0].stream = buffer
    yield buffer
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@asynccontextmanager
async def copying_arguments(host: asyncpg.Connection) -> AsyncIterator[list[str]]:
    """Records the arguments of every queue job, including deleted ones. The list is filled when the block ends."""
    await host.execute("""
        CREATE TABLE public.seen_arguments (args jsonb);
        CREATE FUNCTION public.see_arguments() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
            'BEGIN INSERT INTO public.seen_arguments VALUES (new.args); RETURN NULL; END';
        CREATE TRIGGER see_arguments AFTER INSERT OR UPDATE ON clay.procrastinate_jobs
            FOR EACH ROW EXECUTE FUNCTION public.see_arguments()""")
    seen: list[str] = []
    yield seen
    seen += [row["args"] for row in await host.fetch("SELECT args::text FROM public.seen_arguments")]
